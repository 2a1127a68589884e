"""Measure frame models on faces as they are, recoded, attacked, and attacked and then recoded; write a Markdown table.

    python training/evaluate_robustness.py --data DATA --models effnet_vit_base=runs/effnet_vit_base/model.safetensors \
        effnet_vit_robust=runs/effnet_vit_robust/model.safetensors
    python training/evaluate_robustness.py --data DATA --split test --attackers effnet_vit_base=FILE effnet_vit_robust=FILE
    python training/evaluate_robustness.py --data DATA --record     # docs/robustness.md and its figure, too

The last model is compared with the first. A U-Net is trained against each frozen model on the train split and never sees the
measured one; `--attackers` takes trained ones instead, such as a run's own attacker.safetensors.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch
import tyro
from tqdm import tqdm

from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline.crops import for_spec, moved
from tbd_app.types import ModelSpec
from training.attacks.learn import AttackerConfig, Learner, load_attacker, save_attacker
from training.attacks.space import PixelSpace
from training.attacks.unet import UNetAttacker
from training.benchmark import robustness, sight
from training.benchmark.robustness import SCENARIOS, USUAL, Crops, Scenario
from training.datasets.batches import Balanced, batches
from training.datasets.clips import choose
from training.datasets.pictures import Pictures, chosen, every_face
from training.engine.config import in_one_sentence
from training.evaluation.marked import replaced
from training.evaluation.plots import FIGURES
from training.faces.open import Faces, open_faces
from training.networks.softened import AgainstReduced

PAGE = Path(__file__).resolve().parents[1] / "docs" / "robustness.md"
MARKS = ("<!-- table: begin, written by evaluate_robustness.py --record -->", "<!-- table: end -->")


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv or index.parquet, or "toy".
        split: what is measured.
        models: registered frame models, NAME for the installed weights or NAME=FILE for a checkpoint.
        scenarios: which of `benchmark/robustness.py` to measure.
        transfer: attack each model by the other models' U-Nets, too.
        attackers: NAME=FILE of U-Nets that were trained before, by the model that they were trained against.
        attacker: how a fresh U-Net learns.
        attacker_steps: batches that it sees.
        attacker_batch: train faces in each.
        eps: largest change of a pixel by PGD.
        frames: cut from each video of an index.csv.
        n_frames: faces of each medium, spread over them.
        kinds: of media ("crop", "image", "video"); all without any.
        n_media: measured media of each class, spread over the index; 0 for all.
        device: torch's name of it.
        seed: of the fresh U-Nets and of PGD's starts.
        out: where table.md, table.json, sight.png and the U-Nets go.
        record: write table and figure into docs/, too.
    """

    data: Path = Path("../shared/data")
    split: str = "val"
    models: tuple[str, ...] = ("effnet_vit_base", "effnet_vit_robust")
    scenarios: tuple[str, ...] = USUAL
    transfer: bool = True
    attackers: tuple[str, ...] = ()
    attacker: AttackerConfig = field(default_factory=AttackerConfig)
    attacker_steps: int = 1000
    attacker_batch: int = 32
    eps: float = 8 / 255
    frames: int = 12
    n_frames: int = 4
    kinds: tuple[str, ...] = ()
    n_media: int = 0
    device: str = "cpu"
    seed: int = 1
    out: Path = Path("runs/robustness")
    record: bool = False


@dataclass(frozen=True, slots=True)
class Judge:
    """A model as it is served, with its spec."""

    spec: ModelSpec
    network: Detector

    @property
    def model(self) -> AgainstReduced:
        """What is judged and attacked."""
        return AgainstReduced(self.network, self.spec.calibration.softened_share).eval()

    @property
    def space(self) -> PixelSpace:
        """Of its inputs."""
        return PixelSpace.of(self.spec)


def main(config: Config) -> None:
    """Measure, then write the table."""
    scenarios = scenarios_of(config)
    judges = {name: load(name, path, config.device) for name, path in named(config.models).items()}
    given = {name: load_attacker(path) for name, path in named(config.attackers).items() if path}
    wanted = {s.attack for s in scenarios}
    fresh = [name for name in judges if name not in given] if "unet" in wanted else []
    splits = ("train", config.split) if fresh else (config.split,)
    faces = open_faces(config.data, n_frames=config.frames, splits=splits)
    config.out.mkdir(parents=True, exist_ok=True)
    for name in fresh:
        given[name] = train_attacker(config, judges[name], faces["train"], name)
        save_attacker(given[name], config.out / f"attacker_{name}.safetensors")

    crops = {name: cut(config, judge.spec, faces[config.split]) for name, judge in judges.items()}
    measured: dict[str, dict[str, dict[str, list[float]]]] = {}
    gains: dict[str, list[float]] = {}
    first, *_, last = judges if len(judges) > 1 else (*judges, *judges)
    for scenario in tqdm(scenarios, desc="scenarios"):
        torch.manual_seed(config.seed)
        probs = {
            name: robustness.scores(
                scenario, judge.model, crops[name], judge.space, given, own=name, eps=config.eps
            )
            for name, judge in judges.items()
        }
        measured[scenario.name] = {name: robustness.figures(crops[name], p) for name, p in probs.items()}
        if len(judges) > 1:
            gains[scenario.name] = robustness.gain(crops[last], probs[last], probs[first])
    looks = {name: look_of(judge, crops[name]) for name, judge in judges.items()}
    write(config, measured, gains, crops[first], looks)


def named(given: Sequence[str]) -> dict[str, Path | None]:
    """NAME or NAME=FILE -> the file of each name, in order."""
    parts = (text.partition("=") for text in given)
    return {name: Path(path) if path else None for name, _, path in parts}


def scenarios_of(config: Config) -> list[Scenario]:
    """The scenarios that were asked for, the transferred U-Nets behind them.

    Raises:
        SystemExit: no such scenario, or a U-Net without its file.
    """
    if unknown := sorted(set(config.scenarios) - SCENARIOS.keys()):
        raise SystemExit(f"There is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}.")
    if any(path is None for path in named(config.attackers).values()):
        raise SystemExit("--attackers takes NAME=FILE.")
    own = [SCENARIOS[name] for name in config.scenarios]
    if not config.transfer or Scenario("unet") not in own or len(config.models) < 2:
        return own
    return own + [Scenario("unet", attacker=name) for name in named(config.models)]


def load(name: str, path: Path | None, device: str) -> Judge:
    """A frame model as it is served.

    Raises:
        SystemExit: the model looks at clips.
    """
    spec = registry.spec(name, path)
    if spec.task != "frame":
        raise SystemExit(f"{name} looks at clips; this command measures frame models.")
    return Judge(spec, registry.load(name, device, path))


def cut(config: Config, spec: ModelSpec, faces: Faces) -> Crops:
    """The faces of the measured media, cut for a model."""
    _, crop = every_face(faces, for_spec(spec))
    media = chosen(faces, config.kinds, config.n_media)
    rows = [faces.rows(int(n)) for n in media]
    rows = [r[choose(len(r), config.n_frames, "spread")] for r in rows]
    preprocess, bank = for_spec(spec), faces.bank
    places = []
    for k in np.concatenate(rows):
        to_crop = preprocess.to_crop(bank.image(k).shape, bank.boxes[k], bank.landmarks[k])
        places.append(moved(bank.landmarks[k], to_crop))
    return Crops(
        pictures=np.stack([crop(int(k)) for r in rows for k in r]),
        landmarks=np.stack(places),
        owner=np.repeat(np.arange(len(rows)), [len(r) for r in rows]),
        labels=np.array([faces.items[n].label for n in media]),
        groups=tuple(faces.items[n].group for n in media),
    )


def look_of(judge: Judge, crops: Crops) -> sight.Sight:
    """Where a model looks on the measured faces, and what noise does to it."""
    owners = [crops.groups[n] for n in crops.owner]
    return sight.sight(judge.network, judge.spec, crops.pictures, crops.landmarks, owners)


def train_attacker(config: Config, judge: Judge, faces: Faces, name: str) -> UNetAttacker:
    """A fresh U-Net that has learned to fool a frozen model on the faces of a split."""
    torch.manual_seed(config.seed)
    preprocess, device = for_spec(judge.spec), torch.device(config.device)
    items, crop = every_face(faces, preprocess, config.kinds)
    data = Balanced(Pictures(items, crop, preprocess), [i.label for i in items], config.seed)
    settings = dataclasses.replace(config.attacker, eps=config.eps)
    learner = Learner(settings, judge.space, device)
    stream = batches(data, config.attacker_batch, 0, config.attacker_steps)
    for batch in tqdm(stream, desc=f"U-Net against {name}", unit="step"):
        learner.step(judge.model, batch["x"].to(device), batch["y"].to(device))
    return learner.attacker


def write(
    config: Config,
    measured: dict[str, dict[str, dict[str, list[float]]]],
    gains: dict[str, list[float]],
    crops: Crops,
    looks: dict[str, sight.Sight],
) -> None:
    """table.md for readers and table.json for programs, and the figure."""
    n_fake, n_sources = int(crops.labels.sum()), len(set(crops.groups))
    head = (
        f"{len(crops.labels) - n_fake} real and {n_fake} fake media of {n_sources} sources ({config.split}), "
        f"{config.n_frames} faces of each at most; figures of media at 0.5, uncalibrated, "
        f"with 95 % intervals over drawn sources. PGD knows the labels "
        f"and the weights (eps {config.eps * 255:.3g}/255, ten steps); U-Nets learned on train.\n\n"
    )
    text = head + robustness.table(measured, gains) + "\n" + sight.table(looks)
    sight.picture(looks, config.out / "sight.png")
    (config.out / "table.md").write_text(text, encoding="utf-8")
    found = {"scenarios": measured, "gains": gains}
    (config.out / "table.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(text)
    if config.record:
        sight.picture(looks, FIGURES / "robustness.png")
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, text), encoding="utf-8")


if __name__ == "__main__":
    in_one_sentence(lambda: main(tyro.cli(Config, description=__doc__)))
