"""The list of media that training and evaluation read: one row per file, with label, split, identity and generator."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Which trace a val generator leaves (a face swapped or a mouth redrawn in a real frame, or a whole head generated).
FAMILIES = {
    "blending": ("part swap", "uadfv", "fakeapp", "wav2lip"),
    "synthesis": ("liveportrait", "aniportrait", "dreamtalk", "first-order-model", "anitalker", "stylegan2"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a collection.

    Attributes:
        path: absolute.
        kind: "crop" (a face crop with box and landmarks), "image" or "video".
        label: 0 real, 1 fake.
        split: "train" or "val".
        group: identity or source; averages and intervals may be taken over it.
        generator: name, empty for real media.
        box: (4,) xyxy px of the face in a crop, else None.
        landmarks: (5,2) px in a crop, else None.
    """

    path: Path
    kind: str
    label: int
    split: str
    group: str
    generator: str
    box: np.ndarray | None = None
    landmarks: np.ndarray | None = None


def family(generator: str) -> str:
    """ "blending", "synthesis" or "unknown" for a generator's name, "" for a real medium's empty name."""
    name = generator.lower()
    for key, parts in FAMILIES.items():
        if any(part in name for part in parts):
            return key
    return "unknown" if name else ""


def read_index(root: Path) -> list[Item]:
    """Read `root/index.csv`.

    Raises:
        SystemExit: the file or one of its columns is missing.
    """
    path = root / "index.csv"
    if not path.is_file():
        raise SystemExit(
            f"{path} is missing: --data must name a folder with index.csv (see training/README.md)."
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    needed = {"path", "kind", "label", "split", "identity", "generator", "face_box", "landmarks"}
    if not rows or (absent := needed - set(rows[0])):
        raise SystemExit(f"{path} lacks the columns {sorted(absent) if rows else sorted(needed)}.")
    return [_item(root, row) for row in rows]


def _item(root: Path, row: dict[str, str]) -> Item:
    def numbers(text: str) -> np.ndarray | None:
        return np.array(text.replace(",", " ").split(), np.float32) if text else None

    points = numbers(row["landmarks"])
    return Item(
        path=root / row["path"],
        kind=row["kind"],
        label={"real": 0, "fake": 1}[row["label"]],
        split=row["split"],
        group=row["identity"],
        generator=row["generator"],
        box=numbers(row["face_box"]),
        landmarks=None if points is None else points.reshape(5, 2),
    )
