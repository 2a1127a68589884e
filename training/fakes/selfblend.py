"""Pseudo-fakes from one real face: two slightly different versions of it are blended inside a deformed face mask.

The detector learns blending borders and the mismatch between inside and outside, which face swaps and lip-sync share; no fake
data are needed. Written from the paper "Detecting Deepfakes with Self-Blended Images" (CVPR 2022, arXiv 2204.08376) and fact
sheet G; masks come from five landmarks and a mean face outline, and the ranges are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Mean frontal face in eye-distance units: origin between the eyes, y down (fact sheet G, section 8).
LANDMARK_TEMPLATE = np.array([(-0.5, 0), (0.5, 0), (-0.02, 0.62), (-0.41, 1.17), (0.42, 1.16)])
_LEFT_OUTLINE = [
    (-0.60, -0.38), (-0.76, -0.36), (-0.89, -0.26), (-1.13, 0.05), (-1.11, 0.38), (-1.05, 0.67),
    (-0.99, 0.95), (-0.91, 1.27), (-0.76, 1.53), (-0.57, 1.71), (-0.34, 1.88), (0.0, 1.96),
]  # fmt: skip
_LEFT_FOREHEAD = [(0.0, -1.20), (-0.35, -1.15), (-0.70, -0.95), (-0.95, -0.55)]
REGIONS = ("face", "lower_face", "mouth", "eyes", "nose")
REGION_SHARES = (0.72, 0.10, 0.08, 0.06, 0.04)


@dataclass(frozen=True, slots=True)
class Pair:
    """A real picture and its pseudo-fake, with the mask that was used.

    Attributes:
        real: (H,W,3) uint8 RGB.
        fake: (H,W,3) uint8 RGB.
        mask: (H,W) float32 in [0,1].
        region: one of `REGIONS` that was chosen for the mask, where one was.
    """

    real: np.ndarray
    fake: np.ndarray
    mask: np.ndarray
    region: str = ""


def self_blend(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> Pair:
    """One real picture and one pseudo-fake of it.

    Args:
        image: (H,W,3) uint8 RGB, a face with some surroundings.
        landmarks: (5,2) px: eyes, nose, mouth corners, image left first.
        rng: source of every draw.

    Returns:
        The pair. In half of the draws the changed version is the target, so that the real picture too is sometimes
        recoloured or resampled: such changes alone must not count as fake.
    """
    region = str(rng.choice(REGIONS, p=REGION_SHARES))
    mask = face_mask(landmarks, image.shape[:2], rng, region)
    changed = change_statistics(image, rng, coarse=region in ("lower_face", "mouth"))
    source, target = (changed, image) if rng.random() < 0.5 else (image, changed)
    source, mask = _shift(source, mask, rng)
    mask = soften(mask, rng)
    return Pair(target, blend(source, target, mask), mask, region)


def self_blend_clip(
    images: Sequence[np.ndarray], landmarks: np.ndarray, rng: np.random.Generator
) -> list[Pair]:
    """`self_blend` of a clip: one draw for all frames, but for a mask that trembles and a colour that flickers a little.

    Args:
        images: T pictures (H,W,3) uint8 RGB of one face; their sizes may differ.
        landmarks: (T,5,2) px.
        rng: source of every draw.

    Returns:
        T pairs.
    """
    seed, trembles, flickers = int(rng.integers(2**63)), rng.uniform(0, 0.02), rng.uniform(0, 1.5)
    noise = wander(len(images), 11, rng)
    pairs = []
    for image, points, step in zip(images, landmarks, noise, strict=True):
        shake = trembles * float(np.hypot(*(points[1] - points[0]))) * step[:10].reshape(5, 2)
        pair = self_blend(image, points + shake, np.random.default_rng(seed))
        fake = pair.fake + np.float32(flickers * step[10]) * pair.mask[..., None]
        pairs.append(Pair(pair.real, to_uint8(fake), pair.mask, pair.region))
    return pairs


def wander(length: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit variance that remembers the frame before: (length, width) float64."""
    out = rng.normal(size=(length, width))
    for now in range(1, length):
        out[now] = 0.6 * out[now - 1] + 0.8 * out[now]
    return out


def blend(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """mask * source + (1 - mask) * target: mask 0 gives the target, mask 1 the source. (H,W,3) uint8."""
    m = mask[..., None]
    mixed = source.astype(np.float32) * m + target.astype(np.float32) * (1 - m)
    return to_uint8(mixed)


def to_uint8(x: np.ndarray) -> np.ndarray:
    """Rounded and cut to 0...255."""
    return np.rint(np.clip(x, 0, 255)).astype(np.uint8)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity (2,3), without reflection, that moves (V,2) points onto (V,2) points."""
    (x, y), n = source.T, len(source)
    zero, one = np.zeros(n), np.ones(n)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, tx, ty = np.linalg.lstsq(rows, target.T.reshape(-1).astype(np.float64), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


def similarity_from_template(landmarks: np.ndarray) -> np.ndarray:
    """The similarity (2,3) from template units to pixels for (5,2) landmarks."""
    return similarity(LANDMARK_TEMPLATE, landmarks)


def outline(landmarks: np.ndarray, *, forehead: bool) -> np.ndarray:
    """Face outline for five landmarks: (V,2) px, a simple polygon, the jaw shifted with the turn of the head."""
    left = np.array(([*_LEFT_FOREHEAD[1:]] if forehead else []) + _LEFT_OUTLINE)
    right = left[:-1][::-1] * (-1, 1)
    points = np.concatenate([left, right])
    if forehead:
        points = np.concatenate([points, [_LEFT_FOREHEAD[0]]])
    matrix = similarity_from_template(landmarks)
    to_template = np.linalg.inv(matrix[:, :2])
    nose_x = float((to_template @ (landmarks[2] - matrix[:, 2]))[0])
    points[:, 0] += np.clip(0.8 * nose_x * (1 + points[:, 1]) / 2, -0.4, 0.4) * (points[:, 1] > 0)
    return points @ matrix[:, :2].T + matrix[:, 2]


def face_mask(
    landmarks: np.ndarray, shape: tuple[int, int], rng: np.random.Generator, region: str = "face"
) -> np.ndarray:
    """A jittered, elastically deformed mask of a face region: (H,W) float32, 0 or 1 before softening."""
    matrix = similarity_from_template(landmarks)
    unit_px = float(np.hypot(*matrix[:, 0]))
    if region == "face":
        points = outline(landmarks, forehead=bool(rng.random() < 0.6))
    else:
        points = _part(region, rng) @ matrix[:, :2].T + matrix[:, 2]
    centre = points.mean(0)
    points = centre + (points - centre) * rng.uniform(0.85, 1.1)
    points += rng.normal(0, 0.04 * unit_px, points.shape)
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], (1.0,), shift=4)
    return _elastic(mask, rng)


def _part(region: str, rng: np.random.Generator) -> np.ndarray:
    """Outline of a part of the face in template units, (V,2)."""
    if region == "lower_face":  # the box that lip-sync methods paste
        top, half = rng.uniform(0.25, 0.7), rng.uniform(0.8, 1.15)
        return np.array([(-half, top), (half, top), (half * 0.9, 2.0), (-half * 0.9, 2.0)])
    centre, radii = {
        "mouth": ((0, 1.17), (0.65, 0.42)),
        "eyes": ((0, 0), (1.0, 0.36)),
        "nose": ((0, 0.45), (0.38, 0.48)),
    }[region]
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.array(centre) + np.stack([np.cos(angle), np.sin(angle)], 1) * radii


def _elastic(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bend a mask with a smooth random field; drawn on a coarse grid, because it is smooth anyway."""
    height, width = mask.shape
    alpha = rng.uniform(50, 150) * max(height, width) / 256
    # One grid for all sizes, so that frames of slightly different size bend alike.
    field = rng.random((64, 64, 2), np.float32) * 2 - 1
    # Blurring with sigma 7/4 at a quarter of the size leaves 4 times the amplitude of sigma 7 at full size.
    field = cv2.GaussianBlur(field, (0, 0), 7 / 4) * (alpha / 4)
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(mask, grid_x + field[..., 0], grid_y + field[..., 1], cv2.INTER_LINEAR)


def soften(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Erode, feather and weaken a mask: (H,W) float32 in [0,1].

    Thin parts may vanish in the erosion; the mask is then only feathered.
    """
    k1, k2 = (int(rng.integers(2, 13)) * 2 + 1 for _ in range(2))
    sigma, ratio = float(rng.uniform(2, 25)), float(rng.choice([0.35, 0.6, 0.8, 1, 1, 1]))
    eroded = (cv2.GaussianBlur(mask, (k1, k1), 0) >= 0.999).astype(np.float32)
    out = cv2.GaussianBlur(eroded if eroded.any() else mask, (k2, k2), sigma)
    peak = float(out.max())
    return out * (ratio / peak) if peak > 0 else out


def _shift(source: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Move and scale source and mask together by a few percent."""
    height, width = mask.shape
    scale = rng.uniform(0.95, 1 / 0.95)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 1.0)), float(scale))
    matrix[:, 2] += rng.uniform(-0.03, 0.03) * width, rng.uniform(-0.015, 0.015) * height
    moved = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return moved, cv2.warpAffine(mask, matrix, (width, height))


def change_statistics(image: np.ndarray, rng: np.random.Generator, *, coarse: bool = False) -> np.ndarray:
    """Another version of a picture: colour, light, and one of lower resolution, sharpening or softness.

    Args:
        image: (H,W,3) uint8 RGB.
        rng: source of every draw.
        coarse: prefer low resolution, as generators of small patches leave it.
    """
    # Good fakes match their surroundings well, so most draws are subtle.
    strength = float(rng.uniform(0.15, 1)) ** 1.5
    x = image.astype(np.float32)
    if rng.random() < 0.4:
        x = x + strength * rng.uniform(-20, 20, 3).astype(np.float32)
    contrast, light = 1 + strength * rng.uniform(-0.15, 0.15), strength * rng.uniform(-18, 18)
    x = (x - 128) * np.float32(contrast) + np.float32(128 + light)
    hsv = cv2.cvtColor(np.clip(x, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + strength * rng.uniform(-6, 6)) % 180
    hsv[..., 1] += strength * rng.uniform(-20, 20)
    out = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    kind = rng.random()
    if kind < (0.7 if coarse else 0.45):
        return resample(out, float(rng.uniform(0.25, 0.75)), rng)
    if kind < 0.85:
        soft = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.8, 1.6)))
        return cv2.addWeighted(out, 1 + (amount := float(rng.uniform(0.3, 1.0))), soft, -amount, 0)
    return cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 1.5)))


def resample(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Scale a picture down by `factor` and up again with random interpolations."""
    height, width = image.shape[:2]
    down = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_NEAREST], p=[0.5, 0.35, 0.15]))
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    small = cv2.resize(image, (max(int(width * factor), 8), max(int(height * factor), 8)), interpolation=down)
    return cv2.resize(small, (width, height), interpolation=up)
