"""A bank of face pictures in one file: each face with some surroundings, found and cut by the serving code.

Crops of stills are kept as they are; faces of images and videos are detected by `tbd_app.pipeline.faces` in frames sampled by
`tbd_app.media.sample`, cut 1.8 times as wide as their box and stored without loss. Pictures stay on disk and are read one by
one, so that many loader processes need no memory for them (`on_disk.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from tbd_app.errors import TBDError
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.pipeline.faces import FaceDetector
from tbd_app.settings import Limits
from training.faces.index import Item
from training.faces.on_disk import OnDisk, array_in

WIDE_MARGIN = 1.8
MAX_SIDE_PX = 400
MIN_FACE_PX = 48


@dataclass(frozen=True, slots=True)
class FaceBank:
    """Faces by row.

    Attributes:
        blob: all encoded pictures, end to end: uint8 in memory, or on disk.
        offsets: (N+1,) int64 into `blob`.
        boxes: (N,4) float32 xyxy px.
        landmarks: (N,5,2) float32 px.
        item: (N,) int32 row of the index.
        position: (N,) int32 number of the sampled frame.
    """

    blob: np.ndarray | OnDisk
    offsets: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    item: np.ndarray
    position: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    def encoded(self, row: int) -> np.ndarray:
        """The file of a row's picture, uint8."""
        return self.blob[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def image(self, row: int) -> np.ndarray:
        """(H,W,3) uint8 RGB of a row."""
        return decoded(self.encoded(row))


def decoded(file: np.ndarray) -> np.ndarray:
    """(H,W,3) uint8 RGB of a picture's file (n,) uint8.

    Raises:
        SystemExit: it is damaged.
    """
    picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit("A picture of the bank is damaged: delete the cache and cut the faces again.")
    return np.ascontiguousarray(picture[..., ::-1])


def load_or_build(items: Sequence[Item], cache_dir: Path, *, n_frames: int = 16) -> FaceBank:
    """The bank of `items`, read from `cache_dir` when the same one was built before."""
    listing = "\n".join(f"{i.path} {i.path.stat().st_size}" for i in items)
    key = hashlib.sha256(f"v1 {n_frames} {listing}".encode()).hexdigest()[:16]
    path = cache_dir / f"faces-{key}.npz"
    if not path.is_file():
        bank = build(items, n_frames=n_frames)
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **{name: getattr(bank, name) for name in FaceBank.__slots__})
        part.rename(path)
    with np.load(path, allow_pickle=False) as data:
        others = {name: data[name] for name in FaceBank.__slots__ if name != "blob"}
    return FaceBank(blob=array_in(path, "blob"), **others)


def build(items: Sequence[Item], *, n_frames: int) -> FaceBank:
    """Cut every face of every item; what cannot be read is listed and left out."""
    detector, limits = FaceDetector(min_face_px=MIN_FACE_PX), Limits()
    data: list[bytes] = []
    rows: list[tuple[np.ndarray, np.ndarray, int, int]] = []
    for number, item in enumerate(tqdm(items, desc="faces", unit="file")):
        if item.kind == "crop":
            data.append(item.path.read_bytes())
            rows.append((_known(item.box), _known(item.landmarks), number, 0))
            continue
        try:
            frames = sample(open_media(item.path, limits), n_frames, limits)
        except TBDError as error:
            tqdm.write(f"left out: {item.path.name}: {error.message}")
            continue
        found = detector.detect(frames.images)
        for position, (image, faces) in enumerate(zip(frames.images, found, strict=True)):
            good = np.flatnonzero(faces.verified)
            if not len(good):
                continue
            best = good[np.argmax(np.prod(faces.boxes[good, 2:] - faces.boxes[good, :2], axis=1))]
            wide, origin, scale = cut_wide(image, faces.boxes[best])
            _, png = cv2.imencode(".png", wide[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
            data.append(png.tobytes())
            box = ((faces.boxes[best].reshape(2, 2) - origin) * scale).reshape(4)
            rows.append((box, (faces.landmarks[best] - origin) * scale, number, position))
    if not rows:
        raise SystemExit("No face was found in any of the media.")
    boxes, landmarks, numbers, positions = zip(*rows, strict=True)
    return FaceBank(
        blob=np.frombuffer(b"".join(data), np.uint8),
        offsets=np.cumsum([0, *(len(d) for d in data)]).astype(np.int64),
        boxes=np.stack(boxes).astype(np.float32),
        landmarks=np.stack(landmarks).astype(np.float32),
        item=np.array(numbers, np.int32),
        position=np.array(positions, np.int32),
    )


def cut_wide(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Cut a face with its surroundings, reduced to `MAX_SIDE_PX` at most.

    Returns:
        The picture (h,w,3) uint8 RGB, its origin (2,) in the image and its scale.
    """
    centre, side = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2])) * WIDE_MARGIN
    x0, y0 = np.maximum(np.floor(centre - side / 2), 0).astype(int)
    x1, y1 = np.ceil(centre + side / 2).astype(int)
    wide = image[y0:y1, x0:x1]
    scale = min(1.0, MAX_SIDE_PX / max(wide.shape[:2]))
    if scale < 1:
        size = (round(wide.shape[1] * scale), round(wide.shape[0] * scale))
        wide = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(wide), np.array([x0, y0], np.float32), scale


def _known(value: np.ndarray | None) -> np.ndarray:
    if value is None:
        raise SystemExit("A crop in the index lacks its face box or landmarks.")
    return value
