"""Tune the LayerNorms of CLIP on single face crops, with features of one class drawn together and all spread apart.

    python training/train_clip.py --data DATA                     # needs the public weights of ViT-L/14
    python training/train_clip.py --data DATA --model clip_b16_ln1 --tower.file open_clip_model.safetensors
    python training/train_clip.py --data DATA --preset reference  # plain cross entropy, as in the reference report
    python training/train_clip.py --preset paper --preset 8gb --data DATA   # GenD's recipe on a small card
    python training/train_clip.py --preset bundled --data DATA --tower.file weights/ViT-B-16-quickgelu.openai-int8.safetensors
    python training/train_clip.py --toy

The defaults are those of GenD: every fake comes with the real medium it was made from, and AdamW falls along a cosine. The
checkpoint holds what was trained, under 2 MB. Degradations are those of all recipes here; `--preset paper` has GenD's own.

Source: Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks" (GenD), WACV 2026 (arXiv 2508.06248).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.utils.data import Dataset

from tbd_app.models.nets.clip_ln import ClipLayerNorm
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import CropRecipe
from training.datasets.batches import batches, steps_per_epoch
from training.datasets.clips import ClipReader
from training.datasets.pairs import LabelledPairs, PairDataset
from training.datasets.partners import FacePairing, must_be_own, paired
from training.datasets.published import Augment
from training.datasets.shares import SHARES
from training.engine.config import LoopConfig, RunConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import frame_figures
from training.faces.open import open_faces
from training.losses.classify import cross_entropy
from training.losses.tower import Tap, alignment, uniformity
from training.networks.head_start import fit_heads
from training.networks.models import trained_share
from training.networks.towers import TowerConfig, open_model

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(RunConfig):
    """What the script has besides `RunConfig`.

    Attributes:
        model: clip_b16_ln1, clip_b16_ln2, clip_l14_ln1 or clip_l14_ln2.
        tower: where CLIP comes from.
        crop: square (margin 1.3, as GenD) or arcface (aligned by five points, as DeepfakeBench).
        pairs: source sets each fake against the real medium it was made from, blend sets real frames against fakes made of
            them (and a few of the split's), none takes every medium with its own label; mixed sets real generators' clips and
            stills against reals of their scene or form, and pseudo-fakes beside them (`shares.GENERATOR_SHARES`).
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none; of labelled media
            and of fakes with their originals.
        hidden: of mixed pairs: share of strongly degraded pseudo-fakes that a second real stands for.
        batch: examples a step and process; pairs count as two.
        frames: cut from each video of an index.csv.
        val_frames: of them, averaged in validation; 0 for all.
        train_norms_from: the first of the tower's blocks whose norms train; 0 trains all.
        patch_dropout: share of a picture's patches that a training step leaves out; serving and validation see all.
        scale: of the logits in the cross entropy; the features have unit length.
        head_batches: the head begins as a logistic regression on the frozen features of so many batches; 0 begins at random.
        alignment: weight of the distance within a class.
        uniformity: weight of the likeness of all examples.
    """

    out: Path = Path("runs/clip")
    seed: int = 42
    model: str = "clip_l14_ln1"
    tower: TowerConfig = field(default_factory=TowerConfig)
    crop: Literal["square", "arcface"] = "square"
    pairs: FacePairing = "source"
    augment: Augment = "project"
    hidden: float = 0.2
    batch: int = 128
    frames: int = 32
    val_frames: int = 0
    train_norms_from: int = 0
    patch_dropout: float = 0.0
    scale: float = 1.0
    head_batches: int = 0
    alignment: float = 0.1
    uniformity: float = 0.5
    # An epoch of FaceForensics++ with four kinds of fakes is 3,600 videos of 32 frames: 900 steps.
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=45_900, warmup_steps=900, validate_every=900, lr=3e-4, lr_floor=1 / 30, weight_decay=0.0,
            ema_decay=0.0, keep="best",
        )
    )  # fmt: skip


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    model, spec = open_model(
        config.model, config.tower, CropRecipe(config.crop, 1.3), norms_from=config.train_norms_from
    )
    if not isinstance(model, ClipLayerNorm):
        raise SystemExit(
            f"{config.model} is trained by another script; this one tunes the LayerNorms of CLIP."
        )
    print(f"{config.model}: {trained_share(model)}.")
    faces = open_faces(config.data, n_frames=config.frames)
    reader = ClipReader(faces["train"], for_spec(spec), 1)
    val = ClipReader(faces["val"], for_spec(spec), config.val_frames or config.frames)
    data, size = examples(config, reader)
    known = {item.generator for item in faces["train"].items}
    loop = config.loop.in_steps(
        steps_per_epoch(len(faces["train"].bank), config.batch, config.loop.accumulate)
    )
    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    if config.head_batches and not config.resume:
        first = batches(data, size, 0, config.head_batches, config.workers)
        (right,) = fit_heads(model, [model.head], first, config.head_batches, config.scale)
        print(f"The head begins with {right:.3f} of the faces right, on pairs that it was not fitted on.")
    if config.patch_dropout:
        model.drop_patches(config.patch_dropout)
    tap = Tap(model.head)

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, y = batch["x"].reshape(-1, *batch["x"].shape[-3:]), batch["y"].flatten()
        losses = cross_entropy(config.scale * model(x), y)
        if config.alignment or config.uniformity:
            near, spread = alignment(tap.read, y), uniformity(tap.read)
            losses["loss"] = losses["loss"] + config.alignment * near + config.uniformity * spread
            losses |= {"alignment_loss": near.detach(), "uniformity_loss": spread.detach()}
        return losses

    model = fit(
        model,
        lambda start: batches(data, size, start, loop.steps * loop.accumulate, config.workers),
        step,
        lambda model: frame_figures(model, val, known),
        loop,
        run,
    )
    run.save(model, spec)


def examples(config: Config, reader: ClipReader) -> tuple[Dataset[Any], int]:
    """An endless row of examples, and how many of them make a batch: pairs count as two."""
    if config.pairs != "mixed":
        return paired(config.pairs, reader, batch=config.batch, seed=config.seed, augment=config.augment)
    must_be_own(config.augment)
    faces = reader.faces
    pairs = PairDataset(
        faces.bank, faces.items, reader.preprocess, length=0, seed=config.seed, shares=SHARES[config.pairs],
        hidden=config.hidden,
    )  # fmt: skip
    return LabelledPairs(pairs), max(config.batch // 2, 1)


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
