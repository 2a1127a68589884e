"""Train CLIP-STAN: a branch over time beside the last layers of CLIP, with tuned LayerNorms.

    python training/train_stan.py --data DATA --tower.file open_clip_model.safetensors
    python training/train_stan.py --data DATA --preset paper  # plain cross entropy on labelled clips of 8 frames in a row
    python training/train_stan.py --preset paper --preset 8gb --data DATA
    python training/train_stan.py --toy

By default every fake comes with the real clip it was made from, and a clip's frames are spread over the video, as serving
takes them.

Source: Liu et al., "Revisiting Temporal Modeling for CLIP-based Image-to-Video Knowledge Transferring" (STAN), CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from accelerate.utils import set_seed
from torch import Tensor, nn

from tbd_app.pipeline.crops import for_spec
from tbd_app.types import CropRecipe
from training.datasets.batches import batches, steps_per_epoch
from training.datasets.clips import ClipReader, FramesAt, served_at
from training.datasets.partners import Pairing, paired, singles
from training.datasets.published import Augment
from training.engine.config import LoopConfig, RunConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import clip_figures
from training.faces.open import open_faces
from training.losses.classify import cross_entropy
from training.networks.models import trained_share
from training.networks.towers import TowerConfig, open_model

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(RunConfig):
    """What the script has besides `RunConfig`.

    Attributes:
        model: clip_b16_stan.
        tower: where CLIP comes from.
        depth: layers of the branch.
        train_spatial: train the branch's copies of CLIP's layers as well.
        crop: square (margin 1.3) or arcface (aligned by five points, as DeepfakeBench).
        clip_len: frames of a clip, 64 at most.
        frames_at: where they lie on the timeline; a model that was trained on consecutive frames is served on such.
        step_s: seconds between a served clip's consecutive frames, those between the cut ones; 0 for a file's own neighbours.
        serve_clips: clips of consecutive frames that serving averages, at most.
        pairs: source sets each fake against the real clip it was made from, blend sets real clips against fakes made of them
            (and a few of the split's), none takes every medium with its own label.
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none; of labelled media
            and of fakes with their originals.
        batch: clips a step and process; pairs count as two.
        frames: cut from each video of an index.csv, among which a clip's are chosen.
    """

    out: Path = Path("runs/stan")
    model: str = "clip_b16_stan"
    tower: TowerConfig = field(default_factory=TowerConfig)
    depth: int = 4
    train_spatial: bool = False
    crop: Literal["square", "arcface"] = "arcface"
    clip_len: int = 8
    frames_at: FramesAt = "spread"
    step_s: float = 0.0
    serve_clips: int = 1
    pairs: Pairing = "source"
    augment: Augment = "project"
    batch: int = 32
    frames: int = 32
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            unit="epoch", steps=10, warmup_steps=0, validate_every=1, lr=8e-5, schedule="constant", weight_decay=0.0,
            ema_decay=0.0, keep="best",
        )
    )  # fmt: skip


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    crop = CropRecipe(config.crop, 1.3)
    branch = {"depth": config.depth, "train_spatial": config.train_spatial}
    model, spec = open_model(config.model, config.tower, crop, config.clip_len, **branch)
    spec = replace(spec, frames_at=served_at(config.frames_at, config.step_s, config.serve_clips))
    print(f"{config.model}: {trained_share(model)}.")
    faces = open_faces(config.data, n_frames=config.frames)
    reader, val = (
        ClipReader(faces[split], for_spec(spec), config.clip_len, config.frames_at)
        for split in ("train", "val")
    )
    data, size = paired(config.pairs, reader, batch=config.batch, seed=config.seed, augment=config.augment)
    loop = config.loop.in_steps(
        steps_per_epoch(len(reader.faces.media()), config.batch, config.loop.accumulate)
    )

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, mask, y = singles(batch)
        return cross_entropy(model(x, mask), y)

    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    model = fit(
        model,
        lambda start: batches(data, size, start, loop.steps * loop.accumulate, config.workers),
        step,
        lambda model: clip_figures(model, val),
        loop,
        run,
    )
    run.save(model, spec)


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
