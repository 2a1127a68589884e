"""Where cut faces are written: tar shards or folders, with index.parquet and failures.csv. A killed run goes on.

    OUT/shards/000000.tar        or OUT/faces/DATASET/FILE/TRACK_FRAME.jpg
    OUT/parts/000000.parquet     rows of a finished shard, or of as many faces in folders
    OUT/index.parquet            all rows; written when a run ends
    OUT/failures.csv             media without faces, and why; delete a line to try its medium again

A shard and its part are written under another name and renamed when whole, so what a kill leaves behind is made anew.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from webdataset.writer import TarWriter

from training.collect.cut import CutMedium
from training.collect.medium import Medium
from training.faces.index import FACES, FAILURE_COLUMNS, read_failures

Kind = Literal["shards", "folders"]


class FaceWriter:
    """Takes media one by one, in order; a context manager.

    Args:
        root: made when it is not there; what an earlier run finished is kept.
        kind: tar shards, or one JPEG per face in folders.
        faces_per_shard: a shard ends with the medium that reaches it.
    """

    def __init__(self, root: Path, kind: Kind, faces_per_shard: int = 1024) -> None:
        self.root, self.kind, self.faces_per_shard = root, kind, faces_per_shard
        for name in ("shards" if kind == "shards" else "faces", "parts"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.parts = sorted((root / "parts").glob("*.parquet"))
        self.done: set[tuple[str, str]] = set()
        for part in self.parts:
            table = pq.read_table(part, columns=["dataset", "media"])
            self.done.update(zip(*(table[c].to_pylist() for c in ("dataset", "media")), strict=True))
        self.failures = read_failures(root)
        self.done.update((row["dataset"], row["media"]) for row in self.failures)
        self._rows: list[dict[str, Any]] = []
        self._tar: TarWriter | None = None

    def __enter__(self) -> FaceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error or Ctrl-C the last medium may be half written: its shard is made anew, as after a kill.
        if kind is None:
            self._finish_part()
        elif self._tar is not None:
            self._tar.close()
        self._write_index()

    def add(self, medium: Medium, result: CutMedium) -> None:
        """Write the faces of a medium, or note why it has none."""
        self.done.add((medium.dataset, medium.file))
        if result.failure:
            self._note_failure(medium, result.failure)
            return
        for face in result.faces:
            key = f"{medium.dataset}/{medium.file}/{face.track_id:02d}_{face.frame:06d}"
            row = {
                "path": f"{key}.jpg",
                "dataset": medium.dataset,
                "kind": result.kind(medium),
                "method": medium.method,
                "family": medium.family,
                "video_id": medium.video_id,
                "source_id": medium.source_id,
                "target_id": medium.target_id,
                "label": medium.label,
                "split": medium.split,
                "compression": medium.compression,
                "fps": result.fps,
                "frames": result.n_frames,
                "landmarks": None if face.landmarks is None else _hundredths(face.landmarks),
                "box": _hundredths(face.box),
                "media": medium.file,
                "track_id": face.track_id,
                "frame": face.frame,
                "time_s": face.time_s,
                "mask_share": face.mask_share,
                "shard": self._shard_name if self.kind == "shards" else "",
                "offset": 0,
                "bytes": len(face.jpeg),
            }
            self._write_face(key, face.jpeg, row)
            self._rows.append(row)
        if len(self._rows) >= self.faces_per_shard:
            self._finish_part()

    @property
    def _shard_name(self) -> str:
        return f"{len(self.parts):06d}.tar"

    def _write_face(self, key: str, jpeg: bytes, row: dict[str, Any]) -> None:
        if self.kind == "folders":
            path = self.root / "faces" / row["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)
            return
        if self._tar is None:
            # No times of writing: the same faces give the same file.
            path = self.root / "shards" / f"{self._shard_name}.unfinished"
            self._tar = TarWriter(str(path), encoder=False, mtime=0)
        facts = {k: v for k, v in row.items() if k not in ("shard", "offset")}
        self._tar.write({"__key__": key, "jpg": jpeg, "json": json.dumps(facts).encode()})

    def _finish_part(self) -> None:
        if not self._rows:
            return
        if self._tar is not None:
            self._tar.close()
            self._tar = None
            path = self.root / "shards" / self._shard_name
            path = path.with_name(f"{path.name}.unfinished").rename(path)
            with tarfile.open(path) as tar:
                offsets = {member.name: member.offset_data for member in tar}
            for row in self._rows:
                row["offset"] = offsets[row["path"]]
        part = self.root / "parts" / f"{len(self.parts):06d}.parquet"
        _write_whole(pa.Table.from_pylist(self._rows, FACES), part)
        self.parts.append(part)
        self._rows = []

    def _write_index(self) -> None:
        tables = [pq.read_table(part, schema=FACES) for part in self.parts]
        _write_whole(pa.concat_tables(tables) if tables else FACES.empty_table(), self.root / "index.parquet")

    def _note_failure(self, medium: Medium, reason: str) -> None:
        row = {
            "dataset": medium.dataset,
            "media": medium.file,
            "video_id": medium.video_id,
            "target_id": medium.target_id,
            "method": medium.method,
            "family": medium.family,
            "compression": medium.compression,
            "label": str(medium.label),
            "split": medium.split,
            "reason": reason,
        }
        self.failures.append(row)
        path = self.root / "failures.csv"
        line = io.StringIO()
        writer: csv.DictWriter[str] = csv.DictWriter(line, FAILURE_COLUMNS)
        if not path.exists():
            writer.writeheader()
        writer.writerow(row)
        with path.open("a", newline="", encoding="utf-8") as file:
            file.write(line.getvalue())


def _hundredths(px: np.ndarray) -> list[float]:
    """Pixels as numbers that do not tell how many threads the detector had."""
    return np.round(px.astype(np.float64).ravel(), 2).tolist()


def _write_whole(table: pa.Table, path: Path) -> None:
    """A parquet file that is there completely or not at all."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    pq.write_table(table, unfinished)
    unfinished.rename(path)
