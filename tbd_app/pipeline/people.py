"""Who is in a file: `find(path, settings) -> People`, from the file to the tracks, as every analysis does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tbd_app.known import MEASURED_AS
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.models import registry
from tbd_app.pipeline import fitness, followed, neighbours, tracks
from tbd_app.pipeline.faces import FaceDetector
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Faces, FaceTrack, Frames, Media


@dataclass(frozen=True, slots=True)
class People:
    """What was found in one file.

    Attributes:
        faces: of each sampled frame.
        tracks: one per person, excluded ones too.
    """

    media: Media
    frames: Frames
    faces: tuple[Faces, ...]
    tracks: tuple[FaceTrack, ...]


def find(path: str | Path, settings: AnalysisSettings, device: str = "cpu") -> People:
    """Open a file, sample its frames, find its faces and follow them.

    Raises:
        TBDError: the file is refused.
    """
    media, frames = read(path, settings)
    faces = followed.detect(detector(device, settings.min_face_px), frames, settings.face_confidence)
    return People(media, frames, tuple(faces), tuple(linked(frames, faces, settings, device)))


def read(path: str | Path, settings: AnalysisSettings) -> tuple[Media, Frames]:
    """Open a file and sample its frames: the part of an analysis that needs no model.

    Raises:
        TBDError: the file is refused.
    """
    media = open_media(path, settings.limits)
    return media, sampled(media, settings)


def sampled(media: Media, settings: AnalysisSettings) -> Frames:
    """The frames of an opened file that the settings ask for: spread ones, and runs where a model asked for sees neighbours.

    Raises:
        TBDError: the file or a model's name is refused.
    """
    specs = [registry.spec(name) for name in registry.resolve(settings.models, MEASURED_AS[media.kind])]
    frames = sample(media, settings.n_frames, settings.limits)
    return neighbours.with_runs(media, frames, specs, settings.limits)


class Bounds(Protocol):
    """The least size and presence of a face that is judged."""

    @property
    def min_face_px(self) -> int: ...

    @property
    def min_track_share(self) -> float: ...


def linked(frames: Frames, faces: Sequence[Faces], settings: Bounds, device: str = "cpu") -> list[FaceTrack]:
    """Tracks of the faces, within the settings' bounds and those of `fitness`."""
    found = tracks.link(
        frames, list(faces), min_face_px=settings.min_face_px, min_share=settings.min_track_share
    )
    return [fitness.checked(t, frames, detector(device, settings.min_face_px)) for t in found]


@lru_cache(maxsize=4)
def detector(device: str, min_face_px: int) -> FaceDetector:
    """A detector, kept in memory."""
    return FaceDetector(device, min_face_px)
