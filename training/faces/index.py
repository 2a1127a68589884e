"""The lists that training and evaluation read: index.csv with a row per file, index.parquet with a row per cut face."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, get_args

import numpy as np
import pyarrow as pa

from tbd_app.known import Family

# What a generator does (a face swapped or a mouth redrawn in a real frame, or a whole head generated), by its name: for an
# index without the column `family`, whose words are finer.
FAMILIES = {
    "blending": (
        "part swap, uadfv, fakeapp, wav2lip, deepfakes, face2face, faceswap, neuraltextures, faceshifter, "
        "deepfakedetection, celeb-synthesis, method_a, method_b, ffiw, fsgan, simswap, inswap, blendface, uniface, "
        "mobileswap, e4s, facedancer, deepfacelab"
    ).split(", "),
    "synthesis": (
        "liveportrait, aniportrait, dreamtalk, first-order-model, anitalker, stylegan, fomm, facevid2vid, mraa, "
        "one_shot_free, pirender, tpsm, lia, danet, sadtalker, mcnet, hyperreenact, heygen, vqgan, sd2.1, ddim, rddm, "
        "pixart, dit, sit, midjourney, whichisreal, collabdiff, e4e, stargan, styleclip"
    ).split(", "),
}
# The same two in the words of the column; `edit` may be either and is in neither.
GROUPS = {
    "blending": ("blending", "swap", "lipsync"),
    "synthesis": ("synthesis", "reenact", "talking", "t2v", "still"),
}
KINDS = ("crop", "image", "video")
LABELS = {"real": 0, "fake": 1}

# One row per face that `extract_faces.py` cut. `path` is a JPEG below faces/, or a member of the tar `shard`; boxes and
# landmarks are in its pixels.
FACES = pa.schema(
    {
        "path": pa.string(),
        "dataset": pa.string(),
        "kind": pa.string(),  # of the medium: crop, image or video
        "method": pa.string(),
        "family": pa.string(),  # as of `Item`, empty where the method's name says it
        "video_id": pa.string(),
        "source_id": pa.string(),
        "target_id": pa.string(),
        "label": pa.int8(),  # 0 real, 1 fake
        "split": pa.string(),
        "compression": pa.string(),
        "fps": pa.float32(),  # null for pictures
        "frames": pa.int32(),  # of the whole medium
        "landmarks": pa.list_(pa.float32(), 10),  # x, y of eyes, nose, mouth corners; null when unknown
        "box": pa.list_(pa.float32(), 4),  # x0, y0, x1, y1
        "media": pa.string(),  # the file it was cut from, below its data set's folder
        "track_id": pa.int16(),  # 0 is the largest person
        "frame": pa.int32(),  # number in the medium
        "time_s": pa.float64(),
        "mask_share": pa.float32(),  # share of the box that the mask calls changed; null without a mask
        "shard": pa.string(),  # empty for folders
        "offset": pa.int64(),  # of the JPEG in the tar
        "bytes": pa.int32(),
    }
)


# One row per medium that gave no face.
FAILURE_COLUMNS = (
    "dataset", "media", "video_id", "target_id", "method", "family", "compression", "label", "split", "reason"
)  # fmt: skip


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
        family: of a fake, as the index names it or else by its generator; "unknown" for neither, empty for real media.
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
    family: str = ""

    def __post_init__(self) -> None:
        if self.label and not self.family:
            object.__setattr__(self, "family", family(self.generator) or "unknown")

    def is_of(self, group: str) -> bool:
        """Whether it is a fake of "blending" or of "synthesis"."""
        return self.family in GROUPS[group]

    @property
    def source(self) -> str:
        """The part of the group before the colon: the page or data set, over which averages and intervals are taken."""
        return self.group.partition(":")[0]


def family(generator: str) -> str:
    """The family of a generator's name: "blending", "synthesis" or "unknown"; "" for a real medium's empty name."""
    name = generator.lower()
    for key, parts in FAMILIES.items():
        # Short names are common syllables: only as the whole name.
        if any(part == name or (len(part) > 4 and part in name) for part in parts):
            return key
    return "unknown" if name else ""


def even_shares(labels: np.ndarray, *groupings: Sequence[str]) -> np.ndarray:
    """(N,) weights that sum to 1: classes alike, and in each a group weighs as the root of its media.

    Args:
        labels: (N,) 0 or 1.
        groupings: (N,) names each, such as sources and families; of several, the weights are multiplied.
    """
    share = np.ones(len(labels))
    for names in groupings:
        _, at, counts = np.unique(np.asarray(names), return_inverse=True, return_counts=True)
        share *= counts[at] ** -0.5
    for label in (0, 1):
        mine = labels == label
        share[mine] *= 0.5 / share[mine].sum() if mine.any() else 1
    return share


def read_index(root: Path) -> list[Item]:
    """Read `root/index.csv`.

    Raises:
        SystemExit: the file or one of its columns is missing, or a row has a value that no one knows.
    """
    path = root / "index.csv"
    if not path.is_file():
        raise SystemExit(
            f"{path} is missing: --data must name a folder with index.csv (see training/README.md)."
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    needed = {"path", "kind", "label", "split", "identity", "generator", "face_box", "landmarks"}
    absent = needed - set(rows[0]) if rows else needed
    if absent:
        raise SystemExit(f"{path} lacks the columns {sorted(absent)}.")
    return [_item(path, number, row) for number, row in enumerate(rows, 2)]


def _item(index: Path, number: int, row: dict[str, str]) -> Item:
    def refuse(what: str) -> NoReturn:
        raise SystemExit(f"{index}, line {number} ({row['path']}): {what}.")

    def numbers(column: str, count: int) -> np.ndarray | None:
        parts = (row[column] or "").replace(",", " ").split()
        try:
            values = np.array(parts, np.float32)
        except ValueError:
            values = np.zeros(0, np.float32)
        if parts and len(values) != count:
            refuse(f"{column} must be {count} numbers, not {row[column]!r}")
        return values if parts else None

    if row["label"] not in LABELS:
        refuse(f"the label must be real or fake, not {row['label']!r}")
    if row["kind"] not in KINDS:
        refuse(f"the kind must be {', '.join(KINDS)}, not {row['kind']!r}")
    named = (row.get("family") or "").strip()
    if named not in ("", "real", "unknown", *get_args(Family)):
        refuse(f"the family must be real, unknown, {', '.join(get_args(Family))}, or empty, not {named!r}")
    points = numbers("landmarks", 10)
    return Item(
        path=index.parent / row["path"],
        kind=row["kind"],
        label=LABELS[row["label"]],
        split=row["split"],
        group=row["identity"],
        generator=row["generator"],
        box=numbers("face_box", 4),
        landmarks=None if points is None else points.reshape(5, 2),
        family=named if LABELS[row["label"]] else "",
    )


def read_failures(root: Path) -> list[dict[str, str]]:
    """Rows of failures.csv, none when there is no such file."""
    path = root / "failures.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
