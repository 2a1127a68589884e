"""Choose what to explain: of each judged person the frames of highest and lowest score, for every model.

One model that judges single frames has a map for every frame, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import cv2
import numpy as np
from torch import Tensor

from tbd_app.models import registry
from tbd_app.models.nets.attention import kind_of
from tbd_app.pipeline import batches, neighbours, score
from tbd_app.pipeline import grad_cam as cam
from tbd_app.pipeline import maps as kinds
from tbd_app.pipeline.crops import Preprocess, for_spec, moved
from tbd_app.types import Explanation, FaceMap, FaceTrack, Frames, MapKind, ModelScore

MAX_PEOPLE = 3  # the largest ones
CROP_PX = 224
MAP_PX = 56
HIGHEST, LOWEST = 4, 2  # frames of a person
BATCH = 8
Role = Literal["highest", "lowest"]


@dataclass(frozen=True, slots=True)
class Explained:
    """Pictures of where models looked, all of a kind on one scale.

    Attributes:
        shown: crops of the highest and lowest frames.
        maps: of every frame of a person, for one model.
        kinds: of the maps, by model.
        strongest: logits that the hottest colour of Grad-CAM stands for.
    """

    shown: tuple[Explanation, ...] = ()
    maps: tuple[FaceMap, ...] = ()
    kinds: dict[str, MapKind] = field(default_factory=dict)
    strongest: float = cam.FLOOR_LOGITS


def kinds_of(
    tracks: Sequence[FaceTrack], scores: Sequence[ModelScore], device: str, *, attention: bool = False
) -> dict[str, MapKind]:
    """The `kinds` that `explain` would give, without any map; arguments as there."""
    shown = {track.track_id for track in _explained(tracks, scores)}
    names = dict.fromkeys(s.model for s in scores if s.status == "ok" and s.track_id in shown)
    return {name: kinds.kind_of(score.loaded(name, device), attention_wanted=attention) for name in names}


def _explained(tracks: Sequence[FaceTrack], scores: Sequence[ModelScore]) -> list[FaceTrack]:
    """The first tracks that were judged."""
    judged = {s.track_id for s in scores if s.status == "ok"}
    return [t for t in tracks if t.track_id in judged][:MAX_PEOPLE]


def explain(
    frames: Frames,
    tracks: Sequence[FaceTrack],
    scores: Sequence[ModelScore],
    device: str,
    sights: neighbours.Sights | None = None,
    *,
    attention: bool = False,
    every_frame: bool = True,
) -> Explained:
    """Maps of where models looked, on one colour scale of each kind for the whole report.

    Args:
        frames: the sampled frames.
        tracks: all tracks; the first `MAX_PEOPLE` that were judged are explained.
        scores: of every model on every track.
        device: "cpu" or "cuda".
        sights: of the tracks, for models on runs of frames: the middle clip is explained.
        attention: show a model's own attention where it has any, of the same frames as Grad-CAM would.
        every_frame: make the maps of every frame, too: of the first model that scores frames, or where attention is asked for
            of the first that has any.
    """
    judged = [s for s in scores if s.status == "ok"]
    found: list[_Looked] = []
    for track in _explained(tracks, scores):
        own = [s for s in judged if s.track_id == track.track_id]
        by_frame = [s for s in own if s.frame_fake_prob is not None]
        roles = _roles(by_frame, track, device)
        mapped = _mapped(by_frame, device, attention=attention) if every_frame else None
        for s in own:
            everywhere = s is mapped
            where, own_track = frames, track
            if (runs := neighbours.asked(registry.spec(s.model))) is not None:
                clips = neighbours.clips_of(runs, frames, track, (sights or {}).get(runs, ()))
                where, own_track = clips[len(clips) // 2]
            found.append(
                _looked(s, own_track, where, device, roles, everywhere=everywhere, attention=attention)
            )
    if not found:
        return Explained()
    evidence = [one.maps.raw for one in found if one.maps.kind == "grad_cam"]
    strongest = max([cam.scale_of(raw) for raw in evidence], default=cam.FLOOR_LOGITS)
    shown = [e for one in found for e in _shown(one, frames, strongest)]
    maps = [m for one in found if one.everywhere for m in _maps(one, frames, strongest)]
    return Explained(tuple(shown), tuple(maps), {one.score.model: one.maps.kind for one in found}, strongest)


@dataclass(frozen=True, slots=True)
class _Looked:
    """Maps of some rows of a track, and which of them are shown in which role."""

    score: ModelScore
    track: FaceTrack
    frames: Frames  # in which the track's positions count
    preprocess: Preprocess
    rows: np.ndarray  # (n,)
    maps: kinds.Maps  # of n frames
    crops: np.ndarray  # (n,S,S,3) uint8
    roles: dict[int, Role]  # by index into rows
    everywhere: bool


def _looked(
    s: ModelScore,
    track: FaceTrack,
    frames: Frames,
    device: str,
    roles_by_row: dict[int, Role],
    *,
    everywhere: bool,
    attention: bool,
) -> _Looked:
    """A model's maps: of all rows, of those that have a role, or of the clip that a clip model sees."""
    spec = registry.spec(s.model)
    model, preprocess = score.loaded(s.model, device), for_spec(spec)
    if s.frame_fake_prob is not None:
        rows = np.arange(len(track)) if everywhere else np.array(sorted(roles_by_row))
        images = [frames.images[int(track.positions[k])] for k in rows]
        crops = preprocess.crops(images, track.boxes[rows], track.landmarks[rows])
        parts = []

        def maps_of(x: Tensor) -> kinds.Maps:
            return (kinds.by_attention(model, x) if attention else None) or kinds.by_evidence(model, spec, x)

        for start in range(0, len(rows), BATCH):
            with score.MODEL_LOCK:
                x = preprocess.tensor(crops[start : start + BATCH], device)
                parts.append(batches.halved(maps_of, x, kinds.joined, model))
        found = kinds.joined(parts)
        places = [int(row) for row in rows]
        roles: dict[int, Role] = {places.index(row): role for row, role in roles_by_row.items()}
    else:
        rows, crops = score.clip_rows(spec, track), score.clip_crops(spec, frames, track)
        with score.MODEL_LOCK:
            x = preprocess.tensor(crops, device)[None]
            evidence = kinds.by_evidence(model, spec, x)
            found = (kinds.by_attention(model, x) if attention else None) or evidence
        roles = _extremes(evidence.raw[:, 0].sum((1, 2)))
        if len(found.parts) > 1:  # each frame has several pictures, so fewer frames are shown
            roles = _first_of_each(roles)
    return _Looked(s, track, frames, preprocess, rows, found, crops, roles, everywhere)


def _mapped(by_frame: Sequence[ModelScore], device: str, *, attention: bool) -> ModelScore | None:
    """Of which of the models that score frames each frame shows a map."""
    own = (s for s in by_frame if attention and kind_of(score.loaded(s.model, device)))
    return next(own, by_frame[0] if by_frame else None)


def _roles(by_frame: Sequence[ModelScore], track: FaceTrack, device: str) -> dict[int, Role]:
    """The extreme rows by the mean of the models that score frames, among those that each of them scored."""
    if not by_frame:
        return {}
    scored = [score.scored_rows(score.loaded(s.model, device), len(track)) for s in by_frame]
    rows = reduce(np.intersect1d, scored)
    strength = np.mean([s.frame_fake_prob or () for s in by_frame], axis=0)
    return {int(rows[k]): role for k, role in _extremes(strength[rows]).items()}


def _extremes(strength: np.ndarray) -> dict[int, Role]:
    """Up to `HIGHEST` rows of the highest values and `LOWEST` of the lowest, each row once, best first."""
    order = [int(i) for i in np.argsort(-strength, kind="stable")]
    n_lowest = min(LOWEST, len(order) // 2)
    n_highest = min(HIGHEST, len(order) - n_lowest)
    high, low = order[:n_highest], order[::-1][:n_lowest]
    roles: dict[int, Role] = {}
    roles.update(dict.fromkeys(high, "highest"))
    roles.update(dict.fromkeys(low, "lowest"))
    return roles


def _first_of_each(roles: dict[int, Role]) -> dict[int, Role]:
    """The first row of each role."""
    first: dict[Role, int] = {}
    for row, role in roles.items():
        first.setdefault(role, row)
    return {row: role for role, row in first.items()}


def _shown(one: _Looked, frames: Frames, strongest: float) -> list[Explanation]:
    """The crops to show, one for each query of a model, without what was mirrored at the picture's border."""
    out = []
    size = (CROP_PX, CROP_PX)
    for i, role in one.roles.items():
        row = int(one.rows[i])
        position = int(one.track.positions[row])
        image, box, points = one.frames.images[position], one.track.boxes[row], one.track.landmarks[row]
        time_s = float(one.frames.times_s[position])
        if one.frames is not frames:  # a view shows the sampled frame beside it
            position = int(np.abs(frames.times_s - time_s).argmin())
        crop = cv2.resize(one.crops[i], size)
        to_crop = one.preprocess.to_crop(image.shape, box, points) * (CROP_PX / one.preprocess.size)
        left, top, right, bottom = one.preprocess.inside(image.shape, box, CROP_PX)
        crop = np.ascontiguousarray(crop[top:bottom, left:right])
        by_frame = one.score.frame_fake_prob
        prob = one.score.fake_prob if by_frame is None else by_frame[row]
        for raw, part in zip(one.maps.raw[i], one.maps.parts, strict=True):
            heat = kinds.heat(one.maps.kind, cv2.resize(raw, size, interpolation=cv2.INTER_LINEAR), strongest)
            heat = heat[top:bottom, left:right]
            out.append(
                Explanation(
                    track_id=one.track.track_id,
                    model=one.score.model,
                    position=position,
                    time_s=time_s,
                    fake_prob=float(prob if prob is not None else 0.0),
                    role=role,
                    crop=crop,
                    heat=heat,
                    overlay=cam.blend(crop, heat),
                    landmarks=(moved(points, to_crop) - (left, top)).astype(np.float32),
                    kind=one.maps.kind,
                    part=part,
                    over_time=None if one.maps.over_time is None else float(one.maps.over_time[i]),
                )
            )
    return out


def _maps(one: _Looked, frames: Frames, strongest: float) -> list[FaceMap]:
    """The same maps where they lie in the frames."""
    out = []
    for i, row in enumerate(int(r) for r in one.rows):
        position = int(one.track.positions[row])
        image = frames.images[position]
        height, width = image.shape[:2]
        box, points = one.track.boxes[row], one.track.landmarks[row]
        to_crop = one.preprocess.to_crop(image.shape, box, points)
        back = cv2.invertAffineTransform(to_crop)
        side = one.preprocess.size
        corners = moved(np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64), back)
        x0, y0 = np.maximum(corners.min(0), 0)
        x1, y1 = np.minimum(corners.max(0), (width, height))
        if x1 - x0 < 1 or y1 - y0 < 1:
            continue
        cell = np.array([[(x1 - x0) / MAP_PX, 0, x0], [0, (y1 - y0) / MAP_PX, y0], [0, 0, 1]])
        raw = cv2.resize(one.maps.raw[i, 0], (side, side), interpolation=cv2.INTER_LINEAR)
        raw = cv2.warpAffine(
            raw, to_crop @ cell, (MAP_PX, MAP_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        out.append(
            FaceMap(
                track_id=one.track.track_id,
                model=one.score.model,
                position=position,
                xyxy=np.array([x0, y0, x1, y1], np.float32),
                heat=kinds.heat(one.maps.kind, raw, strongest),
                landmarks=points.astype(np.float32),
                kind=one.maps.kind,
            )
        )
    return out
