"""Faces read shard after shard as a stream, for sets that are larger than memory or lie far away: no face is listed.

A shard is what `extract_faces.py --store shards` wrote: JPEGs, each with its row of the index as JSON; a medium lies whole in
one shard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from webdataset.shardlists import expand_urls
from webdataset.tariterators import tarfile_samples

from training.faces.shards import owner


class StreamedFace(NamedTuple):
    """A face: its JPEG, box (4,) and landmarks (5,2) float32 in its pixels, and the label of its medium."""

    jpeg: bytes
    box: np.ndarray
    landmarks: np.ndarray
    label: int

    def image(self) -> np.ndarray:
        """(H,W,3) uint8 RGB."""
        found = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        return np.ascontiguousarray(found[..., ::-1])


def shards_of(place: str) -> list[str]:
    """The shards of a folder, or of webdataset's URLs with braces, such as `pipe:COMMAND {000000..000134}.tar`.

    Raises:
        SystemExit: there are none.
    """
    folder = Path(place)
    found = sorted(map(str, folder.glob("*.tar"))) if folder.is_dir() else expand_urls(place)
    if not found:
        raise SystemExit(f"{place} holds no shards: extract_faces.py --store shards writes them.")
    return found


def faces_in(shards: Iterable[str], split: str) -> Iterator[StreamedFace]:
    """The faces of a split that `FaceStore.bank` has, in the order in which they lie."""
    files = tarfile_samples([{"url": shard} for shard in shards])
    rows = ((json.loads(file["json"]), file["jpg"]) for file in files)
    for _, medium in groupby(rows, key=lambda row: (row[0]["dataset"], row[0]["media"])):
        faces = [row for row in medium if row[0]["split"] == split]
        if not faces:
            continue
        label = int(faces[0][0]["label"])
        shares: dict[int, float | None] = {}
        for track in {told["track_id"] for told, _ in faces}:
            known = [
                t["mask_share"] for t, _ in faces if t["track_id"] == track and t["mask_share"] is not None
            ]
            shares[track] = float(np.mean(known)) if known else None
        kept = owner(label, shares)
        yield from (
            StreamedFace(jpeg, _numbers(told["box"]), _numbers(told["landmarks"]).reshape(5, 2), label)
            for told, jpeg in faces
            if told["track_id"] in kept and told["landmarks"] is not None
        )


def _numbers(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32)
