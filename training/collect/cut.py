"""From one medium to its faces, by the code that serves: frames, two-pass detection, tracks and wide crops."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from tbd_app.errors import CorruptMedia, TBDError
from tbd_app.media.open import open_media
from tbd_app.media.packets import uniform_indices
from tbd_app.media.sample import sample
from tbd_app.pipeline import people
from tbd_app.pipeline.faces import iou
from tbd_app.settings import Limits
from tbd_app.types import Faces, Frames
from training.collect.builders.layout import IMAGES, files
from training.collect.medium import KnownFace, Medium
from training.faces.bank import cut_wide

CHANGED = 16  # of 255; masks went through a lossy codec
SAME_FACE = 0.3  # least IoU of a known box and a found one; crops are made by other detectors
NO_FACE = "No face was found that the second pass confirms, large and long enough."


@dataclass(frozen=True, slots=True)
class CutSettings:
    """How faces are found and stored.

    Attributes:
        frames: sampled from each medium, evenly from the first to the last.
        face_confidence: least probability of a face.
        min_face_px: smaller faces (median longer side of the box) are left out.
        min_track_share: people seen in a smaller share of the frames are left out.
        find_landmarks: of face crops that come without; the box stays the known one.
        quality: of the JPEGs, without chroma subsampling.
        max_file_mb: larger files fail.
        max_duration_s: longer videos fail.
    """

    frames: int = 32
    face_confidence: float = 0.9
    min_face_px: int = 48
    min_track_share: float = 0.25
    find_landmarks: bool = True
    quality: int = 95
    max_file_mb: float = 4000.0
    max_duration_s: float = 7200.0


@dataclass(frozen=True, slots=True)
class CutFace:
    """One face in its surroundings: a JPEG, with box (4,) and landmarks (5,2) or None in its pixels."""

    track_id: int
    frame: int
    time_s: float
    jpeg: bytes
    box: np.ndarray
    landmarks: np.ndarray | None
    mask_share: float | None


@dataclass(frozen=True, slots=True)
class CutMedium:
    """Faces of a medium, or the sentence that says why there are none."""

    faces: tuple[CutFace, ...] = ()
    fps: float | None = None
    n_frames: int = 0
    failure: str = ""

    def kind(self, medium: Medium) -> str:
        """What it was cut from: "video", "image", or "crop" where the face was known."""
        if self.fps is not None or self.n_frames > 1:
            return "video"
        return "crop" if medium.face else "image"


def cut(medium: Medium, settings: CutSettings) -> CutMedium:
    """All faces of all people in a medium; whatever is wrong with it is told, not raised."""
    try:
        return _cut(medium, settings)
    except TBDError as error:
        return CutMedium(failure=error.message)
    except Exception as error:  # one odd file of a hundred thousand must not end a run of days
        return CutMedium(failure=f"Unexpected {type(error).__name__}: {error}")


def _cut(medium: Medium, settings: CutSettings) -> CutMedium:
    limits = Limits(max_file_mb=settings.max_file_mb, max_duration_s=settings.max_duration_s)
    fps, n_frames, sampled = _sample(medium, settings.frames, limits)
    places = _known(medium.face, sampled, settings) if medium.face else _found(sampled, settings)
    masks = _masks(medium, sampled, limits) if medium.mask else None
    faces = []
    for track_id, position, box, landmarks in places:
        wide, origin, scale = cut_wide(sampled.images[position], box)
        _, jpeg = cv2.imencode(".jpg", wide[..., ::-1], _jpeg_options(settings.quality))
        faces.append(
            CutFace(
                track_id=track_id,
                frame=int(sampled.indices[position]),
                time_s=float(sampled.times_s[position]),
                jpeg=jpeg.tobytes(),
                box=((box.reshape(2, 2) - origin) * scale).reshape(4),
                landmarks=None if landmarks is None else (landmarks - origin) * scale,
                mask_share=None if masks is None else _share(masks[position], box),
            )
        )
    return CutMedium(tuple(faces), fps, n_frames, "" if faces else NO_FACE)


def _sample(medium: Medium, n: int, limits: Limits) -> tuple[float | None, int, Frames]:
    """Frames a second (None for pictures), number of frames and up to `n` of them."""
    if medium.path.is_dir():
        pictures = files(medium.path, IMAGES)
        if not pictures:
            raise CorruptMedia("The folder holds no pictures.")
        # Not in the sandbox: a process for each of a million pictures would take days.
        indices = uniform_indices(len(pictures), n)
        images = tuple(_picture(pictures[i]) for i in indices)
        order = np.array(indices, np.int64)
        return None, len(pictures), Frames(images, order, order.astype(np.float64), n)
    if medium.face:
        zero = np.zeros(1, np.int64)
        return None, 1, Frames((_picture(medium.path),), zero, zero.astype(np.float64), n)
    media = open_media(medium.path, limits)
    return media.fps, media.n_frames, sample(media, n, limits)


def _picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except FileNotFoundError as error:
        raise CorruptMedia(f"There is no file {path.name!r}.") from error
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises on damage
        raise CorruptMedia(f"The picture {path.name!r} cannot be read.") from error


Place = tuple[int, int, np.ndarray, np.ndarray | None]  # track, position in the frames, box, landmarks


def _known(face: KnownFace, sampled: Frames, settings: CutSettings) -> list[Place]:
    places = [(0, i, *face.at(*image.shape[1::-1])) for i, image in enumerate(sampled.images)]
    if face.landmarks is not None or not settings.find_landmarks:
        return places
    found = people.detector("cpu", settings.min_face_px).detect(sampled.images, settings.face_confidence)
    return [(*place[:3], _landmarks_at(place[2], faces)) for place, faces in zip(places, found, strict=True)]


def _landmarks_at(box: np.ndarray, faces: Faces) -> np.ndarray | None:
    """Landmarks (5,2) of the verified face that is where `box` is, if any."""
    overlaps = np.array([iou(box, other) for other in faces.boxes]) * faces.verified
    if not len(faces) or overlaps.max() < SAME_FACE:
        return None
    return faces.landmarks[overlaps.argmax()]


def _found(sampled: Frames, settings: CutSettings) -> list[Place]:
    faces = people.detector("cpu", settings.min_face_px).detect(sampled.images, settings.face_confidence)
    linked = people.linked(sampled, faces, settings)
    return [
        (track.track_id, int(position), box, landmarks)
        for track in linked
        if track.exclusion is None
        for position, box, landmarks in zip(track.positions, track.boxes, track.landmarks, strict=True)
    ]


def _masks(medium: Medium, sampled: Frames, limits: Limits) -> list[np.ndarray]:
    """What was changed in each frame, (H,W) bool; a mask frame that is missing is replaced by the nearest."""
    media = open_media(medium.root / medium.mask, limits)
    masks = sample(media, sampled.requested, limits)
    out = []
    for index, image in zip(sampled.indices, sampled.images, strict=True):
        mask = masks.images[int(np.abs(masks.indices - index).argmin())].max(axis=2)
        if mask.shape != image.shape[:2]:
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        out.append(mask > CHANGED)
    return out


def _share(mask: np.ndarray, box: np.ndarray) -> float:
    """Share of a box that is changed."""
    x0, y0 = np.maximum(np.floor(box[:2]), 0).astype(int)
    x1, y1 = np.ceil(box[2:]).astype(int)
    inside = mask[y0:y1, x0:x1]
    return float(inside.mean()) if inside.size else 0.0


def _jpeg_options(quality: int) -> list[int]:
    full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    return [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]


def start_worker() -> None:
    """Worker processes share the cores among them, leave it to their parent to be interrupted, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    # After a kill of the parent its workers would wait for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
