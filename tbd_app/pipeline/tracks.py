"""Link verified faces over time: one track per person, ended by a cut or an absence.

Tracks that are too brief or too small to judge are kept and say so; nobody disappears from a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np

from tbd_app.pipeline.crops import cut_face
from tbd_app.pipeline.faces import iou
from tbd_app.pipeline.parallel import each
from tbd_app.types import Faces, FaceTrack, Frames, TrackQuality

MIN_IOU = 0.2
MAX_MOVE = 0.8  # of the face's side, between sampled frames, when boxes do not overlap enough
MAX_RESIZE = 1.8
MAX_MISSED = 1  # one sampled frame may miss the face; more is an absence
CUT_DISTANCE = 0.55  # Bhattacharyya distance of colour histograms; within a shot real clips stay under 0.4
BLUR_SIDE_PX = 128


@dataclass(slots=True, eq=False)  # two chains are never the same one
class _Chain:
    positions: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    box: np.ndarray = field(default_factory=lambda: np.zeros(4, np.float32))

    def add(self, position: int, row: int, box: np.ndarray) -> None:
        self.positions.append(position)
        self.rows.append(row)
        self.box = box


def link(
    frames: Frames, faces: Sequence[Faces], *, min_face_px: int = 64, min_share: float = 0.25
) -> list[FaceTrack]:
    """Tracks of the verified faces, the largest and longest first.

    Args:
        frames: T sampled frames.
        faces: T entries, one per frame.
        min_face_px: a smaller median side (longer side of the box) excludes a track as "face_too_small".
        min_share: a smaller share of the frames excludes it as "too_brief".
    """
    done: list[_Chain] = []
    alive: list[_Chain] = []
    for position, (cut, found) in enumerate(zip(cuts(frames.images), faces, strict=True)):
        if cut:
            done, alive = done + alive, []
        rows = [int(r) for r in np.flatnonzero(found.verified)]
        for chain, row in _matches(alive, found.boxes, rows):
            chain.add(position, row, found.boxes[row])
            rows.remove(row)
        for row in rows:
            chain = _Chain()
            chain.add(position, row, found.boxes[row])
            alive.append(chain)
        gone = [c for c in alive if position - c.positions[-1] > MAX_MISSED]
        done += gone
        alive = [c for c in alive if c not in gone]
    chains = sorted(done + alive, key=lambda c: -_weight(c, faces))
    return [_track(i, chain, frames, faces, min_face_px, min_share) for i, chain in enumerate(chains)]


def cuts(images: Sequence[np.ndarray]) -> list[bool]:
    """Of each picture (H,W,3) uint8, whether a cut lies before it."""
    colours = each(_colours, images)
    far = [cv2.compareHist(a, b, cv2.HISTCMP_BHATTACHARYYA) > CUT_DISTANCE for a, b in pairwise(colours)]
    return [False, *far][: len(images)]


def _colours(image: np.ndarray) -> np.ndarray:
    """Histogram of hue, saturation and value of a small copy, sum 1; the picture's mean light is taken out.

    A flickering lamp or an exposure that adapts is no cut.
    """
    step = max(min(image.shape[:2]) // 192, 1)
    small = cv2.resize(np.ascontiguousarray(image[::step, ::step]), (96, 96), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    light = hsv[..., 2]
    hsv[..., 2] = np.clip(light * (128 / max(float(light.mean()), 1)), 0, 255).astype(np.uint8)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [12, 6, 6], [0, 180, 0, 256, 0, 256])
    return counts / counts.sum()


def _matches(alive: list[_Chain], boxes: np.ndarray, rows: list[int]) -> list[tuple[_Chain, int]]:
    """Best pairs first, each chain and each face once."""
    pairs = [(near, c, row) for c in range(len(alive)) for row in rows
             if (near := closeness(alive[c].box, boxes[row])) > 0]  # fmt: skip
    out, used_chains, used_rows = [], set(), set()
    for _, c, row in sorted(pairs, reverse=True):
        if c not in used_chains and row not in used_rows:
            out.append((alive[c], row))
            used_chains.add(c)
            used_rows.add(row)
    return out


def closeness(a: np.ndarray, b: np.ndarray) -> float:
    """1 + IoU for overlapping boxes, up to 1 for near ones of like size, 0 for strangers."""
    sides = float(max(a[2:] - a[:2])), float(max(b[2:] - b[:2]))
    if max(sides) > MAX_RESIZE * min(sides):
        return 0.0
    overlap = iou(a, b)
    if overlap >= MIN_IOU:
        return 1.0 + overlap
    move = float(np.hypot(*((a[:2] + a[2:] - b[:2] - b[2:]) / 2))) / max(sides)
    return max(1.0 - move / MAX_MOVE, 0.0)


def _weight(chain: _Chain, faces: Sequence[Faces]) -> float:
    """Sum of face sides over the frames, px."""
    return float(sum(max(_box(faces, p, r)[2:] - _box(faces, p, r)[:2])
                     for p, r in zip(chain.positions, chain.rows, strict=True)))  # fmt: skip


def _box(faces: Sequence[Faces], position: int, row: int) -> np.ndarray:
    return faces[position].boxes[row]


def _track(
    track_id: int,
    chain: _Chain,
    frames: Frames,
    faces: Sequence[Faces],
    min_face_px: int,
    min_share: float,
) -> FaceTrack:
    places = list(zip(chain.positions, chain.rows, strict=True))
    boxes = np.stack([_box(faces, p, r) for p, r in places])
    side_px = float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1)))
    coverage = len(places) / len(frames)
    exclusion = None
    if side_px < min_face_px:
        exclusion = "face_too_small"
    elif coverage < min_share:
        exclusion = "too_brief"
    sharpness = each(blur, [frames.images[p] for p in chain.positions], boxes)
    return FaceTrack(
        track_id=track_id,
        positions=np.array(chain.positions, np.int64),
        boxes=boxes,
        landmarks=np.stack([faces[p].landmarks[r] for p, r in places]),
        quality=TrackQuality(side_px, float(np.median(sharpness)), coverage),
        exclusion=exclusion,
        sharpest=int(np.argmax(sharpness)),
    )


def blur(image: np.ndarray, box: np.ndarray) -> float:
    """Variance of the Laplacian of a face at `BLUR_SIDE_PX`; small means blurred."""
    grey = cv2.cvtColor(cut_face(image, box, 1.0, BLUR_SIDE_PX), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())
