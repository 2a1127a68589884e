"""What a training script asks for: typed fields, TOML presets, command-line flags; the later overrides the earlier.

    python training/train_frame.py --preset paper --preset 8gb --loop.lr 1e-4

A script's `Config` extends `RunConfig`; `configs/SCRIPT/NAME.toml` holds what a preset changes; tyro turns both into flags.
Presets compose, the later over the earlier. `at_once = N` in a preset parts each batch into pieces of at most N that are
accumulated: what is learned from a step stays the same, but for what compares within a piece.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
import tyro
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env

from tbd_app.errors import TBDError

PRESETS = Path(__file__).resolve().parent.parent / "configs"
AT_ONCE = "at_once"
PATIENCE = timedelta(days=1)  # with a process that cuts faces or validates while the others wait


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """What the loop needs besides data and model.

    Attributes:
        unit: what `steps`, `warmup_steps`, `decay_every` and `validate_every` count: optimiser steps or epochs.
        steps: how long to train.
        accumulate: batches per optimiser step; their gradients are averaged.
        precision: autocast: bf16, fp16 with a scaled loss (on a CPU the same as no), or no.
        optimizer: adamw, adam (weight decay inside the gradient) or sgd with momentum 0.9.
        lr: peak learning rate.
        weight_decay: of weight matrices; biases and normalisation never decay.
        schedule: after the warm-up: cosine to `lr_floor`, a factor of `decay_factor` every `decay_every`, or constant.
        warmup_steps: linear warm-up of the learning rate.
        lr_floor: where the cosine ends, as a share of `lr`.
        decay_every: for the schedule step.
        decay_factor: for the schedule step.
        clip_norm: largest norm of the gradient; 0 leaves it.
        sharpness: radius of sharpness-aware minimisation, which takes two passes a step; 0 for none.
        ema_decay: of the averaged weights, which are then the ones validated and kept; 0 for none.
        validate_every: how often the state is saved and figures are taken.
        keep: the weights that are the result: of the last step, or of the best validation.
        monitor: the figure that says which validation is best.
        patience: stop after so many validations without a better figure; 0 never stops early.
        max_minutes: save and stop cleanly after so long; `--resume` goes on.
    """

    unit: Literal["step", "epoch"] = "step"
    steps: int = 4500
    accumulate: int = 1
    precision: Literal["bf16", "fp16", "no"] = "bf16"
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 5e-4
    weight_decay: float = 0.02
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_steps: int = 150
    lr_floor: float = 0.01
    decay_every: int = 1000
    decay_factor: float = 0.5
    clip_norm: float = 1.0
    sharpness: float = 0.0
    ema_decay: float = 0.998
    validate_every: int = 400
    keep: Literal["last", "best"] = "last"
    monitor: str = "video_auc"
    patience: int = 0
    max_minutes: float = math.inf

    def in_steps(self, steps_per_epoch: int) -> LoopConfig:
        """The same with every count in optimiser steps."""
        if self.unit == "step":
            return self
        counts = ("steps", "warmup_steps", "decay_every", "validate_every")
        return dataclasses.replace(
            self, unit="step", **{name: getattr(self, name) * steps_per_epoch for name in counts}
        )


@dataclass(frozen=True)
class RunConfig:
    """What every script has.

    Attributes:
        data: folder with index.csv, or "toy" for a small generated collection.
        out: run folder; a run that lies there already moves to NAME.previous, unless this one resumes it.
        workers: loader processes.
        seed: of every draw.
        resume: go on from the run folder's last saved state.
        note: what a reader of the model card should know about this run.
        preset: names of the presets that were used, joined by "+"; set by `--preset`.
        loop: numbers of the loop.
    """

    data: Path = Path("../shared/data")
    out: Path = Path("runs/model")
    workers: int = 1
    seed: int = 1
    resume: bool = False
    note: str = ""
    preset: tyro.conf.Suppress[str] = ""
    loop: LoopConfig = field(default_factory=LoopConfig)


@dataclass(frozen=True)
class ModelConfig(RunConfig):
    """What every script on a network of timm has: which it is and where its weights come from.

    Attributes:
        model: its registered name.
        pretrained: fetch public weights of the backbone where neither backbone nor init is given.
        backbone: safetensors of the backbone in timm's keys: public features, or a checkpoint of a model on the same one.
        init: checkpoint of the whole model, to start warm.
        freeze_bn: keep BatchNorm on its running statistics. Small batches of clips need it, and pairs: a batch holds each
            face twice, real and fake, and with statistics of the batch a network learns to compare the two, which it cannot
            do later. Not for a backbone that starts at random.
    """

    model: str = ""
    pretrained: bool = True
    backbone: Path | None = None
    init: Path | None = None
    freeze_bn: bool = True


C = TypeVar("C", bound=RunConfig)


def parse(config: type[C], script: str, description: str | None, argv: Sequence[str] | None = None) -> C:
    """The config of a script: its defaults, then each `--preset NAME` (`--toy` is `--preset toy`), then the other flags.

    Args:
        config: dataclass of the script.
        script: its name, also of its folder below `training/configs`.
        description: for `--help`.
        argv: command-line arguments; the process's own by default.

    Raises:
        SystemExit: no such preset, or an unknown key in it, with near matches; a wrong flag or value.
    """
    names = sorted(path.stem for path in (PRESETS / script).glob("*.toml"))
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset", action="append", default=[])
    first.add_argument("--toy", dest="preset", action="append_const", const="toy")
    chosen, rest = first.parse_known_args(argv)
    text = (
        f"{description or ''}\n--preset NAME starts from one of: {', '.join(names)}; a second one comes on top. "
        "--toy is --preset toy."
    )
    default = load_preset(config, script, *chosen.preset)
    return tyro.cli(config, default=default, description=text, args=rest)


def command(main: Callable[[C], None], config: type[C], script: str, description: str | None) -> None:
    """A script's last line: `main` with the parsed config; what a user can cause ends in one sentence."""

    def run() -> None:
        parsed = parse(config, script, description)
        join_processes()
        main(parsed)

    in_one_sentence(run)


def in_one_sentence(run: Callable[[], None]) -> None:
    """Run a command; what a user can cause ends in one sentence and not in a trace.

    Raises:
        SystemExit: with that sentence.
    """
    try:
        run()
    except TBDError as error:
        raise SystemExit(error.message) from error


def join_processes() -> None:
    """Make this process one of those that `torchrun` or `accelerate launch` started, if it is.

    Whoever asks accelerate first settles for all whether several processes on CPUs belong together, and how long they wait.
    """
    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    PartialState(cpu=on_cpu, timeout=PATIENCE)


def load_preset(config: type[C], script: str, *names: str) -> C:
    """The defaults of a script with what its presets change, one after the other.

    Raises:
        SystemExit: no such preset, or an unknown key in it, with near matches.
    """
    made = config()
    for name in names:
        table = preset_table(script, name)
        at_once = table.pop(AT_ONCE, 0)
        made = tyro.cli(config, default=made, args=list(_flags(table, made, f"{name}.toml")))
        made = in_pieces(made, at_once) if at_once else made
    return dataclasses.replace(made, preset="+".join(names))


def in_pieces(config: C, at_once: int) -> C:
    """The same with each batch in equal pieces of at most `at_once` that are accumulated."""
    name = next(key for key in ("batch", "batch_pairs") if hasattr(config, key))
    whole = getattr(config, name)
    piece = max(n for n in range(1, min(at_once, whole) + 1) if whole % n == 0)
    loop = dataclasses.replace(config.loop, accumulate=config.loop.accumulate * whole // piece)
    return dataclasses.replace(config, **{name: piece, "loop": loop})


def preset_table(script: str, name: str) -> dict[str, Any]:
    """What a preset's file holds.

    Raises:
        SystemExit: no such preset, with near matches.
    """
    path = PRESETS / script / f"{name}.toml"
    if not path.is_file():
        raise SystemExit(
            f"{script} has no preset {name!r}{_near(name, [p.stem for p in path.parent.glob('*.toml')])}"
        )
    with path.open("rb") as file:
        return tomllib.load(file)


def _flags(table: dict[str, Any], config: Any, file: str, prefix: str = "") -> Iterator[str]:
    """A TOML table as command-line flags, so that one parser types both."""
    known = [f.name for f in dataclasses.fields(config)]
    for key, value in table.items():
        if key not in known:
            raise SystemExit(f"{file} has an unknown key {prefix}{key}{_near(key, known)}")
        flag = prefix + key.replace("_", "-")
        if isinstance(value, dict):
            yield from _flags(value, getattr(config, key), file, f"{flag}.")
        elif isinstance(value, bool):
            yield f"--{flag}" if value else f"--{prefix}no-{key.replace('_', '-')}"
        else:
            yield f"--{flag}"
            yield from map(str, value if isinstance(value, list) else [value])


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(near)}?" if near else f"; there are {', '.join(sorted(known))}."
