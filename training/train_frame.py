"""Train a frame model on single faces: fakes made of real ones, labelled frames, or fakes beside their originals.

    python training/train_frame.py --preset bundled --data ../shared/data   # made fakes and those of real generators
    python training/train_frame.py --preset paper --model effnet_b4 --data FACES   # labelled frames, as in DeepfakeBench
    python training/train_frame.py --preset paper --preset 8gb --model xception --backbone PATH --data FACES
    python training/train_frame.py --pairs source --model timm:NAME --data FACES
    python training/export.py --run runs/effnetv2_b0_frame  # then calibrates and writes weights/

`--size-px 160 224 --size-share 0.5 0.5` trains small crops first. Val is looked at, never trained on; the averaged weights of
the last step are the result, so no epoch is picked. `--model timm:NAME` trains any timm network.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn

from tbd_app.pipeline.crops import Preprocess, for_spec
from tbd_app.types import CropRecipe, ModelSpec
from training.datasets import batches as engine_batches
from training.datasets import streamed
from training.datasets.batches import steps_per_epoch
from training.datasets.clips import ClipReader
from training.datasets.pairs import PairDataset
from training.datasets.partners import FacePairing, Pairing, must_be_own, paired
from training.datasets.published import Augment
from training.datasets.shares import HIDDEN, SHARES, shares_of
from training.datasets.streamed import StreamedFrames
from training.engine.config import LoopConfig, ModelConfig, command
from training.engine.loop import fit
from training.engine.metrics import auc
from training.engine.run import Run
from training.engine.validation import score, score_batches, validated, video_figures
from training.faces.open import Faces, open_faces
from training.faces.shards import listed
from training.faces.stream import shards_of
from training.fakes.generators import Generator, load_generators
from training.fakes.upscale import Upscaled
from training.losses.change_map import Where
from training.losses.classify import cross_entropy
from training.losses.distill import Teacher, TeacherConfig
from training.losses.hints import Hints
from training.networks.models import begin, spec_of
from training.networks.softened import AgainstReduced

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(ModelConfig):
    """What the script has besides `ModelConfig`.

    Attributes:
        model: a registered frame model, or timm:NAME.
        pairs: blend sets real faces against fakes made of them (and a few of the split's), mixed sets real generators' clips
            and stills against reals of their scene or form, and pseudo-fakes beside them; source sets each fake against the
            real medium it was made from, none takes every frame with its own label.
        hidden: of fakes made of reals: share of the strongly degraded that a second real stands for (`shares.HIDDEN`).
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none; of labelled frames
            and of fakes with their originals.
        crop: square, or arcface (aligned by five points, as DeepfakeBench; not for blend).
        where: weight of a second task: in the last cells of the network, say which of them were changed; 0 leaves it out, and
            so do labelled frames.
        softened_share: as in `Calibration`; the model learns as it is served.
        batch_pairs: pairs (one real, one fake) a step and process; labelled frames are twice as many.
        size_px: input sizes, one per phase; the last one is what the checkpoint asks for.
        size_share: share of the steps per phase.
        stream: read train faces out of the shards of `data` one after the other and list none of them, for sets larger than
            memory; for labelled frames.
        shards: where these shards lie, if not in `data`: a folder, or webdataset's URLs with braces.
        frames_per_clip: frames cut from each clip of an index.csv.
        val_blends: self-blends of val stills (of frames of clips where there is no still) that are scored at each validation.
        generators: folder of train_generators.py, whose networks draw some of the fakes; none by default.
        upscaled: folder of upscale_faces.py, which drew some of the fakes; none by default.
        teacher: a frame model whose soft labels are learned too.
        hints: weight of the teacher's maps, which the student learns stage by stage; 0 leaves them out.
    """

    out: Path = Path("runs/effnetv2_b0_frame")
    model: str = "effnetv2_b0_frame"
    pairs: FacePairing = "blend"
    hidden: float = HIDDEN
    augment: Augment = "project"
    crop: Literal["square", "arcface"] = "square"
    where: float = 1.0
    softened_share: float = 0.0
    batch_pairs: int = 16
    size_px: tuple[int, ...] = (224,)
    size_share: tuple[float, ...] = (1.0,)
    stream: bool = False
    shards: str = ""
    frames_per_clip: int = 16
    val_blends: int = 240
    generators: Path | None = None
    upscaled: Path | None = None
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    hints: float = 0.0
    seed: int = 7
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=2500, warmup_steps=100, lr=4e-4, ema_decay=0.99, validate_every=400
        )
    )


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    spec = spec_to_train(config)
    faces = open_faces(
        config.data, n_frames=config.frames_per_clip, splits=("val",) if config.stream else ("train", "val")
    )
    splits = {split: part.items for split, part in faces.items()}
    if config.stream:
        splits["train"], n_train = listed(config.data, "train")
    else:
        n_train = len(faces["train"].bank)
    if config.pairs not in SHARES:
        per_epoch = steps_per_epoch(n_train, 2 * config.batch_pairs, config.loop.accumulate)
        config = dataclasses.replace(config, where=0.0, loop=config.loop.in_steps(per_epoch))
    model = begin(config)
    teacher = Teacher(config.teacher, spec) if config.teacher.checkpoint else None
    if config.hints and not teacher:
        raise SystemExit("--hints needs a teacher: --teacher.checkpoint.")
    generators = load_generators(config.generators, "train") if config.generators else []
    upscaled = (
        Upscaled(config.upscaled, faces["train"].bank) if config.upscaled and not config.stream else None
    )
    shares = shares_of(generators, upscaled, SHARES.get(config.pairs, SHARES["blend"]))
    run = Run(config, SCRIPT, splits, {"pair_shares": shares})
    where = Where.of(model, spec.input_size) if config.where else None
    hints = Hints(model, teacher.model, spec.input_size) if config.hints and teacher else None

    def step(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        losses = pair_loss(model, batch, teacher, where, config.where, config.softened_share)
        if hints:
            hint = hints.loss(model)
            losses |= {"loss": losses["loss"] + config.hints * hint, "hint_loss": hint.detach()}
        return losses

    model = fit(
        model,
        lambda start: batches(
            config, faces["val" if config.stream else "train"], start, generators, upscaled
        ),
        step,
        lambda m: validate(
            AgainstReduced(m, config.softened_share),
            faces["val"],
            for_spec(spec),
            config.seed,
            config.val_blends,
        ),
        config.loop,
        run,
    )
    for part in (Where, Hints):
        part.forget(model)
    run.save(model, spec)


def spec_to_train(config: Config) -> ModelSpec:
    """What the checkpoint will carry.

    Raises:
        SystemExit: options that do not go together.
    """
    if config.pairs in SHARES:
        must_be_own(config.augment)
    if config.stream and config.pairs != "none":
        raise SystemExit("--stream gives labelled frames: it needs --pairs none.")
    spec = spec_of(config.model)
    calibration = dataclasses.replace(spec.calibration, softened_share=config.softened_share)
    crop = spec.crop if config.crop == spec.crop.kind else CropRecipe(config.crop, 1.3)
    return dataclasses.replace(spec, input_size=config.size_px[-1], calibration=calibration, crop=crop)


def pair_loss(
    model: nn.Module,
    batch: tuple[Tensor, ...],
    teacher: Teacher | None = None,
    where: Where | None = None,
    weight: float = 1.0,
    softened_share: float = 0.0,
) -> dict[str, Tensor]:
    """Cross entropy over the reals and fakes of (B,2,3,S,S) pairs, a little smoothed, and `weight` times that of `where`.

    Labelled frames (N,3,S,S) with their (N,) labels come without what was changed, and are not smoothed.
    """
    labelled = len(batch) == 2
    x, y, *changed = batch if labelled else (part.flatten(0, 1) for part in batch)
    x = x.contiguous(memory_format=torch.channels_last)
    logits = AgainstReduced(model, softened_share)(x)
    losses = cross_entropy(logits, y, smoothing=0.0 if labelled else 0.05)
    if teacher:
        losses = teacher.join(losses, logits, x)
    if where:
        found = where.loss(model, changed[0])
        losses |= {"loss": losses["loss"] + weight * found, "where_loss": found.detach()}
    return losses


def batches(
    config: Config,
    faces: Faces,
    start: int,
    generators: Sequence[Generator] = (),
    upscaled: Upscaled | None = None,
) -> Iterator[tuple[Tensor, ...]]:
    """Batches `start` to the last; each phase has its input size, each pair its number."""
    spec, total = spec_to_train(config), config.loop.steps * config.loop.accumulate
    ends = np.rint(np.cumsum(config.size_share) / math.fsum(config.size_share) * total).astype(int)
    begin = 0
    for size, end in zip(config.size_px, ends, strict=True):
        first = max(start, begin)
        if first < end:
            preprocess = dataclasses.replace(for_spec(spec), size=size)
            if config.pairs in SHARES:
                made = PairDataset(
                    faces.bank,
                    faces.items,
                    preprocess,
                    length=0,
                    seed=config.seed,
                    shares=SHARES[config.pairs],
                    hidden=config.hidden,
                    generators=generators,
                    upscaled=upscaled,
                )
                yield from engine_batches.batches(made, config.batch_pairs, first, int(end), config.workers)
            else:
                yield from labelled_batches(config, ClipReader(faces, preprocess, 1), first, int(end))
        begin = int(end)


def labelled_batches(
    config: Config, reader: ClipReader, first: int, end: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches `first` to `end` of x (N,3,S,S) and y (N,), N being twice `batch_pairs`."""
    how: dict[str, Any] = {"seed": config.seed, "augment": config.augment}
    if config.stream:
        shards, size = shards_of(config.shards or str(config.data / "shards")), 2 * config.batch_pairs
        stream = StreamedFrames(shards, reader, size=size, start=first, workers=config.workers, **how)
        found: Iterable[Any] = streamed.batches(stream, end)
    else:
        data, size = paired(cast(Pairing, config.pairs), reader, batch=2 * config.batch_pairs, **how)
        found = engine_batches.batches(data, size, first, end, config.workers)
    for batch in found:
        yield batch["x"].reshape(-1, *batch["x"].shape[-3:]), batch["y"].flatten()


def validate(
    model: nn.Module, faces: Faces, preprocess: Preprocess, seed: int, n_blends: int
) -> dict[str, float]:
    """Frame-level AUC on self-blends of val stills; video-level AUC on val clips, whole and per family.

    Without stills frames of clips are blended; without clips pictures stand for them; aligned crops are not blended.
    """
    bank, items = faces.bank, faces.items
    out: dict[str, float] = {}
    reals = {i.kind for i in items if not i.label}
    if n_blends and reals and preprocess.recipe.kind == "square":
        source = "blend_still" if reals - {"video"} else "blend_clip"
        blends = PairDataset(
            bank, items, preprocess, length=n_blends, seed=seed, augment=False, sources=[source]
        )
        pairs = torch.cat([x for x, *_ in (blends[i] for i in range(len(blends)))])
        out["blend_auc"] = auc(np.tile([0, 1], len(blends)), score(model, pairs))

    videos = validated(faces)
    rows = [faces.rows(int(n))[::2] for n in videos]
    images = ([bank.image(r) for r in part] for part in rows)
    crops = (preprocess.crops(i, bank.boxes[r], bank.landmarks[r]) for i, r in zip(images, rows, strict=True))
    scores = score_batches(model, ((preprocess.tensor(part),) for part in crops))
    probs = np.array([part.mean() for part in np.split(scores, np.cumsum([len(r) for r in rows])[:-1])])
    return out | video_figures([items[n] for n in videos], probs)


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
