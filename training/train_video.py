"""Train a clip model: EfficientNet-B0 or ResNeXt-50 with an LSTM, or Swin-T averaged over time.

    python training/train_video.py --data DATA --preset paper
    python training/train_video.py --data DATA --model resnext50_lstm --frame-chunk 5 --backbone CHECKPOINT
    python training/train_video.py --toy

`--pairs` sets real clips against fakes made of them (fakes of the split join in); without it every medium comes with its
own label, the classes weighed, as the reference does. `--backbone` starts the CNN from a frame model on the same backbone.
"""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from accelerate.utils import set_seed
from torch import Tensor, nn

from tbd_app.pipeline.crops import for_spec
from training.datasets.batches import Shuffled, batches, steps_per_epoch
from training.datasets.cached import CachedPairs, on_frames
from training.datasets.clips import ClipPairs, ClipReader, FramesAt, LabelledClips, served_at
from training.datasets.partners import singles
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import clip_figures
from training.faces.open import open_faces
from training.fakes.upscale import Upscaled
from training.losses.classify import class_weights, cross_entropy
from training.losses.distill import Teacher, TeacherConfig
from training.networks.models import begin, save_memory, spec_of

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        model: a registered clip model.
        clip_len: frames of a clip.
        frames_at: where they lie on the timeline.
        step_s: seconds between a served clip's consecutive frames; 0 for a file's own neighbours.
        serve_clips: clips of consecutive frames that serving averages, at most.
        frames_per_clip: frames cut from each video of an index.csv, among which a clip's are chosen.
        size_px: input size; 0 for the model's own.
        batch: clips, or pairs of clips, a step and process.
        pairs: real clips against fakes made of them, in place of labelled media.
        smoothing: of the labels.
        train_backbone: False trains only what stands on the CNN: for few clips, after the CNN has learned from single frames.
        cached: so many pairs pass the CNN, which stays as it is, and the rest learns from their features in many epochs; 0
            makes new pairs for each step.
        upscaled: folder of upscale_faces.py, which drew some of the stills that move; none by default.
        frame_chunk: frames that pass the CNN at a time, to save memory; 0 for all.
        checkpointing: compute activations inside the CNN again instead of keeping them.
        teacher: a frame model whose soft labels, averaged over a clip, are learned too.
    """

    out: Path = Path("runs/video")
    model: str = "effnet_b0_lstm"
    clip_len: int = 10
    frames_at: FramesAt = "spread"
    step_s: float = 0.0
    serve_clips: int = 1
    frames_per_clip: int = 32
    size_px: int = 0
    batch: int = 8
    pairs: bool = True
    smoothing: float = 0.0
    train_backbone: bool = True
    cached: int = 0
    upscaled: Path | None = None
    frame_chunk: int = 0
    checkpointing: bool = False
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(lr=1e-4, ema_decay=0.99))


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    if config.cached and (config.train_backbone or config.teacher.checkpoint or not config.pairs):
        raise SystemExit(
            "--cached needs --pairs and --no-train-backbone, and no teacher: only features are kept."
        )
    set_seed(config.seed)
    faces = open_faces(config.data, n_frames=config.frames_per_clip)
    at = served_at(config.frames_at, config.step_s, config.serve_clips)
    spec = dataclasses.replace(spec_of(config.model), clip_len=config.clip_len, frames_at=at)
    if config.size_px:
        spec = dataclasses.replace(spec, input_size=config.size_px)
    reader, val = (
        ClipReader(faces[split], for_spec(spec), config.clip_len, config.frames_at)
        for split in ("train", "val")
    )
    clips = LabelledClips(reader, kinds=["video"])  # were stills among them, one frame would mean real
    upscaled = Upscaled(config.upscaled, faces["train"].bank) if config.upscaled else None
    data = (
        ClipPairs(reader, seed=config.seed, upscaled=upscaled)
        if config.pairs
        else Shuffled(clips, config.seed)
    )
    balance = None if config.pairs else class_weights(clips.labels)
    loop = config.loop.in_steps(steps_per_epoch(len(clips), config.batch, config.loop.accumulate))

    model = begin(config)
    model.backbone.requires_grad_(config.train_backbone)
    save_memory(model, frame_chunk=config.frame_chunk, checkpointing=config.checkpointing)
    teacher = Teacher(config.teacher, spec) if config.teacher.checkpoint else None
    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    workers, backbone = config.workers, model.backbone
    if config.cached:
        data = Shuffled(CachedPairs(data, backbone, config.cached, workers), config.seed)
        workers, model.backbone = 0, nn.Identity()

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, mask, y = singles(batch)
        logits = model(x, mask)
        losses = cross_entropy(logits, y, weights=balance, smoothing=config.smoothing)
        return teacher.join(losses, logits, x, mask) if teacher else losses

    def validate(model: nn.Module) -> dict[str, float]:
        with on_frames(model, backbone) if config.cached else nullcontext(model):
            return clip_figures(model, val)

    model = fit(
        model,
        lambda start: batches(data, config.batch, start, loop.steps * loop.accumulate, workers),
        step,
        validate,
        loop,
        run,
    )
    if config.cached:
        model.backbone = backbone
    run.save(model, spec)


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
