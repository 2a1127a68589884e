"""A face as it would be after small changes of its file that leave it as it is for people: the views of `stability.py`.

What is changed is the part of the frame from which the crop comes, at the size and on the grid of blocks that it has in the
file; the crop is cut from it afterwards, as always. A codec works on the frame: a face of 500 px loses little that is left
at the 224 px that a model sees, and one of 80 px loses much. To compress the crop itself would treat both alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from tbd_app.media.recode import h264, jpeg
from tbd_app.pipeline.crops import Preprocess
from tbd_app.types import ViewName

JPEG_QUALITY = 50
CRF = 32
SHIFT_PX = 2.0  # of the crop that a model sees, and at least one of the frame
GRID_PX = 16  # a codec's blocks begin at multiples of it, from the corner of the frame
MIRRORED_POINTS = [1, 0, 2, 4, 3]  # of five landmarks, image left first


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture.

    Attributes:
        image: (H,W,3) uint8 RGB.
        box: (4,) xyxy px.
        landmarks: (5,2) px.
    """

    image: np.ndarray
    box: np.ndarray
    landmarks: np.ndarray


def part(face: Face, preprocess: Preprocess) -> Face:
    """The part of the frame that the crops of a face come from, also of its shifted view, with the codec's grid kept."""
    height, width = face.image.shape[:2]
    x0, y0, x1, y1 = preprocess.extent(face.box, face.landmarks, height, width)
    room = shift_px(face.box, preprocess) + 1
    left, top = (max(int(v - room) // GRID_PX * GRID_PX, 0) for v in (x0, y0))
    right, bottom = min(int(np.ceil(x1 + room)), width), min(int(np.ceil(y1 + room)), height)
    image = np.ascontiguousarray(face.image[top:bottom, left:right])
    offset = np.array([left, top], np.float32)
    return replace(face, image=image, box=face.box - np.tile(offset, 2), landmarks=face.landmarks - offset)


def shift_px(box: np.ndarray, preprocess: Preprocess) -> float:
    """`SHIFT_PX` of a model's crop in pixels of the frame."""
    side = max(float((box[2:] - box[:2]).max()), 1.0) * preprocess.margin
    return max(round(SHIFT_PX * side / preprocess.size), 1)


def as_jpeg(face: Face, preprocess: Preprocess) -> Face:
    """Saved as a JPEG picture."""
    return replace(face, image=jpeg(face.image, JPEG_QUALITY))


def as_h264(face: Face, preprocess: Preprocess) -> Face:
    """In a video that is encoded again, as a key frame.

    Its neighbours in the file are not at hand. A frame predicted from made-up motion loses more than whole clips that are
    encoded again, and a crop that is encoded by itself loses other things; a key frame came closest.
    """
    return replace(face, image=h264(face.image, CRF))


def at_half_size(face: Face, preprocess: Preprocess) -> Face:
    """In a file of half the width and height."""
    height, width = face.image.shape[:2]
    size = max(round(width / 2), 1), max(round(height / 2), 1)
    factor = np.array(size, np.float32) / (width, height)
    small = cv2.resize(face.image, size, interpolation=cv2.INTER_AREA)
    return replace(face, image=small, box=face.box * np.tile(factor, 2), landmarks=face.landmarks * factor)


def mirrored(face: Face, preprocess: Preprocess) -> Face:
    """Left and right exchanged."""
    width = face.image.shape[1]
    x0, y0, x1, y1 = face.box
    points = face.landmarks[MIRRORED_POINTS] * (-1, 1) + (width, 0)
    box = np.array([width - x1, y0, width - x0, y1], np.float32)
    return replace(
        face, image=np.ascontiguousarray(face.image[:, ::-1]), box=box, landmarks=points.astype(np.float32)
    )


def shifted(face: Face, preprocess: Preprocess) -> Face:
    """Found a little further right and down, as by another detector."""
    step = np.float32(shift_px(face.box, preprocess))
    return replace(face, box=face.box + step, landmarks=face.landmarks + step)


View = Callable[[Face, Preprocess], Face]
VIEWS: dict[ViewName, View] = {
    "jpeg_50": as_jpeg,
    "h264_crf_32": as_h264,
    "half_size": at_half_size,
    "mirrored": mirrored,
    "shifted": shifted,
}
