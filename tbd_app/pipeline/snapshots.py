"""The sampled frames for people to see: reduced, with the boxes of the faces and the maps of where models looked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from tbd_app.pipeline.parallel import each
from tbd_app.types import FaceMap, FaceTrack, Frames, Snapshot

SNAPSHOT_SIDE_PX = 800


def of(sampled: Frames, linked: Sequence[FaceTrack], maps: Sequence[FaceMap]) -> Generator[Snapshot]:
    """The frames, reduced, with the boxes of the tracks and the maps."""
    reduced = each(_for_view, sampled.images)
    for position, (image, scale) in enumerate(reduced):
        here = [
            (t.track_id, box * scale)
            for t in linked
            for p, box in zip(t.positions, t.boxes, strict=True)
            if p == position
        ]
        yield Snapshot(
            position=position,
            time_s=float(sampled.times_s[position]),
            image=image,
            boxes=np.array([b for _, b in here], np.float32).reshape(-1, 4),
            track_ids=tuple(i for i, _ in here),
            maps=tuple(
                replace(m, xyxy=m.xyxy * scale, landmarks=m.landmarks * scale)
                for m in maps
                if m.position == position
            ),
        )


def _for_view(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A frame of at most `SNAPSHOT_SIDE_PX`, and its scale; by a whole factor first, which takes a third of the time."""
    height, width = image.shape[:2]
    scale = min(1.0, SNAPSHOT_SIDE_PX / max(height, width))
    if scale == 1:
        return image.copy(), scale
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    step = min(int(1 / scale), height, width)
    if step > 1:
        whole = image[: height // step * step, : width // step * step]
        image = cv2.resize(whole, (width // step, height // step), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale
