"""Registered models as small as their architecture can be built, so that a test of all of them takes seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from tbd_app.types import ModelSpec

# A tower of 2 x 2 patches, two heads and two layers, through the same open_clip as the large ones.
TOWER = {"layers": 2, "width": 128, "patch_size": 16, "image_size": 32}
CLIP = {"small": TOWER}
TINY = {"small": True}

# name -> options of the architecture and side of its input; a model that is not here is bound to its size.
SMALL: dict[str, tuple[dict[str, Any], int]] = {
    "effnetv2_b0_frame": ({}, 96),
    "effnet_b0_image": ({}, 96),
    "effnet_b0_lstm": ({}, 96),
    "resnext50_lstm": ({}, 96),
    "clip_b16_probe": ({**CLIP, "components": 4, "reduced": 8, "n_supports": 6}, 32),
    "clip_b16_lower": ({**CLIP, "components": 4, "reduced": 8, "n_supports": 6}, 32),
    "clip_b16_ln1": (CLIP, 32),
    "clip_b16_ln2": (CLIP, 32),
    "clip_l14_ln1": (CLIP, 32),
    "clip_l14_ln2": (CLIP, 32),
    "clip_b16_stan": ({**CLIP, "depth": 2}, 32),
    "dfd_fcg_b32": ({**CLIP, "n_frames": 4}, 32),
    "dfd_fcg_b16": ({**CLIP, "n_frames": 4}, 32),
    "dfd_fcg_l14": ({**CLIP, "n_frames": 4}, 32),
    "xception": ({}, 96),
    "effnet_b4": ({}, 96),
    "m2tr_swin": (TINY, 64),
    "m2tr_b4": (TINY, 64),
    "m2tr_official": (TINY, 64),
    "effnet_b0_timesformer": (TINY, 64),
    "effnet_b0_timesformer_legacy": (TINY, 64),
    "effnet_vit_base": (TINY, 64),
    "effnet_vit_robust": (TINY, 64),
}


def options(name: str) -> dict[str, Any]:
    """Keyword arguments that make a model small."""
    return SMALL[name][0] if name in SMALL else {}


def create(name: str, **more: Any) -> Detector:
    """A small model with random weights, in training mode."""
    return registry.create_model(name, **options(name), **more)


def spec(name: str) -> ModelSpec:
    """The registered spec, with the small model's input size."""
    registered = registry.spec(name)
    return replace(registered, input_size=SMALL[name][1]) if name in SMALL else registered


def fit_one_batch(model: Detector, x: Tensor, y: Tensor, *, lr: float = 1e-3, steps: int = 60) -> float:
    """Cross entropy of what the model says of x and y (B,) after up to `steps` steps of Adam on them alone."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        if loss < 0.1:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
