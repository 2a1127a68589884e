"""Open the faces of a collection, whatever its form: files with index.csv, what `extract_faces.py` wrote, or the toy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accelerate import PartialState

from training.faces import toy
from training.faces.bank import FaceBank, load_or_build
from training.faces.index import Item, read_index
from training.faces.shards import FaceStore

CACHE = Path("runs/cache")


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of one split.

    Attributes:
        bank: every face, by row.
        items: its media; `bank.item` points into them.
    """

    bank: FaceBank
    items: list[Item]

    def rows(self, number: int) -> np.ndarray:
        """(K,) rows of a medium's faces, in order of time."""
        rows = np.flatnonzero(self.bank.item == number)
        return rows[np.argsort(self.bank.position[rows], kind="stable")]

    def media(self, *kinds: str) -> np.ndarray:
        """(N,) numbers of the media of these kinds ("crop", "image", "video"; all without any) that have a face."""
        found = np.unique(self.bank.item)
        return np.array([n for n in found if not kinds or self.items[n].kind in kinds], np.int64)


def open_faces(
    data: Path, *, n_frames: int = 16, splits: Sequence[str] = ("train", "val")
) -> dict[str, Faces]:
    """The faces of each split.

    Args:
        data: folder with index.csv or index.parquet, or "toy".
        n_frames: frames cut from each clip of an index.csv; extracted faces come as they were cut.
        splits: their names.

    Raises:
        SystemExit: no such folder, or a split without faces.
    """
    if data == toy.TOY:
        return {split: Faces(*toy.collection(split)) for split in splits}
    if (data / "index.parquet").is_file():
        store = FaceStore(data, splits)
        opened = {split: Faces(*store.bank(split)) for split in splits}
    else:
        index = read_index(data)
        items = {split: [i for i in index if i.split == split] for split in splits}
        with PartialState().main_process_first():  # the others then read what the first has cut
            opened = {
                split: Faces(load_or_build(part, CACHE, n_frames=n_frames), part)
                for split, part in items.items()
            }
    for split, faces in opened.items():
        print(f"{split}: {len(faces.bank)} faces of {len(faces.items)} files")
    return opened
