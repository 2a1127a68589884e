"""Face swaps between two people: a second face of similar pose is moved onto the first, recoloured and blended in.

The classic swap by five landmarks: similarity alignment, colour transfer inside the mask, feathered or Poisson blending; the
borrowed face is often coarser than its new surroundings, as faces of swap networks are.
"""

from __future__ import annotations

import cv2
import numpy as np

from training.fakes.resynth import resample_like_decoder
from training.fakes.selfblend import (
    LANDMARK_TEMPLATE,
    Pair,
    blend,
    change_statistics,
    face_mask,
    resample,
    similarity,
    soften,
)

REGION_SHARES = {"face": 0.75, "lower_face": 0.12, "mouth": 0.07, "eyes": 0.06}
POISSON_SHARE = 0.15  # slow, and leaves no border: a minority


def swap(
    target: np.ndarray,
    target_landmarks: np.ndarray,
    source: np.ndarray,
    source_landmarks: np.ndarray,
    rng: np.random.Generator,
) -> Pair:
    """The target as it is and with the source's face in it.

    Args:
        target: (H,W,3) uint8 RGB, a face with some surroundings.
        target_landmarks: (5,2) px.
        source: (h,w,3) uint8 RGB, another person; see `similar`.
        source_landmarks: (5,2) px.
        rng: source of every draw.

    Returns:
        The pair. The target too is sometimes recoloured or resampled, so that such changes alone must not count as fake.
    """
    if rng.random() < 0.5:
        target = change_statistics(target, rng)
    region = str(rng.choice(list(REGION_SHARES), p=list(REGION_SHARES.values())))
    moved, covered = align(source, source_landmarks, target.shape[:2], target_landmarks)
    mask = face_mask(target_landmarks, target.shape[:2], rng, region) * covered
    moved = transfer_colour(moved, target, mask, float(rng.uniform(0.6, 1)))
    kind = rng.random()
    if kind < 0.3:
        moved = resample(moved, float(rng.uniform(0.3, 0.8)), rng)
    elif kind < 0.6:
        moved = resample_like_decoder(moved, rng)
    if rng.random() < POISSON_SHARE and (cloned := clone(moved, target, mask)) is not None:
        return Pair(real=target, fake=cloned, mask=mask)
    mask = soften(mask, rng) * covered
    return Pair(real=target, fake=blend(moved, target, mask), mask=mask)


def align(
    source: np.ndarray, source_landmarks: np.ndarray, shape: tuple[int, int], landmarks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move a face by a similarity onto the landmarks of another.

    Returns:
        The moved picture (H,W,3) uint8, mirrored at its borders, and (H,W) float32, 1 where it shows the source itself.
    """
    matrix = similarity(source_landmarks, landmarks)
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 0.6:  # bilinear sampling would alias
        source = cv2.GaussianBlur(source, (0, 0), 0.5 / scale)
    size = shape[::-1]
    moved = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    covered = cv2.warpAffine(np.ones(source.shape[:2], np.float32), matrix, size)
    return moved, (covered > 0.99).astype(np.float32)


def transfer_colour(
    source: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray,
    strength: float = 1.0,
    *,
    target_mask: np.ndarray | None = None,
) -> np.ndarray:
    """Give a picture the target's mean and spread of each Lab channel inside the mask, by a share of `strength`.

    Args:
        source: (H,W,3) uint8 RGB, changed everywhere.
        target: (h,w,3) uint8 RGB.
        mask: (H,W), measured above 0.5.
        strength: 0 changes nothing.
        target_mask: (h,w), where the target is another picture in another place; by default `mask`.

    Source: Reinhard et al., "Color transfer between images" (2001), in Lab.
    """
    inside = [(m > 0.5).astype(np.uint8) for m in (mask, mask if target_mask is None else target_mask)]
    if not all(m.any() for m in inside):
        return source
    (mean, std), (to_mean, to_std) = (
        cv2.meanStdDev(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), mask=m)
        for picture, m in zip((source, target), inside, strict=True)
    )
    gain = 1 + strength * (np.clip(to_std / np.maximum(std, 1), 0.5, 2) - 1)
    shift = mean + strength * (to_mean - mean) - gain * mean
    ramp = np.arange(256)[None, :, None]
    table = np.rint(np.clip(ramp * gain.T + shift.T, 0, 255)).astype(np.uint8)
    return cv2.cvtColor(cv2.LUT(cv2.cvtColor(source, cv2.COLOR_RGB2LAB), table), cv2.COLOR_LAB2RGB)


def clone(source: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Poisson blending of the masked part, or None where the mask is empty or touches the border.

    Source: Perez et al., "Poisson image editing" (2003), as `cv2.seamlessClone`.
    """
    inside = (mask > 0.5).astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(inside)
    far = (x + width, y + height)
    if min(width, height) < 4 or min(x, y) < 2 or far[0] > mask.shape[1] - 2 or far[1] > mask.shape[0] - 2:
        return None
    centre = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(source, target, inside, centre, cv2.NORMAL_CLONE)
    return np.where(mask[..., None] > 0, cloned, target)  # OpenCV also touches the pixels next to the mask


def poses(landmarks: np.ndarray) -> np.ndarray:
    """What five landmarks tell of the pose: (N,5,2) px to (N,10), free of place, size and roll."""
    out = []
    for points in landmarks:
        matrix = similarity(points, LANDMARK_TEMPLATE)
        out.append(points @ matrix[:, :2].T + matrix[:, 2])
    return np.array(out).reshape(len(landmarks), 10)


def similar(pose: np.ndarray, candidates: np.ndarray, rng: np.random.Generator, *, among: int = 24) -> int:
    """Number of a face of similar pose: the closest of `among` drawn ones.

    Args:
        pose: (10,) of the target; see `poses`.
        candidates: (N,10), without the target's own person.
        rng: source of the draw.
        among: more find closer poses, fewer more varied ones.
    """
    drawn = rng.integers(len(candidates), size=among)
    return int(drawn[np.argmin(np.square(candidates[drawn] - pose).sum(1))])
