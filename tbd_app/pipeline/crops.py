"""Cut faces for a model and normalise them: the one preprocessing path of serving, evaluation and training.

A "square" crop is `margin` times the longer side of the face box, shifted into the picture where it fits and mirrored at the
border where it does not. An aligned crop is turned, scaled and shifted until the landmarks meet those of a mean face; what
lies outside the picture is black. Both are resized to the model's input size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from tbd_app.pipeline import batches
from tbd_app.pipeline.parallel import each
from tbd_app.types import CropRecipe, ModelSpec


@dataclass(frozen=True, slots=True)
class MeanFace:
    """Where landmarks come to lie in an aligned crop, as shares of its side.

    Attributes:
        margin: the recipe's margin for which the places hold.
        five: (5,2) eyes, nose, mouth corners, image left first.
        eight: (8,2) the points `STABLE` of 68, where known.
        finest_px: side of the crop in pictures of the finest faces that training saw; finer ones are reduced to it.
    """

    margin: float
    five: np.ndarray
    eight: np.ndarray | None = None
    finest_px: int | None = None


# Of the 68 points those that a talking face moves least: bridge and tip of the nose, corners of eyes and mouth.
STABLE = (28, 33, 36, 39, 42, 45, 48, 54)


def _lrw(points: list[tuple[float, float]]) -> np.ndarray:
    """Points on the 256 px canvas of the LRW mean face, as shares of the 150 px crop about (131.5, 120.3)."""
    return (np.array(points) - (131.5 - 75, 120.3 - 75)) / 150


_ARCFACE = np.array([(0.378, 0.470), (0.620, 0.469), (0.500, 0.608), (0.401, 0.750), (0.601, 0.749)])

# Sources: "arcface" is the five-point template as DeepfakeBench widens it by 1.3 (Yan et al., NeurIPS 2023);
# "lrw" the mean face of lip reading in the wild as DFD-FCG cuts it (Han et al., CVPR 2025);
# "lower" is a part of "arcface", from below the eyes to the chin, where lip-sync leaves its traces (LIPINC-V2, arXiv
# 2504.01470).
MEAN_FACES = {
    "arcface": MeanFace(1.3, _ARCFACE),
    "lower": MeanFace(1.0, (_ARCFACE - (0.29, 0.53)) / 0.42, finest_px=160),
    "lrw": MeanFace(
        1.0,
        _lrw([(102.1, 94.3), (156.4, 93.6), (128.3, 127.7), (107.2, 157.2), (152.2, 157.0)]),
        _lrw([(128.5, 106.9), (128.9, 137.3), (92.5, 94.4), (112.8, 94.9),
              (145.5, 94.5), (166.7, 93.6), (107.2, 157.2), (152.2, 157.0)]),
    ),
}  # fmt: skip


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
    return cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def cut_face(image: np.ndarray, box: np.ndarray, margin: float, size: int) -> np.ndarray:
    """`square_around` then `cut_square`: (size,size,3) uint8 RGB."""
    return cut_square(image, *square_around(box, margin, *image.shape[:2]), size)


def cut_inside(image: np.ndarray, box: np.ndarray, margin: float, size: int) -> np.ndarray:
    """A face for people to see: as `cut_face`, but a square that is larger than the picture shrinks and is not mirrored."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (float(v) for v in box)
    side = min(max(x1 - x0, y1 - y0, 1.0) * margin, height, width)
    return cut_square(image, *fit_square((x0 + x1) / 2, (y0 + y1) / 2, side, height, width), size)


def similarity(landmarks: np.ndarray, recipe: CropRecipe, size: int) -> np.ndarray:
    """Turn, scale and shift that bring landmarks closest to the recipe's mean face in a crop of `size` px.

    Least squares over the points, without reflection, in closed form (Umeyama, TPAMI 1991).

    Args:
        landmarks: (5,2) px, or (68,2) px where the mean face knows the stable ones of them.
        recipe: an aligned one.
        size: side of the crop, px.

    Returns:
        (2,3) float64, from places in the picture to places in the crop.

    Raises:
        ValueError: as many landmarks as no mean face knows.
    """
    mean_face = MEAN_FACES[recipe.kind]
    if len(landmarks) == 68 and mean_face.eight is not None:
        landmarks, targets = landmarks[list(STABLE)], mean_face.eight
    elif len(landmarks) == 5:
        targets = mean_face.five
    else:
        raise ValueError(f"{recipe.kind} crops need 5 landmarks, not {len(landmarks)}")
    targets = (0.5 + (targets - 0.5) * mean_face.margin / recipe.margin) * size
    # A turn with scale is one complex factor, so least squares is one division.
    source, target = (np.asarray(p, np.float64) @ (1, 1j) for p in (landmarks, targets))
    spread = source - source.mean()
    extent = float((np.abs(spread) ** 2).sum())
    # Landmarks that all coincide tell no scale; the crop then shows their place as it is.
    factor = (spread.conj() * (target - target.mean())).sum() / extent if extent > 0 else 1.0
    shift = target.mean() - factor * source.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def cut_aligned(image: np.ndarray, landmarks: np.ndarray, recipe: CropRecipe, size: int) -> np.ndarray:
    """A face in the pose of the recipe's mean face.

    Args:
        image: (H,W,3) uint8 RGB.
        landmarks: (5,2) or (68,2) px.
        recipe: an aligned one.
        size: side of the result, px.

    Returns:
        (size,size,3) uint8 RGB, black outside the picture.
    """
    to_crop = similarity(landmarks, recipe, size)
    scale = float(np.hypot(to_crop[0, 0], to_crop[1, 0]))
    finest = MEAN_FACES[recipe.kind].finest_px
    kept = min(scale if scale < 0.5 else 1.0, finest * scale / size if finest else 1.0)
    if kept < 1:
        # Warping picks single pixels, so a large face is reduced by area first.
        reduced = (max(round(image.shape[1] * kept), 1), max(round(image.shape[0] * kept), 1))
        factors = np.array(reduced) / image.shape[1::-1]
        image = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA)
        to_crop = to_crop / (*factors, 1)
    # Landmarks count from the picture's edge, OpenCV from the middle of its first pixel.
    to_crop[:, 2] += to_crop[:, :2] @ (0.5, 0.5) - 0.5
    return cv2.warpAffine(image, to_crop, (size, size), flags=cv2.INTER_LINEAR)


def moved(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points (n,2) under an affine map (2,3), such as that of `Preprocess.to_crop`."""
    return points @ affine[:, :2].T + affine[:, 2]


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Crops and normalisation of one model; make it with `for_spec`."""

    size: int
    recipe: CropRecipe
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def margin(self) -> float:
        """Side of the crop over the face."""
        return self.recipe.margin

    def crops(
        self, images: Sequence[np.ndarray], boxes: np.ndarray, landmarks: np.ndarray | None = None
    ) -> np.ndarray:
        """Faces as the model sees them, before normalisation.

        Args:
            images: K pictures (H,W,3) uint8 RGB.
            boxes: (K,4) xyxy px.
            landmarks: (K,5,2) px, or (K,68,2) where the recipe knows them; aligned recipes need them.

        Returns:
            (K,S,S,3) uint8 RGB.

        Raises:
            ValueError: an aligned recipe without landmarks.
        """
        if self.recipe.kind == "square":
            cut = each(lambda image, box: cut_face(image, box, self.recipe.margin, self.size), images, boxes)
        elif landmarks is None:
            raise ValueError(f"{self.recipe.kind} crops need landmarks")
        else:
            cut = each(
                lambda image, points: cut_aligned(image, points, self.recipe, self.size), images, landmarks
            )
        return np.stack(cut) if cut else np.zeros((0, self.size, self.size, 3), np.uint8)

    def extent(
        self, box: np.ndarray, landmarks: np.ndarray, height: int, width: int
    ) -> tuple[float, float, float, float]:
        """What of a picture the crop of a face shows.

        Args:
            box: (4,) xyxy px.
            landmarks: (5,2) px.
            height: of the picture, px.
            width: of the picture, px.

        Returns:
            x0, y0, x1, y1 px, upright around the crop; it may leave the picture.
        """
        if self.recipe.kind == "square":
            x0, y0, side = square_around(box, self.recipe.margin, height, width)
            return x0, y0, x0 + side, y0 + side
        back = cv2.invertAffineTransform(similarity(landmarks, self.recipe, self.size))
        corners = np.array([(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1)]) * (self.size, self.size, 1) @ back.T
        return (*corners.min(0).tolist(), *corners.max(0).tolist())

    def to_crop(self, shape: tuple[int, ...], box: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The map (2,3) float64 from places in a picture of `shape` to places in the crop of a face, px."""
        if self.recipe.kind != "square":
            return similarity(landmarks, self.recipe, self.size)
        x0, y0, side = (round(v) for v in square_around(box, self.recipe.margin, *shape[:2]))
        scale = self.size / max(side, 1)
        return np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale]])

    def inside(self, shape: tuple[int, ...], box: np.ndarray, size: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what is no mirror image in a crop of `size` px; an aligned one has none."""
        if self.recipe.kind != "square":
            return 0, 0, size, size
        x0, y0, side = (round(v) for v in square_around(box, self.recipe.margin, *shape[:2]))
        scale = size / max(side, 1)
        left, top = (max(math.ceil(-v * scale), 0) for v in (x0, y0))
        right, bottom = (
            min(math.floor((extent - v) * scale), size) for extent, v in ((shape[1], x0), (shape[0], y0))
        )
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def tensor(self, crops: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
        """(K,S,S,3) uint8 RGB to (K,3,S,S) float32, (x/255 - mean) / std."""
        x = (
            batches.on_device(torch.from_numpy(np.ascontiguousarray(crops)), device)
            .permute(0, 3, 1, 2)
            .float()
        )
        mean = torch.tensor(self.mean, device=device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=device).view(1, 3, 1, 1)
        return (x / 255.0 - mean) / std


def for_spec(spec: ModelSpec) -> Preprocess:
    """The preprocessing that belongs to a model's weights."""
    return Preprocess(spec.input_size, spec.crop, spec.mean, spec.std)
