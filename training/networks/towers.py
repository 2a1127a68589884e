"""What the recipes on CLIP share: opening a model on its tower."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from tbd_app.errors import WrongBackbone
from tbd_app.models.backbones import BACKBONES
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.types import CropRecipe, ModelSpec
from training.networks.models import build, spec_of

TOY_TOWER = {"layers": 2, "width": 128, "patch_size": 16, "image_size": 32}


@dataclass(frozen=True, slots=True)
class TowerConfig:
    """Where the public weights come from.

    Attributes:
        pretrained: fetch them from the hub where no file is given.
        file: safetensors of open_clip, of the whole CLIP or of its picture side.
        tag: their public name, where it is not the model's usual one, such as openai for B/16's float32 original.
        precision: bf16 holds all that stays frozen in bfloat16, twice as fast as float32 where that is native (then without
            `--loop.precision bf16`); float32 leaves it.
        toy: a random tower of two layers and 32 px in place of CLIP's.
        checkpointing: compute activations again in the backward pass instead of keeping them.
    """

    pretrained: bool = True
    file: Path | None = None
    tag: str = ""
    precision: Literal["float32", "bf16"] = "float32"
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
    usual = spec.backbone
    if usual is None:
        raise SystemExit(f"{name} does not stand on CLIP.")
    if tower.tag and tower.tag != usual.tag:
        if (usual.name, tower.tag) not in BACKBONES:
            raise WrongBackbone(f"{usual.name} has no known weights {tower.tag!r}.")
        options |= {"public": BACKBONES[usual.name, tower.tag]}
    kept = {key: value for key, value in options.items() if value and key != "public"}
    model = build(name, pretrained=tower.pretrained and not tower.toy, backbone=tower.file, **options)
    if not isinstance(model, ClipDetector):
        raise SystemExit(f"{name} does not stand on CLIP.")
    if tower.precision == "bf16":
        model.hold(torch.bfloat16)
    model.set_grad_checkpointing(tower.checkpointing)
    return model, replace(spec, options=kept)
