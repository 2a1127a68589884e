"""Choose what to explain: for each judged person and model the most and the least suspicious frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from tbd_app.models import registry
from tbd_app.pipeline import grad_cam as cam
from tbd_app.pipeline import score
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import Explanation, FaceTrack, Frames, ModelScore

MAX_PEOPLE = 3  # the largest ones
CROP_PX = 224
ROLES: tuple[Literal["highest", "lowest"], ...] = ("highest", "lowest")


def explain(
    frames: Frames, tracks: Sequence[FaceTrack], scores: Sequence[ModelScore], device: str
) -> tuple[Explanation, ...]:
    """Grad-CAM overlays on one colour scale for the whole report.

    Args:
        frames: the sampled frames.
        tracks: all tracks; the first `MAX_PEOPLE` that were judged are explained.
        scores: of every model on every track.
        device: "cpu" or "cuda".
    """
    judged = [s for s in scores if s.status == "ok"]
    wanted = [t for t in tracks if any(s.track_id == t.track_id for s in judged)][:MAX_PEOPLE]
    found = [
        picked
        for track in wanted
        for s in judged
        if s.track_id == track.track_id
        for picked in _pick(s, track, frames, device)
    ]
    if not found:
        return ()
    crops = np.stack([p.crop for p in found])
    heat, overlays = cam.to_overlays(crops, np.stack([p.raw for p in found]))
    return tuple(
        Explanation(
            track_id=p.track.track_id,
            model=p.score.model,
            position=(position := int(p.track.positions[p.row])),
            time_s=float(frames.times_s[position]),
            fake_prob=p.fake_prob,
            role=p.role,
            crop=p.crop,
            heat=h,
            overlay=o,
        )
        for p, h, o in zip(found, heat, overlays, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Picked:
    score: ModelScore
    track: FaceTrack
    row: int
    fake_prob: float
    role: Literal["highest", "lowest"]
    crop: np.ndarray  # (CROP_PX,CROP_PX,3) uint8
    raw: np.ndarray  # (CROP_PX,CROP_PX) float32


def _pick(s: ModelScore, track: FaceTrack, frames: Frames, device: str) -> list[_Picked]:
    """The frames of highest and lowest score, or of most and least evidence for a clip model, with their maps."""
    spec = registry.spec(s.model)
    model, preprocess = score.loaded(s.model, device), for_spec(spec)
    if s.frame_fake_prob is not None:
        strength = np.array(s.frame_fake_prob)
        rows = np.arange(len(track))
        chosen = _extremes(strength)
        images = [frames.images[int(track.positions[k])] for k in chosen]
        crops = preprocess.crops(images, track.boxes[chosen], track.landmarks[chosen])
        with score.MODEL_LOCK:
            raw = cam.grad_cam(model, spec, preprocess.tensor(crops, device))
        probs = strength[chosen]
    else:
        rows, crops = score.clip_rows(spec, track), score.clip_crops(spec, frames, track)
        with score.MODEL_LOCK:
            raw = cam.grad_cam(model, spec, preprocess.tensor(crops, device)[None])
        chosen = _extremes(raw.sum((1, 2)))
        crops, raw, probs = crops[chosen], raw[chosen], np.full(len(chosen), s.fake_prob)
    size = (CROP_PX, CROP_PX)
    return [
        _Picked(
            score=s,
            track=track,
            row=int(rows[k]),
            fake_prob=float(prob),
            role=role,
            crop=cv2.resize(crop, size),
            raw=cv2.resize(one, size),
        )
        for k, role, prob, crop, one in zip(chosen, ROLES, probs, crops, raw, strict=False)
    ]


def _extremes(strength: np.ndarray) -> list[int]:
    """Index of the highest and of the lowest value; one index when there is one value."""
    return list(dict.fromkeys([int(np.argmax(strength)), int(np.argmin(strength))]))
