"""Faces of the frames of a timeline: one frame of four is searched for all sizes, those between for known ones first.

Faces hardly grow or shrink within a second, and the search for the smallest ones takes most of the time. A frame between two
that show the same confirmed people is searched for faces of their sizes alone, with the same result; where that finds other
people, or where a cut or too much time lies between, it is searched like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tbd_app.pipeline import tracks
from tbd_app.pipeline.faces import DETECT_SIDE_PX, FaceDetector
from tbd_app.types import Faces, Frames

EVERY = 4  # one frame of so many is searched
MAX_GAP_S = 0.7  # between neighbouring frames; over more time people come and go unseen


def detect(detector: FaceDetector, frames: Frames, confidence: float) -> list[Faces]:
    """Faces of each frame, as `FaceDetector.detect` finds them."""
    return [faces for _, faces in sorted(detect_iter(detector, frames, confidence))]


def detect_iter(detector: FaceDetector, frames: Frames, confidence: float) -> Iterator[tuple[int, Faces]]:
    """As `detect`, but yields (position, Faces) after each small batch, so that a caller can show progress or stop."""
    shots = _shots(frames)
    searched = sorted({p for a, b in shots for p in (*range(a, b, EVERY), b)})
    found: dict[int, Faces] = {}
    for place, faces in detector.detect_iter([frames.images[p] for p in searched], confidence):
        found[searched[place]] = faces
        yield searched[place], faces
    known = {
        p: faces
        for a, b in pairwise(searched)
        if (faces := _shared(found[a], found[b]))
        for p in range(a + 1, b)
    }
    between = list(known)
    smallest = [_smallest_px(known[p]) for p in between]
    for place, faces in detector.detect_iter([frames.images[p] for p in between], confidence, smallest):
        if _shared(known[between[place]], faces):
            found[between[place]] = faces
            yield between[place], faces
    left = [p for p in range(len(frames)) if p not in found]
    for place, faces in detector.detect_iter([frames.images[p] for p in left], confidence):
        yield left[place], faces


def _shots(frames: Frames) -> list[tuple[int, int]]:
    """First and last positions of frames that follow each other closely; of a zip, and of small frames, each is by itself."""
    times, sizes = frames.times_s, [image.shape for image in frames.images]
    timeline = (np.diff(times) > 0).all() and (times != frames.indices).any()
    # The smallest faces of a small frame are searched for in no time.
    followed = timeline and max(max(size) for size in sizes) > DETECT_SIDE_PX
    cuts = tracks.cuts(frames.images) if followed else []
    starts = [
        p
        for p in range(len(frames))
        if p == 0
        or not followed
        or cuts[p]
        or sizes[p] != sizes[p - 1]
        or times[p] - times[p - 1] > MAX_GAP_S
    ]
    return [(a, b - 1) for a, b in pairwise([*starts, len(frames)])]


def _shared(before: Faces, after: Faces) -> Faces | None:
    """The faces of two frames with the same people, all of them confirmed, else None; the frame with the smallest face."""
    if not len(before) or len(before) != len(after) or not (before.verified.all() and after.verified.all()):
        return None
    closeness = np.array([[tracks.closeness(x, y) for y in after.boxes] for x in before.boxes])
    partner = closeness.argmax(axis=1)
    if len(set(partner)) != len(partner) or not closeness.max(axis=1).all():
        return None
    return min(before, after, key=_smallest_px)


def _smallest_px(faces: Faces) -> float:
    return float((faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1).min())
