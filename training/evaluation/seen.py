"""Media that were measured before need not be decoded again: people and raw logits on disk, by the content of file and model.

The first look at a file finds its people as serving does (`people.find`) and keeps frames and tracks without loss; a model's
logits are kept by its weights. Calibration, evaluation and the fit of the vote read the same ones.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cv2
import numpy as np
from torch import nn

from tbd_app.errors import TBDError
from tbd_app.media import sample as sample_room
from tbd_app.media.open import open_media
from tbd_app.model_spec import FramesAt
from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.pipeline import faces as faces_room
from tbd_app.pipeline import fitness, followed, neighbours, people, score, stability, tracks, views
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Exclusion, FaceTrack, Frames, ModelSpec, TrackQuality, ViewName
from training.faces.bank import FaceBank, decoded

CACHE = Path("runs/cache/seen")
# Another way to find people makes another cache.
_ROOMS = (sample_room, faces_room, followed, tracks, fitness)
_VIEW_ROOMS = (stability, views)  # and another way to change them another one of views


@dataclass(frozen=True, slots=True)
class Seen:
    """Frames and tracks of a file.

    Attributes:
        key: names its content and how it was looked at.
        raw: gives the file, from which runs of neighbouring frames can still be read; None for faces cut beforehand.
    """

    key: str
    frames: Frames
    tracks: tuple[FaceTrack, ...]
    raw: Callable[[], Path] | None = None
    settings: AnalysisSettings | None = None

    @property
    def usable(self) -> list[FaceTrack]:
        """Tracks that can be scored."""
        return [t for t in self.tracks if t.exclusion is None]


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a whole file: a name that says all about it, and how it is made, which is done only where it must be."""

    name: str
    make: Callable[[], Path]


def look(path: Path, settings: AnalysisSettings, cache: Path = CACHE, changed: Changed | None = None) -> Seen:
    """The people of a file, as it is or changed, from the cache where they are there; a file that is refused has none."""
    key = _key(path, settings, "" if changed is None else f" {changed.name}")
    raw = (lambda: path) if changed is None else changed.make
    stored = cache / "people" / f"{key}.npz"
    if not stored.is_file():
        try:
            found = people.find(raw(), settings)
            frames, linked = found.frames, found.tracks
        except TBDError as error:
            print(f"refused: {path.name}: {error.message}")
            frames, linked = Frames((), np.zeros(0, np.int64), np.zeros(0), settings.n_frames), ()
        _write(stored, frames, linked)
    return replace(_read(key, stored), raw=raw, settings=settings)


def logits_of(seen: Seen, cache: Path = CACHE) -> score.LogitsOf:
    """`score.track_logits` of a file's usable tracks, from the cache where it is there."""

    def read(
        model: Detector, spec: ModelSpec, frames: Frames, usable: Sequence[FaceTrack], device: str
    ) -> dict[int, np.ndarray]:
        stored = cache / "logits" / _logits_key(model, spec) / f"{seen.key}.npz"
        if not stored.is_file():
            sights = _sights(seen, spec) if usable else {}
            found = neighbours.track_logits(model, spec, frames, usable, device, seen=sights)
            _save(stored, {str(name): values for name, values in found.items()})
        with np.load(stored, allow_pickle=False) as data:
            return {int(name): data[name] for name in data.files}

    return read


def _sights(seen: Seen, spec: ModelSpec) -> neighbours.Sights:
    """Who is seen in the runs that a model asks for; faces that were cut beforehand have no runs but among themselves."""
    if neighbours.asked(spec) is None or seen.raw is None or seen.settings is None:
        return {}
    settings = seen.settings
    media = open_media(seen.raw(), settings.limits)
    frames = neighbours.with_runs(media, seen.frames, [spec], settings.limits)
    detector = people.detector("cpu", settings.min_face_px)
    return neighbours.sights(frames, seen.usable, detector, settings.face_confidence)


def view_logits(name: str, seen: Seen, settings: AnalysisSettings, cache: Path = CACHE) -> stability.Logits:
    """`stability.view_logits` of a file's usable tracks, from the cache where it is there."""
    spec, model = registry.spec(name), score.loaded(name, "cpu")
    folder = cache / "views" / f"{_weights_key(model, spec)}-{content_of(_VIEW_ROOMS)[:16]}"
    stored = folder / f"{seen.key}.npz"
    if not stored.is_file():
        found = stability.view_logits(
            name, seen.frames, seen.usable, "cpu", seen=_sights(seen, spec), min_face_px=settings.min_face_px
        )
        _save(stored, {f"{track_id} {view}": values for (track_id, view), values in found.items()})
    with np.load(stored, allow_pickle=False) as data:
        return {(int(key.split()[0]), cast(ViewName, key.split()[1])): data[key] for key in data.files}


def kept_logits(
    spec: ModelSpec,
    model: Detector,
    bank: FaceBank,
    rows: Sequence[int],
    cache: Path,
    made: Callable[[], np.ndarray],
) -> np.ndarray:
    """(N,) logits of rows of a bank, from the cache where they are there, else as they are made now."""
    content = hashlib.sha256()
    for row in rows:
        for part in (bank.encoded(row), bank.boxes[row], bank.landmarks[row]):
            content.update(np.ascontiguousarray(part).tobytes())
    stored = cache / "pictures" / f"{_logits_key(model, spec)}-{content.hexdigest()[:24]}.npz"
    if not stored.is_file():
        _save(stored, {"logits": made()})
    with np.load(stored, allow_pickle=False) as data:
        return data["logits"]


def device_of(model: nn.Module) -> str:
    """Where a model is, "cpu" or "cuda"."""
    return next((p.device.type for p in model.parameters()), "cpu")


def _logits_key(model: Detector, spec: ModelSpec) -> str:
    """`_weights_key`, and the device where it is another than the CPU: there sums have another order and precision."""
    device = device_of(model)
    return _weights_key(model, spec) + ("" if device == "cpu" else f"-{device}")


_KEYS: dict[int, tuple[weakref.ref[Detector], str]] = {}


def _weights_key(model: Detector, spec: ModelSpec) -> str:
    """A name for a model's numbers and recipe, whatever its temperature and bounds: its logits depend on nothing else."""
    if id(model) in _KEYS and _KEYS[id(model)][0]() is model:
        return _KEYS[id(model)][1]
    recipe = f"{spec.name} {spec.input_size} {spec.clip_len} {spec.crop} {spec.calibration.softened_share}"
    if spec.frames_at != FramesAt():  # the name of logits of spread frames stays
        recipe += f" {spec.frames_at}"
    if isinstance(model, ClipDetector) and spec.task == "frame":
        recipe += f" at most {score.TOWER_FRAMES} frames"
    known = hashlib.sha256(recipe.encode())
    for key, tensor in sorted(model.stored_state().items()):
        known.update(key.encode() + tensor.detach().cpu().float().half().contiguous().numpy().tobytes())
    _KEYS[id(model)] = weakref.ref(model), known.hexdigest()[:24]
    return _KEYS[id(model)][1]


def _key(path: Path, settings: AnalysisSettings, changed: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    how = f"{settings.n_frames} {settings.face_confidence} {settings.min_face_px} {settings.min_track_share}"
    return hashlib.sha256(f"{content} {how} {content_of(_ROOMS)}{changed}".encode()).hexdigest()[:32]


@cache
def content_of(rooms: tuple[ModuleType, ...]) -> str:
    """What modules say, as one number: caches of what they make are named by it."""
    sources = (Path(str(room.__file__)).read_bytes() for room in rooms)
    return hashlib.sha256(b"".join(sources)).hexdigest()


def _write(path: Path, frames: Frames, linked: Sequence[FaceTrack]) -> None:
    encoded = [
        cv2.imencode(".png", i[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].ravel() for i in frames.images
    ]
    whose = [np.full(len(t), n, np.int64) for n, t in enumerate(linked)]

    def joined(parts: Sequence[np.ndarray], empty: tuple[int, ...], kind: type) -> np.ndarray:
        return np.concatenate(parts) if len(parts) else np.zeros(empty, kind)

    kept = {
        "blob": joined(encoded, (0,), np.uint8),
        "ends": np.cumsum([len(e) for e in encoded]).astype(np.int64),
        "indices": frames.indices,
        "times_s": frames.times_s,
        "requested": frames.requested,
        "whose": joined(whose, (0,), np.int64),
        "positions": joined([t.positions for t in linked], (0,), np.int64),
        "boxes": joined([t.boxes for t in linked], (0, 4), np.float32),
        "landmarks": joined([t.landmarks for t in linked], (0, 5, 2), np.float32),
        "quality": np.array([astuple(t.quality) for t in linked], np.float64).reshape(-1, 3),
        "ids": np.array([t.track_id for t in linked], np.int64),
        "exclusions": np.array([t.exclusion or "" for t in linked], "U32"),
    }  # fmt: skip
    _save(path, kept)


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write a file of the cache, which is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.rename(path)


def _read(key: str, path: Path) -> Seen:
    with np.load(path, allow_pickle=False) as data:
        d = {name: data[name] for name in data.files}
    starts = [0, *d["ends"].tolist()]
    images = tuple(decoded(d["blob"][a:b]) for a, b in pairwise(starts))
    found = []
    for n, name in enumerate(d["ids"].tolist()):
        rows = d["whose"] == n
        found.append(
            FaceTrack(
                int(name), d["positions"][rows], d["boxes"][rows], d["landmarks"][rows],
                TrackQuality(*d["quality"][n].tolist()), cast(Exclusion, str(d["exclusions"][n])) or None,
            )
        )  # fmt: skip
    return Seen(key, Frames(images, d["indices"], d["times_s"], int(d["requested"])), tuple(found))
