"""Where in a face a map of heat is strongest, by the landmarks of the face."""

from __future__ import annotations

from typing import Literal

import numpy as np

Place = Literal[
    "left_eye", "right_eye", "nose_bridge", "nose", "mouth", "chin", "forehead", "hairline", "left_cheek",
    "right_cheek", "left_temple", "right_temple", "left_jaw", "right_jaw", "outside",
]  # fmt: skip
NO_FOCUS = 0.25  # share of the report's colour scale under which a map is called empty
_LEAST_WIDTH = (
    0.35  # half the distance of the eyes over the distance from eyes to mouth, for a face in profile
)


def focus(heat: np.ndarray, landmarks: np.ndarray) -> Place | None:
    """The part of the face at the hottest place; None for a map without focus.

    Args:
        heat: (h,w) in [0,1] on the report's scale.
        landmarks: (5,2) px of the map: eyes, nose, mouth corners, image left first.
    """
    if heat.max(initial=0.0) < NO_FOCUS:
        return None
    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    return part(np.array([x + 0.5, y + 0.5]), landmarks)


def part(point: np.ndarray, landmarks: np.ndarray) -> Place:
    """The part of a face at a point; left and right are those of the picture.

    The face has axes of its own: across, in half the distance of the eyes; down, in the distance from eyes to mouth.

    Args:
        point: (2,) px.
        landmarks: (5,2) px.
    """
    left, right, _, mouth_left, mouth_right = np.asarray(landmarks, np.float64)
    centre, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    height = max(float(np.linalg.norm(mouth - centre)), 1e-6)
    down = (mouth - centre) / height
    across = np.array([down[1], -down[0]])  # a quarter turn: to the right of the picture in an upright face
    half = max(float(np.linalg.norm(right - left)) / 2, _LEAST_WIDTH * height)
    u = float((point - centre) @ across) / half
    v = float((point - centre) @ down) / height
    return _named(u, v)


def _named(u: float, v: float) -> Place:
    side: Literal["left", "right"] = "left" if u < 0 else "right"
    if abs(u) > 2.6 or not -1.6 <= v <= 2.0:
        return "outside"
    if v < -1.0:
        return "hairline"
    if v < -0.4:
        return "forehead"
    if v < 0.35:
        if abs(u) < 0.35:
            return "nose_bridge"
        if abs(u) <= 1.8:
            return "left_eye" if side == "left" else "right_eye"
        return "left_temple" if side == "left" else "right_temple"
    if v < 0.75:
        if abs(u) < 0.75:
            return "nose"
        return "left_cheek" if side == "left" else "right_cheek"
    if abs(u) < 1.2:
        return "mouth" if v < 1.3 else "chin"
    return "left_jaw" if side == "left" else "right_jaw"
