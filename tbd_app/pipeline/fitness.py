"""Which faces can be judged at all: a face that is turned, too dark, too blurred or seen only from the side is declined.

The bounds lie far outside what ordinary media show, so that what is declined is beyond doubt: of 71 people in 70 files of
the validation media none was. A face that is covered or drawn is not recognised as such: nothing simple tells it reliably.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from tbd_app.pipeline.crops import cut_face, cut_square
from tbd_app.pipeline.faces import VERIFY_SIDE_PX, FaceDetector, around
from tbd_app.pipeline.parallel import each
from tbd_app.types import Exclusion, FaceTrack, Frames

CHECKED_FRAMES = 3  # of a track, or of a file without a confirmed face
TURNED_BY = 3.0  # log-odds by which another quarter turn must be the likelier face; of 212 upright ones none came beyond 1.9
BRIGHT_PERCENTILE = 95.0
TOO_DARK = 40.0  # of 255, at the percentile; the darkest of 64 ordinary faces had 121
TOO_BLURRED = 5.0  # of `TrackQuality.blur`; a face shown with 16 px of detail has 6, the softest of 212 ordinary ones had 15
# Offset of the nose from between the eyes, over their distance; beyond three quarters of a profile.
SIDE_VIEW = 0.6


def checked(track: FaceTrack, frames: Frames, detector: FaceDetector) -> FaceTrack:
    """The track, with the first reason why it cannot be judged; one that has a reason is left as it is."""
    if track.exclusion is not None:
        return track
    images = [frames.images[int(p)] for p in track.positions]
    reason: Exclusion | None = None
    if quarter_turns(images, track.boxes, detector):
        reason = "face_turned"
    elif brightness(images, track.boxes) < TOO_DARK:
        reason = "too_dark"
    elif track.quality.blur < TOO_BLURRED:
        reason = "too_blurred"
    elif np.median(nose_offset(track.landmarks)) >= SIDE_VIEW:
        reason = "side_view"
    return replace(track, exclusion=reason)


def quarter_turns(images: Sequence[np.ndarray], boxes: np.ndarray, detector: FaceDetector) -> int:
    """Anticlockwise quarter turns, 0 to 3, after which a face stands upright.

    The detector's landmarks do not tell it, which on a face upside down are placed as on an upright one. Its certainty does.

    Args:
        images: K pictures (H,W,3) uint8 RGB.
        boxes: (K,4) xyxy px of one face.
        detector: is asked about `CHECKED_FRAMES` of them.
    """
    crops = [cut_square(images[k], *around(boxes[k]), VERIFY_SIDE_PX) for k in _spread(len(images))]
    sure = detector.certainty(np.stack([np.rot90(crop, turn) for crop in crops for turn in range(4)]))
    by_turn = np.median(sure.reshape(-1, 4), axis=0)
    best = int(by_turn.argmax())
    return best if by_turn[best] - by_turn[0] >= TURNED_BY else 0


def faces_when_turned(images: Sequence[np.ndarray], detector: FaceDetector, confidence: float) -> int:
    """In how many of a few checked pictures a face is confirmed once they are turned; for files without a confirmed face."""
    return sum(_shows_face_when_turned(images[k], detector, confidence) for k in _spread(len(images)))


def _shows_face_when_turned(image: np.ndarray, detector: FaceDetector, confidence: float) -> bool:
    for turn in (2, 1, 3):
        turned = np.ascontiguousarray(np.rot90(image, turn))
        (faces,) = detector.detect([turned], confidence)
        if any(quarter_turns([turned], box[None], detector) == 0 for box in faces.boxes[faces.verified]):
            return True
    return False


def _spread(n: int) -> list[int]:
    """At most `CHECKED_FRAMES` places among n, from the middle of equal parts."""
    parts = min(n, CHECKED_FRAMES)
    return [(2 * k + 1) * n // (2 * parts) for k in range(parts)]


def brightness(images: Sequence[np.ndarray], boxes: np.ndarray) -> float:
    """How bright the bright parts of a face are, 0 to 255, median over its frames; skin tone moves it little."""
    return float(np.median(each(_brightness, images, boxes)))


def _brightness(image: np.ndarray, box: np.ndarray) -> float:
    grey = cv2.cvtColor(cut_face(image, box, 1.0, 64), cv2.COLOR_RGB2GRAY)
    return float(np.percentile(grey, BRIGHT_PERCENTILE))


def nose_offset(landmarks: np.ndarray) -> np.ndarray:
    """(K,) how far the nose lies from between the eyes, along the line of the eyes, over their distance.

    Args:
        landmarks: (K,5,2) px.
    """
    eyes = landmarks[:, 1] - landmarks[:, 0]
    nose = landmarks[:, 2] - landmarks[:, :2].mean(axis=1)
    return np.abs((nose * eyes).sum(axis=1)) / np.maximum((eyes**2).sum(axis=1), 1e-6)
