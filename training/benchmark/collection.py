"""The media of a data set to score, whatever its form: raw files with index.csv, or faces that extract_faces.py cut.

Cut faces are scored as they lie there and nothing is decoded again: a track's pictures stand for the frames of its medium.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tbd_app.settings import AnalysisSettings
from tbd_app.types import FaceTrack, Frames, TrackQuality
from training.evaluation.seen import CACHE, Seen, look
from training.faces.bank import FaceBank, decoded, load_or_build
from training.faces.index import Item, read_failures, read_index
from training.faces.shards import FaceStore, item_of

BANKS = Path("runs/cache")


@dataclass(frozen=True, slots=True)
class Collection:
    """The media of one data set and split.

    Attributes:
        name: of the data set.
        items: N media, those without a face included.
        look: number of a medium -> its people.
        stills: the faces of its pictures, with the media that their rows are of; asked for once.
    """

    name: str
    items: list[Item]
    look: Callable[[int], Seen]
    stills: Callable[[], tuple[FaceBank, list[Item]]]

    def numbers(self, *kinds: str) -> list[int]:
        """Media of these kinds."""
        return [n for n, item in enumerate(self.items) if item.kind in kinds]


def open_collections(
    data: Path, split: str, cache: Path = CACHE, settings: AnalysisSettings | None = None
) -> list[Collection]:
    """One for each data set, and compression, in a folder.

    Args:
        data: folder with index.csv or index.parquet.
        split: its name.
        cache: people of raw files that were found before.
        settings: how they are found.

    Raises:
        SystemExit: no such folder, or no media in the split.
    """
    if (data / "index.parquet").is_file():
        found = _extracted(data, split)
    else:
        items = [i for i in read_index(data) if i.split == split]
        finder = partial(_of_file, items, settings or AnalysisSettings(), cache)
        stills = partial(_built, items)
        found = [Collection(data.resolve().name, items, finder, stills)] if items else []
    if not found:
        raise SystemExit(f"{data} holds no media in the split {split!r}.")
    return found


def _of_file(items: Sequence[Item], settings: AnalysisSettings, cache: Path, number: int) -> Seen:
    item = items[number]
    if item.kind == "crop" and item.box is not None:
        points = np.full((1, 5, 2), np.nan, np.float32) if item.landmarks is None else item.landmarks[None]
        return _seen([[(item.path.read_bytes(), item.box, points[0])]])
    return look(item.path, settings, cache)


def _built(items: list[Item]) -> tuple[FaceBank, list[Item]]:
    return load_or_build(items, BANKS), items


def _extracted(data: Path, split: str) -> list[Collection]:
    store = FaceStore(data)
    media: dict[str, list[tuple[Item, list[np.ndarray]]]] = defaultdict(list)
    by_file: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for track in store.tracks(split, everybody=True):
        file = store.table.at[track.rows[0], "media"]
        by_file[track.dataset, file].append(track.rows)
    several = _with_several_compressions(store)
    for (dataset, _), tracks in by_file.items():
        first = store.table.loc[tracks[0][0]]
        media[_name(dataset, first["compression"], several)].append((item_of(first), tracks))
    for row in read_failures(data):
        if row["split"] == split:
            item = Item(
                Path(row["media"]), "video", int(row["label"]), split, row["target_id"], row["method"],
                family=row["family"],
            )  # fmt: skip
            media[_name(row["dataset"], row["compression"], several)].append((item, []))
    return [
        Collection(
            name,
            [item for item, _ in found],
            partial(_of_store, store, [tracks for _, tracks in found]),
            partial(store.bank, split),
        )
        for name, found in sorted(media.items())
    ]


def _with_several_compressions(store: FaceStore) -> set[str]:
    kinds = store.table.groupby("dataset")["compression"].nunique()
    return set(kinds[kinds > 1].index)  # pyright: ignore[reportAttributeAccessIssue]


def _name(dataset: str, compression: str, several: set[str]) -> str:
    return f"{dataset} {compression}" if dataset in several else dataset


def _of_store(store: FaceStore, tracks: Sequence[Sequence[np.ndarray]], number: int) -> Seen:
    return _seen(
        [
            [
                (
                    store.jpeg(int(row)),
                    store.box(int(row)),
                    np.full((5, 2), np.nan, np.float32) if (points := store.landmarks(int(row))) is None else points,
                )
                for row in rows
            ]
            for rows in tracks[number]
        ],
        [store.table.loc[rows, "time_s"].to_numpy(np.float64) for rows in tracks[number]],
    )  # fmt: skip


def _seen(
    people: Sequence[Sequence[tuple[bytes, np.ndarray, np.ndarray]]], times_s: Sequence[np.ndarray] = ()
) -> Seen:
    """People of whom each face has a picture of its own: its file, box (4,) and landmarks (5,2), NaN where unknown.

    Args:
        people: their faces, in order of time.
        times_s: (K,) of the faces of each, where they are of a clip.
    """
    content, images, tracks = hashlib.sha256(b"cut faces"), [], []
    for number, faces in enumerate(people):
        for data, box, points in faces:
            content.update(data + box.tobytes() + points.tobytes())
            images.append(decoded(np.frombuffer(data, np.uint8)))
        boxes = np.stack([box for _, box, _ in faces]).astype(np.float32)
        quality = TrackQuality(float(np.median((boxes[:, 2:] - boxes[:, :2]).max(1))), 0.0, 1.0)
        places = np.arange(len(images) - len(faces), len(images))
        points = np.stack([points for *_, points in faces]).astype(np.float32)
        tracks.append(FaceTrack(number, places, boxes, points, quality))
    order = np.arange(len(images))
    times = np.concatenate(times_s) if times_s else order.astype(np.float64)
    content.update(times.tobytes() if times_s else b"")
    frames = Frames(tuple(np.ascontiguousarray(i) for i in images), order, times, len(images))
    return Seen(content.hexdigest()[:32], frames, tuple(tracks))
