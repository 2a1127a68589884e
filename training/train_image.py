"""Train a model on single labelled pictures: whole portraits against pictures that a generator made.

    python training/train_image.py --preset paper --data REAL_VS_FAKE     # 140k real and fake faces
    python training/train_image.py --data ../shared/data --robust         # faces of an index, or cut by extract_faces.py
    python training/train_image.py --toy

With `--layout` pictures are read whole and never searched for a face, as the reference does; the crop recipe of the model
gives about the same square around a detected face. A layout with a test part is tested at the end: `test.json`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
from accelerate.utils import set_seed
from sklearn.metrics import classification_report, confusion_matrix
from torch import Tensor, nn

from tbd_app.media.recode import jpeg
from tbd_app.pipeline.crops import Preprocess, for_spec
from training.collect import builders
from training.datasets.batches import Shuffled, batches, steps_per_epoch
from training.datasets.pictures import Cut, Pictures, around_faces, whole
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.metrics import auc
from training.engine.run import Run
from training.engine.validation import score
from training.faces.index import Item
from training.faces.open import open_faces
from training.losses.classify import class_weights, cross_entropy
from training.networks.models import begin, spec_of

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        layout: how `data` is laid out: faces140k, folder (real/ and fake/), or faces (index.csv or index.parquet).
        n_train: pictures of each class from the train part; 0 for all.
        n_val: pictures of each class from the val part; 0 for all.
        model: a registered frame model, or timm:NAME.
        size_px: input size; 0 for the model's own.
        batch: pictures a step and process.
        robust: draw light, blur, resolution, noise and codec for each picture; without it they are only mirrored.
    """

    out: Path = Path("runs/image")
    layout: Literal["faces140k", "folder", "faces"] = "faces"
    n_train: int = 0
    n_val: int = 0
    model: str = "effnet_b0_image"
    freeze_bn: bool = False
    size_px: int = 0
    batch: int = 64
    robust: bool = False
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(lr=1e-3, monitor="image_auc"))


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    spec = spec_of(config.model)
    spec = dataclasses.replace(spec, input_size=config.size_px or spec.input_size)
    preprocess = for_spec(spec)
    parts = read_pictures(config, preprocess)
    items, cut = parts["train"]
    pictures = Pictures(items, cut, preprocess, robust=config.robust)
    data, balance = Shuffled(pictures, config.seed), class_weights(i.label for i in items)
    loop = config.loop.in_steps(steps_per_epoch(len(items), config.batch, config.loop.accumulate))
    model = begin(config)

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return cross_entropy(model(batch["x"]), batch["y"], weights=balance)

    run = Run(config, SCRIPT, {split: items for split, (items, _) in parts.items()})
    model = fit(
        model,
        lambda start: batches(data, config.batch, start, loop.steps * loop.accumulate, config.workers),
        step,
        lambda model: validate(model, *parts["val"], preprocess),
        loop,
        run,
    )
    run.save(model, spec)
    if "test" in parts and run.writes:
        figures = test(model, *parts["test"], preprocess)
        (run.path / "test.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def read_pictures(config: Config, preprocess: Preprocess) -> dict[str, tuple[list[Item], Cut]]:
    """The pictures of each split and how they are cut."""
    if config.layout == "faces":
        found = {}
        for split, faces in open_faces(config.data).items():
            media = faces.media("crop", "image")
            if not len(media):  # of clips alone: a frame of each
                media = faces.media()
            found[split] = ([faces.items[n] for n in media], around_faces(faces, media.tolist(), preprocess))
        return found
    media = builders.build(config.layout, config.data)
    parts = {}
    for split, most in (("train", config.n_train), ("val", config.n_val), ("test", 0)):
        items = [
            Item(m.path, "image", m.label, split, m.video_id, m.method) for m in media if m.split == split
        ]
        if chosen := some_of_each(items, most, config.seed):
            parts[split] = (chosen, whole(chosen, preprocess))
    if absent := {"train", "val"} - parts.keys():
        raise SystemExit(f"{config.data} has no {' and no '.join(sorted(absent))} part.")
    return parts


def some_of_each(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """At most so many items of each class, drawn; all for 0."""
    rng = np.random.default_rng(seed)
    out = []
    for label in (0, 1):
        part = [i for i in items if i.label == label]
        keep = np.sort(rng.permutation(len(part))[: most or len(part)])
        out += [part[k] for k in keep]
    return out


def probs_of(model: nn.Module, items: Sequence[Item], cut: Cut, preprocess: Preprocess) -> np.ndarray:
    """fake_prob (N,) of pictures as they are, read in portions."""
    portions = np.array_split(np.arange(len(items)), max(len(items) // 256, 1))
    return np.concatenate([score(model, preprocess.tensor(np.stack([cut(r) for r in p]))) for p in portions])


def validate(model: nn.Module, items: Sequence[Item], cut: Cut, preprocess: Preprocess) -> dict[str, float]:
    """Image-level AUC and accuracy at 0.5."""
    probs, labels = probs_of(model, items, cut, preprocess), np.array([i.label for i in items])
    return {"image_auc": auc(labels, probs), "image_accuracy": float(((probs >= 0.5) == labels).mean())}


def test(model: nn.Module, items: Sequence[Item], cut: Cut, preprocess: Preprocess) -> dict[str, Any]:
    """Figures at 0.5 on pictures as they are and after JPEG 50; rows of the confusion are the true real and fake."""
    labels, out = np.array([i.label for i in items]), {}
    for name, change in (("original", lambda crop: crop), ("jpeg50", lambda crop: jpeg(crop, 50))):
        probs = probs_of(model, items, lambda row, change=change: change(cut(row)), preprocess)
        report: Any = classification_report(
            labels,
            probs >= 0.5,
            target_names=["real", "fake"],
            output_dict=True,
            zero_division=0,  # pyright: ignore[reportArgumentType]
        )
        confusion = confusion_matrix(labels, probs >= 0.5, labels=[0, 1]).tolist()
        out[name] = {"image_auc": auc(labels, probs), "confusion": confusion, **report}
    return out


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
