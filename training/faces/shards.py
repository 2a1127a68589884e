"""Reads what `extract_faces.py` wrote, shards and folders alike: faces by row, tracks of one person, and a bank of faces."""

# The stubs of pandas know more types of a column than there are here.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportOptionalSubscript=false, reportAssignmentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.faces.bank import FaceBank
from training.faces.index import FACES, Item
from training.faces.on_disk import OnDisk

LEAST_CHANGED = 0.05  # of a face's box, for the mask to mean this face
_OF_TRACK = ["dataset", "media", "track_id", "kind", "label", "split", "target_id", "method", "family"]


@dataclass(frozen=True, slots=True)
class Track:
    """One person in one medium.

    Attributes:
        rows: (K,) int64 of the store's table, in order of time.
        label: of the medium, 0 real, 1 fake.
    """

    rows: np.ndarray
    label: int
    split: str
    dataset: str
    method: str
    video_id: str


class FaceStore:
    """A folder of cut faces.

    Args:
        root: where `extract_faces.py` wrote.
        splits: of which faces are read; all without any.

    Attributes:
        table: index.parquet, one row per face.

    Raises:
        SystemExit: it is no such folder.
    """

    def __init__(self, root: Path, splits: Sequence[str] = ()) -> None:
        self.root = root
        path = root / "index.parquet"
        if not path.is_file():
            raise SystemExit(f"{path} is missing: make it with training/extract_faces.py.")
        absent = set(FACES.names) - set(pq.read_schema(path).names)
        if absent:
            raise SystemExit(f"{path} lacks the columns {sorted(absent)}: extract it again.")
        self.table: pd.DataFrame = pq.read_table(path, filters=_of(splits)).to_pandas()

    def __len__(self) -> int:
        return len(self.table)

    def jpeg(self, row: int) -> bytes:
        """The file of a face."""
        path, shard, offset, size = self.table.loc[row, ["path", "shard", "offset", "bytes"]]
        if not shard:
            return (self.root / "faces" / path).read_bytes()
        with (self.root / "shards" / shard).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def pictures(self, rows: Sequence[int]) -> OnDisk:
        """The files of many faces, end to end, left on disk."""
        table = self.table.loc[list(rows), ["path", "shard", "offset", "bytes"]]
        files = ("shards/" + table["shard"]).where(table["shard"] != "", "faces/" + table["path"])
        file, names = pd.factorize(files)
        return OnDisk([self.root / name for name in names], file, table["offset"], table["bytes"])

    def image(self, row: int) -> np.ndarray:
        """(H,W,3) uint8 RGB of a face in its surroundings."""
        data = np.frombuffer(self.jpeg(row), np.uint8)
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])

    def box(self, row: int) -> np.ndarray:
        """(4,) float32 xyxy px."""
        return np.asarray(self.table.at[row, "box"], np.float32)

    def landmarks(self, row: int) -> np.ndarray | None:
        """(5,2) float32 px, or None when nobody found them."""
        points = self.table.at[row, "landmarks"]
        return None if points is None else np.asarray(points, np.float32).reshape(5, 2)

    def tracks(self, split: str = "", *, everybody: bool = False) -> list[Track]:
        """Tracks of a split, or of all, in the order of the index.

        A fake may show several people of whom one is fake. For training only tracks come whose label is known to hold: all of
        a real medium, of a fake the one that its mask marks, or without a mask the largest. `everybody` gives them all, for
        an evaluation that takes the most suspicious.
        """
        table = self.table if not split else self.table[self.table["split"] == split]
        groups = table.groupby(["dataset", "media", "track_id"], sort=False)
        owner = groups.ngroup().to_numpy()
        order = np.lexsort((table["frame"], owner))
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        rows = np.split(table.index.to_numpy(np.int64)[order], starts[1:])
        firsts = table.iloc[order[starts]].assign(share=groups["mask_share"].mean().to_numpy())
        kept = np.arange(len(firsts)) if everybody else np.flatnonzero(_label_holds(firsts))
        facts = firsts[["label", "split", "dataset", "method", "video_id"]].to_numpy().tolist()
        return [Track(rows[n], *facts[n]) for n in kept]

    def bank(self, split: str) -> tuple[FaceBank, list[Item]]:
        """The split's faces as the recipes take them, the pictures left on disk; each track is an item of its own.

        Faces without landmarks are left out, since crops and blends are made by them.

        Raises:
            SystemExit: there are none.
        """
        items, rows, owners = [], [], []
        has_landmarks = self.table["landmarks"].notna().to_numpy()
        for track in self.tracks(split):
            known = track.rows[has_landmarks[track.rows]].tolist()
            if known:
                owners += [len(items)] * len(known)
                rows += known
                items.append(item_of(self.table.loc[known[0]]))
        if not rows:
            raise SystemExit(f"{self.root} holds no faces with landmarks in {split}.")
        blob = self.pictures(rows)
        return FaceBank(
            blob=blob,
            offsets=blob.offsets,
            boxes=np.stack(self.table.loc[rows, "box"].tolist()).astype(np.float32),
            landmarks=np.stack(self.table.loc[rows, "landmarks"].tolist())
            .astype(np.float32)
            .reshape(-1, 5, 2),
            item=np.array(owners, np.int32),
            position=self.table.loc[rows, "frame"].to_numpy(np.int32),
        ), items


def listed(root: Path, split: str) -> tuple[list[Item], int]:
    """The media of `FaceStore(root).bank(split)` and the number of its faces, of which none is kept.

    Raises:
        SystemExit: there are none.
    """
    columns = [*_OF_TRACK, "landmarks", "mask_share"]
    table = pq.read_table(root / "index.parquet", columns=columns, filters=_of([split]))
    known = pc.cast(pc.is_valid(table["landmarks"]), pa.int32())
    table = table.drop_columns(["landmarks"]).append_column("known", known)
    tracks = table.group_by(_OF_TRACK, use_threads=False).aggregate(
        [("known", "sum"), ("mask_share", "mean")]
    )
    found: pd.DataFrame = tracks.to_pandas().rename(columns={"mask_share_mean": "share"})
    found = found[_label_holds(found) & (found["known_sum"] > 0)]
    if found.empty:
        raise SystemExit(f"{root} holds no faces with landmarks in {split}.")
    return [item_of(row) for _, row in found.iterrows()], int(found["known_sum"].sum())


def _of(splits: Sequence[str]) -> list[tuple[str, str, list[str]]] | None:
    """A filter of parquet; None for all rows."""
    return [("split", "in", list(splits))] if splits else None


def owner(label: int, shares: Mapping[int, float | None]) -> set[int]:
    """Tracks of one medium whose label holds; see `FaceStore.tracks`.

    Args:
        label: of the medium.
        shares: track_id -> share of the face that the mask calls changed, None without a mask.
    """
    if not label:
        return set(shares)
    changed = [
        (-1.0 if share is None else share, -track)
        for track, share in shares.items()
        if share is None or share >= LEAST_CHANGED
    ]
    return {-max(changed)[1]} if changed else set()


def _label_holds(tracks: pd.DataFrame) -> np.ndarray:
    """(N,) bool: every track of a real medium; of a fake the one that its mask marks most, or the largest without a mask."""
    fakes = tracks.reset_index()[["dataset", "media", "track_id", "label", "share"]]
    fakes = fakes[(fakes["label"] == 1) & ~(fakes["share"] < LEAST_CHANGED)]
    fakes = fakes.sort_values(["share", "track_id"], ascending=[False, True])
    chosen = fakes.drop_duplicates(["dataset", "media"]).index
    return (tracks["label"] == 0).to_numpy() | np.isin(np.arange(len(tracks)), chosen)


def item_of(row: pd.Series) -> Item:
    """The medium of a face."""
    return Item(
        Path(row["media"]), row["kind"], int(row["label"]), row["split"], row["target_id"], row["method"],
        family=row["family"],
    )  # fmt: skip
