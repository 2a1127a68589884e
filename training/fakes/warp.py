"""Movements of a face in a picture: a similarity of the whole and smooth local pulls at eyes and mouth, sampled once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from training.fakes.selfblend import similarity_from_template

_STEP = 4  # fields are smooth: they are computed on every fourth pixel
IDENTITY = np.eye(2, 3)


@dataclass(frozen=True, slots=True)
class Pulls:
    """What is near `points` moves by `moves`, less with distance.

    Attributes:
        points: (V,2).
        moves: (V,2).
        radii: (V,2) along x and y, standard deviations of the falling off.
    """

    points: np.ndarray
    moves: np.ndarray
    radii: np.ndarray

    def joined(self, other: Pulls) -> Pulls:
        """Both."""
        parts = ((self.points, other.points), (self.moves, other.moves), (self.radii, other.radii))
        return Pulls(*(np.concatenate(part) for part in parts))


def expression(
    landmarks: np.ndarray, *, opening: float = 0.0, aside: float = 0.0, closing: float = 0.0
) -> Pulls:
    """Pulls of a mouth that opens and eyes that close.

    Args:
        landmarks: (5,2) px.
        opening: of the mouth, in eye distances; below 0 it closes.
        aside: of the mouth, in eye distances to the right.
        closing: of both eyes, 0 to 1.
    """
    rows = np.array(
        [  # place, move, radii in eye distances
            [0.0, 1.34, aside, opening, 0.38, 0.16],  # lower lip
            [0.0, 1.75, 0.3 * aside, 0.8 * opening, 0.50, 0.25],  # chin
            [0.0, 1.02, aside, -0.15 * opening, 0.35, 0.12],  # upper lip
            [-0.5, -0.08, 0.0, 0.14 * closing, 0.22, 0.09],  # lids
            [0.5, -0.08, 0.0, 0.14 * closing, 0.22, 0.09],
        ]
    )
    matrix = similarity_from_template(landmarks)
    linear = matrix[:, :2].T
    unit_px = float(np.hypot(*matrix[:, 0]))
    return Pulls(rows[:, :2] @ linear + matrix[:, 2], rows[:, 2:4] @ linear, rows[:, 4:] * unit_px)


def warp(image: np.ndarray, pulls: Pulls, matrix: np.ndarray = IDENTITY) -> np.ndarray:
    """Move a picture by a similarity (2,3), then pull at it; pulls are in pixels of the result. (H,W,3) uint8 in and out."""
    height, width = image.shape[:2]
    # Pixel centres of the coarse grid lie where cv2.resize will look for them.
    size = (-(-width // _STEP), -(-height // _STEP))
    x = (np.arange(size[0]) + 0.5) * width / size[0] - 0.5
    y = (np.arange(size[1]) + 0.5) * height / size[1] - 0.5
    away_x = np.exp(-0.5 * ((x - pulls.points[:, :1]) / pulls.radii[:, :1]) ** 2)  # (V,w)
    away_y = np.exp(-0.5 * ((y - pulls.points[:, 1:]) / pulls.radii[:, 1:]) ** 2)  # (V,h)
    field = np.einsum("vh,vw,vc->hwc", away_y, away_x, pulls.moves).astype(np.float32)
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    grid = np.stack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), -1)
    back = cv2.invertAffineTransform(np.asarray(matrix, np.float64)).astype(np.float32)
    places = cv2.transform(grid - field, back)
    return cv2.remap(image, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)  # pyright: ignore[reportCallIssue, reportArgumentType]
