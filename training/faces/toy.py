"""A small collection that is made, not downloaded: every script trains on it to the end with `--toy`.

Faces are crops of `skimage.data.astronaut` (public domain) that differ in light, size and place; in the fakes the mouth is
coarse and of another colour. It shows that a script runs, not that a model is good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from training.faces.bank import FaceBank
from training.faces.index import Item

TOY = Path("toy")  # in place of a collection's folder

# As `tbd_app.pipeline.faces` finds them in the 512 px picture.
BOX = np.array([180.4, 66.0, 267.1, 174.6])
LANDMARKS = np.array([[205.2, 102.3], [248.4, 104.2], [226.1, 130.2], [202.5, 140.6], [247.3, 143.0]])

# Per split: (kind, label, generator, how many); the generators are known ones, so that each family has a figure.
CONTENTS = {
    "train": [("crop", 0, "", 6), ("image", 0, "", 3), ("image", 1, "stylegan2", 3)],
    "val": [("crop", 0, "", 4), ("image", 0, "", 2), ("image", 1, "stylegan2", 2)],
}
CLIPS = {
    "train": [("video", 0, "", 4), ("video", 1, "first-order-model", 4)],
    "val": [("video", 0, "", 3), ("video", 1, "part swap", 2), ("video", 1, "dreamtalk", 2)],
}
FRAMES_PER_CLIP = 6


@dataclass(frozen=True, slots=True)
class Face:
    """image (S,S,3) uint8 RGB, box (4,) xyxy px, landmarks (5,2) px."""

    image: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray


@cache
def astronaut() -> np.ndarray:
    """(512,512,3) uint8 RGB portrait."""
    return data.astronaut()


def face(number: int = 0, margin: float = 1.6, *, vary: bool = True, frame: int = 0) -> Face:
    """A square crop `margin` times as wide as the face box; the number decides light, size and place, the frame moves it."""
    rng = np.random.default_rng([5, number])
    side = float(max(BOX[2:] - BOX[:2])) * margin
    centre = (BOX[:2] + BOX[2:]) / 2 + 0.01 * side * np.array([np.sin(frame), np.cos(frame) - 1])
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


def faked(face: Face) -> Face:
    """The face with a mouth region of low resolution and another tint."""
    image = face.image.copy()
    (left, top), (right, bottom) = face.landmarks[[3, 2]].min(0), face.landmarks[[4, 4]].max(0) * (1, 1.06)
    part = image[int(top) : int(bottom), int(left) : int(right)]
    small = cv2.resize(part, (4, 4), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    part[:] = np.clip(coarse + np.array([40, 0, -30]), 0, 255)
    return Face(image, face.box, face.landmarks)


def item(
    number: int = 0, kind: str = "crop", label: int = 0, generator: str = "", split: str = "train"
) -> Item:
    """A row of an index whose file is nowhere."""
    return Item(Path(f"toy/{number}"), kind, label, split, str(number), generator)


def bank_of(faces: Sequence[Face], owners: Sequence[int] | None = None) -> FaceBank:
    """A bank of these faces; `owners` is each one's row of the index, by default its own number."""
    parts = [cv2.imencode(".png", f.image[..., ::-1])[1].tobytes() for f in faces]
    rows = list(range(len(faces))) if owners is None else list(owners)
    return FaceBank(
        blob=np.frombuffer(b"".join(parts), np.uint8),
        offsets=np.cumsum([0, *map(len, parts)]).astype(np.int64),
        boxes=np.stack([f.box for f in faces]).astype(np.float32),
        landmarks=np.stack([f.landmarks for f in faces]).astype(np.float32),
        item=np.array(rows, np.int32),
        position=np.array([rows[:k].count(r) for k, r in enumerate(rows)], np.int32),
    )


def collection(split: str) -> tuple[FaceBank, list[Item]]:
    """Faces and items of a split: stills, pictures and clips of `FRAMES_PER_CLIP` frames, real and fake."""
    first = 1000 * list(CONTENTS).index(split)  # no identity is in both splits
    items, faces, owners = [], [], []
    for kind, label, generator, count in CONTENTS[split] + CLIPS[split]:
        for _ in range(count):
            number = first + len(items)
            items.append(item(number, kind, label, generator, split))
            for frame in range(FRAMES_PER_CLIP if kind == "video" else 1):
                shown = face(number, frame=frame)
                faces.append(faked(shown) if label else shown)
                owners.append(len(items) - 1)
    return bank_of(faces, owners), items
