"""What the recipes on CLIP share: opening a model on its tower, and figures of the val videos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from tbd_app.models.clip import ClipDetector
from tbd_app.types import CropRecipe, ModelSpec
from training.data.clips import ClipReader
from training.engine.models import build, spec_of
from training.engine.validation import score, score_batches, video_figures

TOY_TOWER = {"layers": 2, "width": 128, "patch_size": 16, "image_size": 32}


@dataclass(frozen=True, slots=True)
class TowerConfig:
    """Where the public weights come from.

    Attributes:
        pretrained: fetch them from the hub where no file is given.
        file: safetensors of open_clip, of the whole CLIP or of its picture side.
        tag: their public name, where it is not the model's usual one.
        toy: a random tower of two layers and 32 px in place of CLIP's.
        checkpointing: compute activations again in the backward pass instead of keeping them.
    """

    pretrained: bool = True
    file: Path | None = None
    tag: str = ""
    toy: bool = False
    checkpointing: bool = False


def open_model(
    name: str, tower: TowerConfig, crop: CropRecipe, clip_len: int = 1, **options: Any
) -> tuple[ClipDetector, ModelSpec]:
    """A model in training mode on its tower, and the spec that its checkpoints will carry.

    Args:
        name: a registered model on CLIP.
        tower: its weights.
        crop: how faces are cut.
        clip_len: frames of a clip.
        options: keyword arguments of the architecture.

    Raises:
        SystemExit: the model is not on CLIP.
        WeightsMissing, WeightsCorrupt: the public weights cannot be had, or do not fit.
    """
    spec = replace(spec_of(name), crop=crop, clip_len=clip_len)
    if tower.toy:
        spec, options = replace(spec, input_size=TOY_TOWER["image_size"]), options | {"small": TOY_TOWER}
    model = build(name, pretrained=tower.pretrained and not tower.toy, backbone=tower.file, **options)
    if not isinstance(model, ClipDetector):
        raise SystemExit(f"{name} does not stand on CLIP.")
    model.set_grad_checkpointing(tower.checkpointing)
    return model, spec


def frame_figures(model: nn.Module, reader: ClipReader) -> dict[str, float]:
    """Video-level figures of a frame model: the mean over the frames of each val video that the reader cuts."""
    media = reader.faces.media("video")
    clips = [reader.crops(reader.frames(int(n), None), None) for n in media]
    probs = score(model, reader.preprocess.tensor(np.concatenate(clips)))
    ends = np.cumsum([len(clip) for clip in clips])[:-1]
    means = np.array([part.mean() for part in np.split(probs, ends)])
    return video_figures([reader.faces.items[n] for n in media], means)


def clip_figures(model: nn.Module, reader: ClipReader) -> dict[str, float]:
    """Video-level figures of a clip model: one clip of each val video."""
    media = reader.faces.media("video")
    clips = (reader.tensor(reader.crops(reader.frames(int(n), None), None)) for n in media)
    probs = score_batches(model, ((x[None], mask[None]) for x, mask in clips))
    return video_figures([reader.faces.items[n] for n in media], probs)


def trained_share(model: nn.Module) -> str:
    """ "41,474 of 85,800,962 parameters train"."""
    trained, every = (
        sum(p.numel() for p in model.parameters() if p.requires_grad or all_of) for all_of in (False, True)
    )
    return f"{trained:,} of {every:,} parameters train"
