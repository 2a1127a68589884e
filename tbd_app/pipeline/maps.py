"""A map for each frame that a model saw: Grad-CAM, or the model's own attention where it has any; both as colours.

Each kind has a unit and a scale. Grad-CAM counts logits, and its hottest colour is the strongest place of a report. Attention
counts multiples of an even share: at one or less a place is clear, and the colour rises with each doubling, up to
`TIMES_EVEN`. That scale is the same for every model, media and report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from tbd_app.models.nets import attention
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline import grad_cam as cam
from tbd_app.types import FacePart, MapKind, ModelSpec

TIMES_EVEN = 4.0  # a place with so many times its even share, or more, has the hottest colour


@dataclass(frozen=True, slots=True)
class Maps:
    """Maps of N frames by one model.

    Attributes:
        kind: what they show.
        raw: (N,Q,S,S) float32, not negative: logits of Grad-CAM, or multiples of an even share.
        parts: (Q,) of the face, where each query of a model stands for one.
        over_time: (N,) multiples of an even share of a clip's attention; None where attention keeps to its frame.
    """

    kind: MapKind
    raw: np.ndarray
    parts: tuple[FacePart | None, ...] = (None,)
    over_time: np.ndarray | None = None


def kind_of(model: Detector, *, attention_wanted: bool) -> MapKind:
    """What a model's maps show, without making any."""
    return (attention.kind_of(model) if attention_wanted else None) or "grad_cam"


def by_evidence(model: Detector, spec: ModelSpec, batch: Tensor) -> Maps:
    """Grad-CAM; arguments as of `grad_cam`."""
    return Maps("grad_cam", cam.grad_cam(model, spec, batch)[:, None])


def by_attention(model: Detector, batch: Tensor) -> Maps | None:
    """The model's own attention, None where it has none to show; arguments as of `grad_cam`."""
    found = attention.own(model, batch)
    if found is None:
        return None
    maps, side = found.maps.cpu().numpy(), batch.shape[-1]
    times_even = maps * np.float32(maps[0, 0].size)
    raw = np.stack([[cv2.resize(one, (side, side)) for one in of_frame] for of_frame in times_even])
    over_time = None if found.over_time is None else found.over_time.cpu().numpy() * len(maps)
    return Maps(found.kind, raw, found.parts, over_time)


def joined(parts: Sequence[Maps]) -> Maps:
    """Maps of several batches of single frames as those of one."""
    return Maps(parts[0].kind, np.concatenate([p.raw for p in parts]), parts[0].parts)


def heat(kind: MapKind, raw: np.ndarray, strongest: float) -> np.ndarray:
    """Raw maps of any shape as float32 in [0,1].

    Args:
        strongest: what the hottest colour of Grad-CAM stands for, by `grad_cam.scale_of`.
    """
    evidence = kind == "grad_cam"
    share = raw / strongest if evidence else np.log2(np.maximum(raw, 1.0)) / np.log2(TIMES_EVEN)
    return share.astype(np.float32).clip(0, 1)
