"""Cut faces for a model and normalise them: the one preprocessing path of serving, evaluation and training.

A crop is a square of `margin` times the longer side of the face box, shifted into the picture where it fits and mirrored at
the border where it does not, resized to the model's input size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from tbd_app.types import ModelSpec


def square_around(box: np.ndarray, margin: float, height: int, width: int) -> tuple[float, float, float]:
    """The square for a face box.

    Args:
        box: (4,) xyxy px.
        margin: side of the square over the longer side of the box.
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        x0, y0, side in px; the square leaves the picture only when it is larger than it.
    """
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(x1 - x0, y1 - y0, 1.0) * margin
    return fit_square((x0 + x1) / 2, (y0 + y1) / 2, side, height, width)


def fit_square(
    centre_x: float, centre_y: float, side: float, height: int, width: int
) -> tuple[float, float, float]:
    """x0, y0, side of a square moved into the picture where it fits, centred on the picture where it does not."""

    def start(centre: float, extent: int) -> float:
        if side >= extent:
            return (extent - side) / 2
        return min(max(centre - side / 2, 0.0), extent - side)

    return start(centre_x, width), start(centre_y, height), side


def cut_square(image: np.ndarray, x0: float, y0: float, side: float, size: int) -> np.ndarray:
    """Resample a square of a picture.

    Args:
        image: (H,W,3) uint8 RGB.
        x0: left edge, px; may be negative.
        y0: top edge, px.
        side: px.
        size: side of the result, px.

    Returns:
        (size,size,3) uint8 RGB, contiguous.
    """
    height, width = image.shape[:2]
    left, top = round(x0), round(y0)
    extent = max(round(side), 1)
    right, bottom = left + extent, top + extent
    patch = image[max(top, 0) : bottom, max(left, 0) : right]
    pads = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if any(pads):
        # BORDER_REFLECT repeats as often as it must, so a crop larger than the picture works too.
        patch = cv2.copyMakeBorder(patch, *pads, cv2.BORDER_REFLECT)
    shrinks = extent > size
    return cv2.resize(
        np.ascontiguousarray(patch),
        (size, size),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def cut_face(image: np.ndarray, box: np.ndarray, margin: float, size: int) -> np.ndarray:
    """`square_around` then `cut_square`: (size,size,3) uint8 RGB."""
    return cut_square(image, *square_around(box, margin, *image.shape[:2]), size)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Crops and normalisation of one model; make it with `for_spec`."""

    size: int
    margin: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def crops(self, images: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Faces as the model sees them, before normalisation.

        Args:
            images: K pictures (H,W,3) uint8 RGB.
            boxes: (K,4) xyxy px.

        Returns:
            (K,S,S,3) uint8 RGB.
        """
        cut = [cut_face(image, box, self.margin, self.size) for image, box in zip(images, boxes, strict=True)]
        return np.stack(cut) if cut else np.zeros((0, self.size, self.size, 3), np.uint8)

    def tensor(self, crops: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
        """(K,S,S,3) uint8 RGB to (K,3,S,S) float32, (x/255 - mean) / std."""
        x = torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2).float()
        mean = torch.tensor(self.mean, device=device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=device).view(1, 3, 1, 1)
        return (x / 255.0 - mean) / std


def for_spec(spec: ModelSpec) -> Preprocess:
    """The preprocessing that belongs to a model's weights."""
    return Preprocess(spec.input_size, spec.crop.margin, spec.mean, spec.std)
