"""Faces become training pictures by the code that cuts them in serving: in place, or jittered as detectors jitter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tbd_app.pipeline.crops import Preprocess

# A face in its picture: image (H,W,3) uint8 RGB, box (4,) xyxy px, landmarks (5,2) px.
Frame = tuple[np.ndarray, np.ndarray, np.ndarray]
MAX_SHIFT = 0.06  # of the box's longer side
ZOOM = (0.87, 1.15)


@dataclass(frozen=True, slots=True)
class Jitter:
    """How a crop lies beside the one that serving would cut: the same for all pictures of a pair or clip.

    Attributes:
        shift: (2,) x and y, in longer sides of the box.
        zoom: side of the crop over that of serving.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator | None) -> Jitter:
        """A random one; none at all without a generator."""
        if rng is None:
            return cls()
        x, y = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2)
        return cls((float(x), float(y)), float(rng.uniform(*ZOOM)))

    def of(self, box: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Box (4,) and landmarks (5,2) for which serving cuts the jittered crop."""
        if self == Jitter():
            return box, landmarks
        centre = (box[:2] + box[2:]) / 2
        middle = centre + np.array(self.shift) * float(max(box[2:] - box[:2]))
        return (
            ((box.reshape(2, 2) - centre) * self.zoom + middle).reshape(4),
            (landmarks - centre) * self.zoom + middle,
        )

    def cut(self, faces: Sequence[Frame], preprocess: Preprocess) -> list[np.ndarray]:
        """Crops (S,S,3) uint8 RGB of faces; of pictures (H,W) of another type, crops (S,S) of that type."""
        images, boxes, landmarks = zip(*((i, *self.of(b, p)) for i, b, p in faces), strict=True)
        return list(preprocess.crops(images, np.stack(boxes), np.stack(landmarks)))


def reduced(image: np.ndarray, box: np.ndarray, landmarks: np.ndarray, side_px: float) -> Frame:
    """A face in a picture whose longer side is `side_px` at most."""
    scale = min(1.0, side_px / max(image.shape[:2]))
    if scale == 1:
        return image, box, landmarks
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), box * scale, landmarks * scale
