"""Train EfficientNet-B0 + transformer on faces that are attacked while it learns, or on clean ones alone.

    python training/prepare/lite_features.py                                             # runs/lite0.safetensors, once
    python training/train_robust.py --preset bundled --data DATA --backbone runs/lite0.safetensors
    python training/train_robust.py --preset bundled-base --data DATA --backbone runs/lite0.safetensors
    python training/train_robust.py --toy

A step has four parts: the loss of a clean batch; that of the same faces after PGD; one step of a U-Net that learns to attack;
the loss after what the U-Net makes of them now. The detector learns from the sum of the three losses. The presets that end in
`base` leave the attacks out and are the same otherwise: network, data, order of the data, number of steps. Of several
processes each attacks its own faces; the U-Net is one, and a step of it learns from the faces of all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import extract_model_from_parallel, set_seed
from torch import Tensor, nn
from torch.utils.data import Dataset

from tbd_app.pipeline.crops import Preprocess, for_spec
from training.attacks import pgd
from training.attacks.learn import AttackerConfig, Learner, save_attacker
from training.attacks.pgd import PgdConfig
from training.attacks.space import PixelSpace
from training.datasets.batches import Balanced, steps_per_epoch
from training.datasets.batches import batches as numbered
from training.datasets.clips import choose
from training.datasets.pairs import PairDataset
from training.datasets.pictures import Pictures, every_face
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.metrics import auc
from training.engine.run import Run
from training.engine.validation import score, score_batches, validated, video_figures
from training.faces.open import Faces, open_faces
from training.losses.classify import cross_entropy
from training.networks.models import begin, spec_of

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        model: a registered frame model, or timm:NAME.
        fakes: "labelled" are the fakes of the data, "pairs" are made of its real faces as in train_frame.py.
        kinds: of media ("crop", "image", "video"); all without any.
        n_frames: frames cut from each clip of an index.csv.
        batch: faces a step and process, half of them real.
        size_px: input size; 0 for the model's own.
        degraded: draw light, blur, resolution, noise and codec for each labelled face; without it they are only mirrored.
        pgd_weight: of the loss after PGD; 0 leaves that part out.
        unet_weight: of the loss after the U-Net; 0 leaves it and the U-Net out.
        clean_share: share of the steps, the first ones, that see clean faces only.
        pgd_steps: steps of PGD, one number per phase.
        pgd_share: share of the steps per phase.
        eps: largest change of a pixel, as a share of full scale, of both attacks.
        rise: share of the steps, after the clean ones, in which the attacks' bound grows from nothing to `eps`.
        pgd_step_size: change of a pixel in one step of PGD, likewise.
        attacker: the U-Net.
        val_frames: faces of each val medium that are scored.
        val_attacked: val faces that are attacked by ten steps of PGD at each validation.
    """

    out: Path = Path("runs/effnet_vit_robust")
    model: str = "effnet_vit_robust"
    fakes: Literal["labelled", "pairs"] = "labelled"
    kinds: tuple[str, ...] = ()
    n_frames: int = 10
    freeze_bn: bool = False
    batch: int = 32
    size_px: int = 0
    degraded: bool = False
    pgd_weight: float = 1.0
    unet_weight: float = 1.0
    clean_share: float = 1 / 11
    pgd_steps: tuple[int, ...] = (10,)
    pgd_share: tuple[float, ...] = (1.0,)
    eps: float = 8 / 255
    rise: float = 0.0
    pgd_step_size: float = 2 / 255
    attacker: AttackerConfig = field(default_factory=AttackerConfig)
    val_frames: int = 4
    val_attacked: int = 64
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            unit="epoch",
            steps=11,
            warmup_steps=0,
            precision="fp16",
            lr=1e-4,
            weight_decay=1e-4,
            ema_decay=0.0,
            validate_every=1,
        )
    )


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    must_fit(config)
    set_seed(config.seed)
    spec = spec_of(config.model)
    spec = dataclasses.replace(spec, input_size=config.size_px or spec.input_size)
    preprocess, space = for_spec(spec), PixelSpace.of(spec)
    faces = open_faces(config.data, n_frames=config.n_frames)
    per_epoch = steps_per_epoch(len(faces["train"].bank), config.batch, config.loop.accumulate)
    loop = config.loop.in_steps(per_epoch)
    total = loop.steps * loop.accumulate
    model = begin(config)
    learner = None
    if config.unet_weight:
        attacker = dataclasses.replace(config.attacker, eps=config.eps)
        device = torch.device(str(PartialState().device))
        learner = Learner(attacker, space, device, fp16=loop.precision == "fp16")
    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    model = fit(
        model,
        lambda start: batches(config, faces["train"], preprocess, start, total),
        lambda model, batch: step(config, model, batch, space, learner, total),
        lambda model: validate(config, model, faces["val"], preprocess, space),
        loop,
        run,
        beside={"attacker": learner} if learner else {},
    )
    run.save(model, spec)
    if learner and run.writes:
        save_attacker(learner.attacker, run.path / "attacker.safetensors")


def must_fit(config: Config) -> None:
    """Refuses what would train something else than it says.

    Raises:
        SystemExit: with the reason.
    """
    if len(config.pgd_steps) != len(config.pgd_share):
        raise SystemExit("--pgd-steps and --pgd-share need a number for each phase.")
    if config.loop.sharpness:
        raise SystemExit(
            "--loop.sharpness takes each step twice, and so would the attacker: it is not for this script."
        )


def batches(
    config: Config, faces: Faces, preprocess: Preprocess, start: int, total: int
) -> Iterator[dict[str, Any]]:
    """Batches {"x": (B,3,S,S), "y": (B,), "number": its own} from `start` on, half real and half fake."""
    if config.fakes == "pairs":
        pairs = PairDataset(faces.bank, faces.items, preprocess, length=0, seed=config.seed)
        for number, (x, y, _) in enumerate(
            numbered(pairs, config.batch // 2, start, total, config.workers), start
        ):
            yield {"x": x.flatten(0, 1), "y": y.flatten(), "number": number}
        return
    items, cut = every_face(faces, preprocess, config.kinds)
    pictures = Pictures(items, cut, preprocess, robust=config.degraded)
    data: Dataset[Any] = Balanced(pictures, [i.label for i in items], config.seed)
    for number, batch in enumerate(numbered(data, config.batch, start, total, config.workers), start):
        yield batch | {"number": number}


def step(
    config: Config,
    model: nn.Module,
    batch: dict[str, Any],
    space: PixelSpace,
    learner: Learner | None,
    total: int,
) -> dict[str, Tensor]:
    """The four parts of a step; the loss of the detector and figures of both."""
    x, y = batch["x"].contiguous(memory_format=torch.channels_last), batch["y"]
    clean = cross_entropy(model(x), y)
    out = clean | {"clean_loss": clean["loss"].detach()}
    done = batch["number"] / total
    if done < config.clean_share:
        return out
    strength = strength_at(config, done)
    attacked_one: nn.Module = extract_model_from_parallel(
        model
    )  # no gradient of an attack joins those of other processes
    if config.pgd_weight:
        bounds = PgdConfig(
            eps=strength * config.eps,
            step_size=strength * config.pgd_step_size,
            n_steps=pgd_steps_at(config, done),
        )
        attacked = cross_entropy(model(pgd.attack(attacked_one, x, y, space, bounds)), y)
        out["loss"] = out["loss"] + config.pgd_weight * attacked["loss"]
        out |= {"pgd_loss": attacked["loss"].detach(), "pgd_accuracy": attacked["accuracy"]}
    if learner:
        learner.attacker.eps = strength * config.eps
        learned = learner.step(attacked_one, x, y)
        attacked = cross_entropy(model(learner.attack(x)), y)
        out["loss"] = out["loss"] + config.unet_weight * attacked["loss"]
        out |= {"unet_loss": attacked["loss"].detach(), "unet_accuracy": attacked["accuracy"]}
        out |= {f"attacker_{name}": value for name, value in learned.items()}
    return out


def pgd_steps_at(config: Config, done: float) -> int:
    """Steps of PGD when a share `done` of the run, in [0,1), is over."""
    ends = np.cumsum(config.pgd_share) / math.fsum(config.pgd_share)
    phase = min(int(np.searchsorted(ends, done, side="right")), len(ends) - 1)
    return config.pgd_steps[phase]


def strength_at(config: Config, done: float) -> float:
    """Share in (0,1] of `eps` that the attacks may use when a share `done` of the run is over."""
    risen = (done - config.clean_share) / config.rise if config.rise else 1.0
    return min(max(risen, 1 / 16), 1.0)


def validate(
    config: Config, model: nn.Module, faces: Faces, preprocess: Preprocess, space: PixelSpace
) -> dict[str, float]:
    """Figures of the media of `kinds`, else of clips, else of pictures; and of single faces after ten steps of PGD."""
    _, cut = every_face(faces, preprocess)
    media = faces.media(*config.kinds) if config.kinds else validated(faces)
    rows = [faces.rows(int(n)) for n in media]
    rows = [r[choose(len(r), config.val_frames, "spread")] for r in rows]
    scores = score_batches(model, ((preprocess.tensor(np.stack([cut(int(k)) for k in r])),) for r in rows))
    ends = np.cumsum([len(r) for r in rows])[:-1]
    probs = np.array([part.mean() for part in np.split(scores, ends)])
    out = video_figures([faces.items[n] for n in media], probs)
    if config.val_attacked:
        labels = np.array([faces.items[n].label for n in media])
        chosen = in_turn(labels, config.val_attacked)
        device = next(model.parameters()).device
        x = preprocess.tensor(np.stack([cut(int(rows[k][0])) for k in chosen]))
        y = torch.from_numpy(labels[chosen])
        bounds = PgdConfig(eps=config.eps, step_size=config.pgd_step_size)
        parts = [
            pgd.attack(model, a.to(device), b.to(device), space, bounds).cpu()
            for a, b in zip(x.split(config.batch), y.split(config.batch), strict=True)
        ]
        probs = score(model, torch.cat(parts))
        out["pgd_auc"] = auc(labels[chosen], probs)
        out["pgd_accuracy_val"] = float(((probs >= 0.5) == labels[chosen]).mean())
    return out


def in_turn(labels: np.ndarray, most: int) -> np.ndarray:
    """Places of at most `most` labels, spread evenly over each class, half of them real where there are enough."""
    parts = [np.flatnonzero(labels == c) for c in (0, 1)]
    each = max(most // 2, 1)
    return np.sort(np.concatenate([p[choose(len(p), each, "spread")] for p in parts if len(p)]))


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
