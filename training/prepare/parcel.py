"""Faces that fit into a parcel: for a machine with a GPU to which little can be copied.

    python training/prepare/parcel.py --data DATA --out parcel/faces --megabytes 60

As many frames of every clip as fit, spread over it, each face in its surroundings and reduced; of val the clips alone, where
there are any, since training's figures are of clips. The folder is one that `extract_faces.py` could have written, so every
recipe takes it as `--data`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import cv2
import numpy as np
import tyro
from tqdm import tqdm

from training.collect.cut import CutFace, CutMedium
from training.collect.medium import KnownFace, Medium
from training.collect.store import FaceWriter
from training.datasets.clips import choose
from training.datasets.crops import reduced
from training.engine.validation import validated
from training.faces.index import Item
from training.faces.open import Faces, open_faces

BESIDES = 400  # bytes of a face besides its JPEG: names and places in the index
VAL_FRAMES = 2  # of a clip: validation averages a few, and training wants the room


@dataclass(frozen=True)
class Config:
    """What goes into the parcel.

    Attributes:
        data: folder with index.csv or index.parquet, or "toy".
        out: a new folder.
        megabytes: its size at most, in millions of bytes.
        frames: of a clip at most.
        side_px: of a picture at most; it shows 1.8 times the face.
        quality: of the JPEGs.
    """

    data: Path = Path("../shared/data")
    out: Path = Path("parcel/faces")
    megabytes: float = 60.0
    frames: int = 12
    side_px: int = 224
    quality: int = 80


def main(config: Config) -> None:
    """Choose the frames, then write both splits."""
    if config.out.exists():
        raise SystemExit(f"{config.out} is there already: a parcel wants a new folder.")
    faces = open_faces(config.data, n_frames=config.frames)
    files = {
        split: [packed(part, row, config) for row in rows_of(part, split)] for split, part in faces.items()
    }
    room = config.megabytes * 1e6 - size_of(faces["val"], files["val"], VAL_FRAMES)
    counts = range(config.frames, 0, -1)
    n_frames = next((n for n in counts if size_of(faces["train"], files["train"], n) <= room), 0)
    if not n_frames:
        raise SystemExit("One frame of each clip is too much: more --megabytes, or a smaller --side-px.")
    with FaceWriter(config.out, "folders") as writer:
        for split, n in (("train", n_frames), ("val", VAL_FRAMES)):
            for item, rows in media_of(faces[split], n):
                found = tuple(files[split][row] for row in rows)
                fps = 25.0 if item.kind == "video" else None  # which tells a clip of one frame from a picture
                writer.add(medium_of(item, split), CutMedium(found, fps, len(rows)))
    total = sum(path.stat().st_size for path in config.out.rglob("*") if path.is_file())
    if total > config.megabytes * 1e6:
        raise SystemExit(f"{config.out} has {total / 1e6:.1f} MB; a smaller --side-px is needed.")
    print(f"{config.out}: {n_frames} frames of a clip, {total / 1e6:.1f} MB.")


def rows_of(faces: Faces, split: str) -> Iterable[int]:
    """All rows, with a bar of progress."""
    return tqdm(range(len(faces.bank)), desc=split, unit="face")


def packed(faces: Faces, row: int, config: Config) -> CutFace:
    """A face as it goes into the parcel."""
    bank = faces.bank
    image, box, points = reduced(bank.image(row), bank.boxes[row], bank.landmarks[row], config.side_px)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, config.quality])
    position = int(bank.position[row])
    return CutFace(0, position, float(position), jpeg.tobytes(), box, points, None)


def media_of(faces: Faces, n_frames: int) -> Iterator[tuple[Item, np.ndarray]]:
    """Every medium that is wanted with the rows of up to `n_frames` of its faces, spread over it."""
    for number in validated(faces) if faces.items[0].split == "val" else faces.media():
        rows = faces.rows(int(number))
        yield faces.items[number], rows[choose(len(rows), n_frames, "spread")]


def size_of(faces: Faces, files: list[CutFace], n_frames: int) -> int:
    """Bytes that up to `n_frames` faces of each medium take."""
    return sum(len(files[row].jpeg) + BESIDES for _, rows in media_of(faces, n_frames) for row in rows)


def medium_of(item: Item, split: str) -> Medium:
    """A medium as the index of cut faces names it."""
    name = f"{split}/{item.path.parent.name}/{item.path.name}"
    known = KnownFace((0.0, 0.0, 1.0, 1.0)) if item.kind == "crop" else None
    return Medium(
        item.path.parent, name, "parcel", name, item.label, split, item.generator, item.group,
        face=known, family=item.family,
    )  # fmt: skip


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
