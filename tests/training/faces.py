"""Faces for the training tests: crops of `skimage.data.astronaut` (public domain) that differ in light, scale and place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from training.data.facebank import FaceBank
from training.data.index import Item

# As `tbd_app.pipeline.faces` finds them in the 512 px picture.
BOX = np.array([180.4, 66.0, 267.1, 174.6])
LANDMARKS = np.array([[205.2, 102.3], [248.4, 104.2], [226.1, 130.2], [202.5, 140.6], [247.3, 143.0]])

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Face:
    """image (S,S,3) uint8 RGB, box (4,) xyxy px, landmarks (5,2) px."""

    image: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray


@cache
def astronaut() -> np.ndarray:
    return data.astronaut()


def face(number: int = 0, margin: float = 1.6, *, vary: bool = True) -> Face:
    """A square crop `margin` times as wide as the face box; the number decides light, size and place."""
    rng = np.random.default_rng([5, number])
    side = float(max(BOX[2:] - BOX[:2])) * margin
    centre = (BOX[:2] + BOX[2:]) / 2
    size, gain, shift = 200, 1.0, np.zeros(3)
    if vary:
        centre = centre + rng.uniform(-0.03, 0.03, 2) * side
        size = int(rng.integers(80, 128)) * 2
        gain, shift = rng.uniform(0.6, 1.2), rng.uniform(-25, 25, 3)
    scale = size / side
    matrix = np.array([[scale, 0, size / 2 - scale * centre[0]], [0, scale, size / 2 - scale * centre[1]]])
    image = cv2.warpAffine(astronaut(), matrix, (size, size), flags=cv2.INTER_CUBIC)
    image = np.clip(image * gain + shift, 0, 255).astype(np.uint8)
    origin = matrix[:, 2]
    return Face(image, BOX * scale + np.tile(origin, 2), LANDMARKS * scale + origin)


def item(number: int = 0, kind: str = "crop", label: int = 0, generator: str = "") -> Item:
    """A row of an index whose file is nowhere."""
    return Item(Path(f"nowhere/{number}"), kind, label, "train", str(number), generator)


def bank_of(faces: list[Face], owners: list[int] | None = None) -> FaceBank:
    """A bank of these faces; `owners` is each one's row of the index, by default its own number."""
    parts = [cv2.imencode(".png", f.image[..., ::-1])[1].tobytes() for f in faces]
    rows = list(range(len(faces))) if owners is None else owners
    return FaceBank(
        blob=np.frombuffer(b"".join(parts), np.uint8),
        offsets=np.cumsum([0, *map(len, parts)]).astype(np.int64),
        boxes=np.stack([f.box for f in faces]).astype(np.float32),
        landmarks=np.stack([f.landmarks for f in faces]).astype(np.float32),
        item=np.array(rows, np.int32),
        position=np.array([rows[:k].count(r) for k, r in enumerate(rows)], np.int32),
    )
