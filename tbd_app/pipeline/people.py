"""Who is in a file: `find(path, settings) -> People`, from the file to the tracks, as every analysis does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.pipeline import tracks
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
    media = open_media(path, settings.limits)
    frames = sample(media, settings.n_frames, settings.limits)
    faces = faces_of(frames, settings, device)
    return People(media, frames, tuple(faces), tuple(linked(frames, faces, settings)))


def faces_of(
    frames: Frames, settings: AnalysisSettings, device: str, on_frame: Callable[[int], None] = lambda _: None
) -> list[Faces]:
    """The faces of each frame; `on_frame` is called with the number of frames that are done."""
    found: dict[int, Faces] = {}
    finder = detector(device, settings.min_face_px)
    for position, faces in finder.detect_iter(frames.images, settings.face_confidence):
        found[position] = faces
        on_frame(len(found))
    return [found[position] for position in range(len(frames))]


def linked(frames: Frames, faces: Sequence[Faces], settings: AnalysisSettings) -> list[FaceTrack]:
    """Tracks of the faces, within the settings' bounds."""
    return tracks.link(
        frames, list(faces), min_face_px=settings.min_face_px, min_share=settings.min_track_share
    )


@lru_cache(maxsize=4)
def detector(device: str, min_face_px: int) -> FaceDetector:
    """A detector, kept in memory."""
    return FaceDetector(device, min_face_px)
