"""Train attention over time and within frames on the cells of EfficientNet-B0.

    python training/train_timesformer.py --data DATA                 # each fake beside the real clip it was made from
    python training/train_timesformer.py --data DATA --preset paper  # the numbers of the reference report
    python training/train_timesformer.py --data DATA --preset paper --preset 8gb
    python training/train_timesformer.py --toy

Degradations are those of all recipes here; `--augment none` leaves clips as they are.

Source: Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021 (arXiv 2102.05095).
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
from training.datasets.batches import batches, steps_per_epoch
from training.datasets.clips import ClipReader, FramesAt, served_at
from training.datasets.partners import Pairing, paired, singles
from training.datasets.published import Augment
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import clip_figures
from training.faces.open import open_faces
from training.losses.classify import cross_entropy
from training.networks.models import begin, save_memory, spec_of

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        model: effnet_b0_timesformer or effnet_b0_timesformer_legacy.
        frame_chunk: frames that pass the CNN at a time, to save memory; 0 for all.
        checkpointing: compute activations inside the CNN again instead of keeping them.
        small: a tiny backbone and narrow blocks at 64 px, for toys.
        clip_len: frames of a clip, 8 at most.
        frames_at: where they lie on the timeline.
        step_s: seconds between a served clip's consecutive frames; 0 for a file's own neighbours.
        serve_clips: clips of consecutive frames that serving averages, at most.
        frames: cut from each video of an index.csv, among which a clip's are chosen.
        pairs: source sets each fake against the real clip it was made from, blend sets real clips against fakes made of them
            (and a few of the split's), none takes every medium with its own label.
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none.
        batch: clips a step and process; pairs count as two.
    """

    out: Path = Path("runs/timesformer")
    model: Literal["effnet_b0_timesformer", "effnet_b0_timesformer_legacy"] = "effnet_b0_timesformer"
    frame_chunk: int = 0
    checkpointing: bool = False
    small: bool = False
    clip_len: int = 8
    frames_at: FramesAt = "spread"
    step_s: float = 0.0
    serve_clips: int = 1
    frames: int = 32
    pairs: Pairing = "source"
    augment: Augment = "project"
    batch: int = 8
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            unit="epoch", steps=30, warmup_steps=1, validate_every=1, lr=1e-4, ema_decay=0.99, keep="best",
        )
    )  # fmt: skip


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    model = begin(config, small=config.small)
    save_memory(model, frame_chunk=config.frame_chunk, checkpointing=config.checkpointing)
    spec = spec_of(config.model)
    small = {"small": True} if config.small else {}
    spec = replace(
        spec, clip_len=config.clip_len, input_size=model.input_size or spec.input_size, options=small
    )
    spec = replace(spec, frames_at=served_at(config.frames_at, config.step_s, config.serve_clips))
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
