"""Train DFD-FCG: decoders that read a frozen CLIP along time and at the parts of the face.

    python training/train_dfd_fcg.py --data DATA                    # needs the public weights of ViT-L/14
    python training/train_dfd_fcg.py --data DATA --preset paper  # 3 s clips played up to twice as slow, tau 1/30
    python training/train_dfd_fcg.py --preset b16 --data DATA  # on the tower that comes with the project, for two cores
    python training/train_dfd_fcg.py --preset paper --preset 8gb --data DATA
    python training/train_dfd_fcg.py --toy

Every fake comes with the real clip it was made from, or with `--pairs mixed` with any of its form. The queries start from
prototypes of real faces, made at the start and kept in the run folder unless a file of `prototypes.py` is given; the loss of
facial components keeps them near. By default a clip's frames are spread over the video, as serving takes them. B/32 has 49
patches, so parts share them: expect less of it.

Source: Han et al., "Towards More General Video-based Deepfake Detection through Facial Component Guided Adaptation for
Foundation Model", CVPR 2025 (arXiv 2404.05583).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from accelerate import PartialState
from accelerate.utils import set_seed
from torch import Tensor, nn

from tbd_app.models.nets.dfd_fcg import DfdFcg, Layout
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import CropRecipe, ModelSpec
from training.datasets.batches import batches, steps_per_epoch
from training.datasets.clips import (
    CLIP_SHARES,
    GENERATOR_CLIP_SHARES,
    ClipPairs,
    ClipReader,
    FramesAt,
    served_at,
)
from training.datasets.partners import PartnerClips, must_be_own
from training.datasets.published import Augment
from training.engine.config import LoopConfig, RunConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.validation import clip_figures
from training.faces.fan import with_fan
from training.faces.open import Faces, open_faces
from training.losses.classify import accuracy
from training.losses.tower import Tap, facial_components, focal
from training.networks.components import load_prototypes
from training.networks.head_start import fit_heads
from training.networks.models import trained_share
from training.networks.towers import TowerConfig, open_model
from training.prepare.prototypes import make

SCRIPT = Path(__file__).stem
SCALE = 10.0  # of the whole loss, as published; it counts where the gradient is clipped


@dataclass(frozen=True)
class Config(RunConfig):
    """What the script has besides `RunConfig`.

    Attributes:
        model: dfd_fcg_b32, dfd_fcg_b16 or dfd_fcg_l14.
        tower: where CLIP comes from.
        layout: official, or wide for the count of the reference report.
        clip_len: frames that the decoders compare.
        frames_at: where a clip's frames lie: spread over the video, or in one stretch of the frames that were cut.
        step_s: seconds between a served clip's consecutive frames; 0 for a file's own neighbours.
        serve_clips: clips of consecutive frames that serving averages, at most.
        stretch: frames of the stretch that a clip is taken from; 0 for clip_len of them.
        slowest: least share of the stretch that a training clip shows.
        pairs: source sets each fake against the real clip it was made from, blend sets real clips against fakes made of them,
            mixed sets real generators' clips against reals, of their scene where there are any, and pseudo-fakes beside them
            (`clips.GENERATOR_CLIP_SHARES`).
        augment: the project's degradations, those of a published recipe (datasets/published.py), or none; of fakes with
            their originals.
        batch: pairs a step and process.
        frames: cut from each video of an index.csv, among which a clip's are chosen.
        landmarks: five aligns by MTCNN's five points, as serving does; fan by 2D-FAN, where face-alignment is installed.
        prototypes: file of prototypes.py.
        n_faces: real faces to make prototypes from where no file is given.
        head_batches: the judges begin as logistic regressions on what so many batches say; 0 begins at random.
        component_weight: of the loss of facial components, against 1 for the classification.
        tau: its temperature.
        gamma: of the focal loss.
    """

    out: Path = Path("runs/dfd_fcg")
    seed: int = 1019
    model: str = "dfd_fcg_l14"
    tower: TowerConfig = field(default_factory=TowerConfig)
    layout: Layout = "official"
    clip_len: int = 10
    frames_at: FramesAt = "spread"
    step_s: float = 0.0
    serve_clips: int = 1
    stretch: int = 0
    slowest: float = 1.0
    pairs: Literal["source", "blend", "mixed"] = "source"
    augment: Augment = "project"
    batch: int = 30
    frames: int = 32
    landmarks: Literal["five", "fan"] = "five"
    prototypes: Path | None = None
    n_faces: int = 2000
    head_batches: int = 0
    component_weight: float = 0.15
    tau: float = 0.07
    gamma: float = 4.0
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            unit="epoch", steps=30, warmup_steps=0, validate_every=1, lr=1e-4, schedule="constant", weight_decay=1e-3,
            clip_norm=0.1, precision="fp16", ema_decay=0.0, keep="best", patience=10,
        )
    )  # fmt: skip


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    set_seed(config.seed)
    decoders = {"n_frames": config.clip_len, "layout": config.layout}
    bare, spec = open_model(config.model, config.tower, CropRecipe("lrw", 1.0), config.clip_len, **decoders)
    spec = replace(spec, frames_at=served_at(config.frames_at, config.step_s, config.serve_clips))
    if not isinstance(bare, DfdFcg):
        raise SystemExit(f"{config.model} is no DFD-FCG.")
    print(f"{config.model}: {trained_share(bare)}.")
    faces = open_faces(config.data, n_frames=config.frames)
    if config.landmarks == "fan":
        faces = {split: with_fan(part, spec.crop) for split, part in faces.items()}
    reader, val = (
        ClipReader(faces[split], for_spec(spec), config.stretch or config.clip_len, config.frames_at)
        for split in ("train", "val")
    )
    if config.pairs == "source":
        data = PartnerClips(
            reader,
            seed=config.seed,
            clip_len=config.clip_len,
            slowest=config.slowest,
            augment=config.augment,
        )
    else:
        must_be_own(config.augment)
        shares = GENERATOR_CLIP_SHARES if config.pairs == "mixed" else CLIP_SHARES
        data = ClipPairs(reader, seed=config.seed, shares=shares)
    known = {item.generator for item in faces["train"].items}
    n_fakes = sum(item.label for item in faces["train"].items)
    loop = config.loop.in_steps(steps_per_epoch(n_fakes, config.batch, config.loop.accumulate))

    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    prototypes = start_queries(bare, spec, faces["train"], config)
    if config.head_batches and not config.resume:
        first = batches(data, config.batch, 0, config.head_batches, config.workers)
        right = fit_heads(bare, bare.head.judges, first, config.head_batches)
        print("The judges begin with", *(f"{share:.3f}" for share in right), "of unseen pairs' clips right.")
    judges = Tap(bare.head)

    def step(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        x, mask, y = batch["x"].flatten(0, 1), batch["mask"].flatten(0, 1), batch["y"].flatten()
        logits = model(x, mask)
        classified = focal(judges.gave.flatten(0, 1), y.repeat(len(judges.gave)), config.gamma)
        parts = facial_components(bare.queries(), prototypes, config.tau)
        return {
            "loss": SCALE * (classified + config.component_weight * parts),
            "focal_loss": classified.detach(),
            "component_loss": parts.detach(),
            "accuracy": accuracy(logits, y),
        }

    model = fit(
        bare,
        lambda start: batches(data, config.batch, start, loop.steps * loop.accumulate, config.workers),
        step,
        lambda model: clip_figures(model, val, known),
        loop,
        run,
    )
    run.save(model, spec)


def start_queries(model: DfdFcg, spec: ModelSpec, faces: Faces, config: Config) -> Tensor:
    """Prototypes (L,4,d), to which the model's queries are set; a resumed run finds those that it made."""
    path = config.prototypes or config.out / "prototypes.safetensors"
    with PartialState().main_process_first():
        if config.prototypes is None and not path.is_file():
            make(model, spec, faces, config.n_faces, path)
    prototypes = load_prototypes(path, model, spec)
    model.set_queries(prototypes)
    return prototypes


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
