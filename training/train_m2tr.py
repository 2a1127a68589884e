"""Train M2TR on single face crops: cross entropy, and a contrastive loss that draws real features to their centre.

    python training/train_m2tr.py --data DATA                     # m2tr_b4 on labelled faces
    python training/train_m2tr.py --data DATA --pairs source      # each fake beside the real medium it was made from
    python training/train_m2tr.py --data DATA --preset paper      # variant 1b of the reference report
    python training/train_m2tr.py --data DATA --preset 1c         # variant 1c: FaceForensics++ and Celeb-DF v2
    python training/train_m2tr.py --data DATA --preset official   # the authors' layout and settings, 320 px
    python training/train_m2tr.py --data DATA --preset swin       # variant 1a of the reference report
    python training/train_m2tr.py --data DATA --preset paper --preset 8gb   # the same on a small card
    python training/train_m2tr.py --toy

Degradations are those of all recipes here (`--augment`). The mask decoder and its loss are left out, as in the reference.
A figure on FaceForensics++ says little about fakes from elsewhere: the reference's own networks, at an AUC of .99 there,
called every internet fake real.

Source: Wang et al., "M2TR: Multi-modal Multi-scale Transformers for Deepfake Detection", ICMR 2022 (arXiv 2104.09770).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from accelerate.utils import set_seed
from torch import Tensor, nn

from tbd_app.models.nets.m2tr import M2TR, Freeze
from tbd_app.models.nets.m2tr_swin import M2trSwin
from tbd_app.pipeline.crops import for_spec
from training.datasets.batches import batches, steps_per_epoch
from training.datasets.clips import ClipReader
from training.datasets.partners import Pairing, paired
from training.datasets.published import Augment
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import frame_figures
from training.faces.open import open_faces
from training.losses.classify import accuracy, cross_entropy
from training.losses.m2tr import RealCentre, focal
from training.losses.tower import Tap
from training.networks.models import begin, spec_of, trained_share

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        model: m2tr_b4, m2tr_official or m2tr_swin.
        freeze: paper10m trains the last layers of the backbone and all that is not backbone; none trains everything.
        size_px: input of m2tr_official, to which its weights are bound; 0 for the model's own.
        small: a tiny backbone at 64 px, for toys.
        pairs: source sets each fake against the real medium it was made from, blend sets real frames against fakes made of
            them (and a few of the split's), none takes every medium with its own label.
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none; of labelled media
            and of fakes with their originals.
        batch: examples a step and process; pairs count as two.
        frames: cut from each video of an index.csv, and averaged in validation.
        loss: cross_entropy, or the authors' focal loss.
        contrast: weight of the contrastive loss; 0 leaves it out.
        margin: distance from the centre of the reals that is far enough for a fake; 0 for the paper's form without one.
    """

    out: Path = Path("runs/m2tr")
    model: Literal["m2tr_b4", "m2tr_official", "m2tr_swin"] = "m2tr_b4"
    freeze: Freeze = "none"
    freeze_bn: bool = False
    size_px: int = 0
    small: bool = False
    pairs: Pairing = "none"
    augment: Augment = "project"
    batch: int = 24
    frames: int = 30
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    contrast: float = 0.1
    margin: float = 0.5
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            unit="epoch", steps=20, warmup_steps=0, validate_every=1, lr=1e-4, weight_decay=1e-5, keep="best",
        )
    )  # fmt: skip


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    bare = open_model(config)
    print(f"{config.model}: {trained_share(bare)}.")
    spec = replace(spec_of(config.model), input_size=bare.input_size, options=shape_of(config))
    faces = open_faces(config.data, n_frames=config.frames)
    reader = ClipReader(faces["train"], for_spec(spec), 1)
    val = ClipReader(faces["val"], for_spec(spec), config.frames)
    data, size = paired(config.pairs, reader, batch=config.batch, seed=config.seed, augment=config.augment)
    loop = config.loop.in_steps(
        steps_per_epoch(len(faces["train"].bank), config.batch, config.loop.accumulate)
    )
    features = Tap(bare.neck)
    # A part of the model while it trains, so that a resumed run finds its centre again.
    bare.add_module("contrast", contrast := RealCentre(bare.n_features, config.margin))

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, y = batch["x"].reshape(-1, *batch["x"].shape[-3:]), batch["y"].flatten()
        logits = model(x)
        losses = cross_entropy(logits, y)
        if config.loss == "focal":
            losses = {"loss": focal(logits, y), "accuracy": accuracy(logits, y)}
        if config.contrast:
            apart = contrast(features.read, y)
            losses["loss"] = losses["loss"] + config.contrast * apart
            losses["contrast_loss"] = apart.detach()
        return losses

    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    model = fit(
        bare,
        lambda start: batches(data, size, start, loop.steps * loop.accumulate, config.workers),
        step,
        lambda model: frame_figures(model, val),
        loop,
        run,
    )
    del model.contrast
    run.save(model, spec)


def shape_of(config: Config) -> dict[str, Any]:
    """Options to which the weights are bound."""
    small = {"small": True} if config.small else {}
    return small | ({"input_size": config.size_px} if config.size_px else {})


def open_model(config: Config) -> M2TR | M2trSwin:
    """The model to train.

    Raises:
        SystemExit: it is no M2TR, or a small EfficientNet is to be frozen.
    """
    if config.small and config.freeze != "none" and config.model != "m2tr_swin":
        raise SystemExit("--freeze counts the layers of EfficientNet-B4; leave it out of a --small model.")
    model = begin(config, freeze=config.freeze, **shape_of(config))
    if not isinstance(model, M2TR | M2trSwin):
        raise SystemExit(f"{config.model} is no M2TR.")
    return model


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
