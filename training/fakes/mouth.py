"""Redrawn mouths, as lip-sync leaves them: the mouth of the same face is warped and of lower resolution, then blended in.

Some methods paste the mouth or the lower half of the face, others a detector's whole box, with sharp edges.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from training.fakes.resynth import resample_like_decoder
from training.fakes.selfblend import Pair, blend, face_mask, similarity_from_template, soften, wander
from training.fakes.warp import expression, warp

REGION_SHARES = {"lower_face": 0.4, "mouth": 0.25, "box": 0.35}
FACE_PX = (40, 128)  # Wav2Lip draws the whole face on 96 px
SPREAD_PX = 3.6  # a face is about so many eye distances high


def redraw_mouth(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator) -> Pair:
    """One real picture and one with a redrawn mouth; see `redraw_mouth_clip`."""
    return redraw_mouth_clip([image], landmarks[None], rng)[0]


def redraw_mouth_clip(
    images: Sequence[np.ndarray], landmarks: np.ndarray, rng: np.random.Generator
) -> list[Pair]:
    """A clip and the same with a redrawn mouth that moves on its own; mask, kernels and resolution hold still.

    Args:
        images: T pictures (H,W,3) uint8 RGB of one face.
        landmarks: (T,5,2) px.
        rng: source of every draw.

    Returns:
        T pairs. In half of the draws the real picture is the coarse one (without a decoder's trace) and its mouth comes from
        the finer original, so that low resolution alone must not count as fake.
    """
    seed, region = (
        int(rng.integers(2**63)),
        str(rng.choice(list(REGION_SHARES), p=list(REGION_SHARES.values()))),
    )
    warped, coarse_target = bool(rng.random() < 0.6), bool(rng.random() < 0.5)
    coarse = not warped or bool(rng.random() < 0.7)
    face_px, strength = rng.uniform(*FACE_PX), warped * rng.uniform(0.03, 0.16)
    talk = strength * wander(len(images), 2, rng)
    pairs = []
    for image, points, (opening, aside) in zip(images, landmarks, talk, strict=True):
        again = np.random.default_rng(seed)
        if region == "box":
            mask = box_mask(points, image.shape[:2], again)
        else:
            mask = soften(face_mask(points, image.shape[:2], again, region), again)
        source = target = image
        if coarse and coarse_target:
            target = low_resolution(image, points, face_px)
        elif coarse:
            source = low_resolution(image, points, face_px, again)
        if warped:
            source = warp(source, expression(points, opening=opening, aside=0.3 * aside))
        pairs.append(Pair(real=target, fake=blend(source, target, mask), mask=mask))
    return pairs


def box_mask(landmarks: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """An upright box around a face, or from below its eyes, its edges sharp or a little feathered: (H,W) float32 in [0,1]."""
    matrix = similarity_from_template(landmarks)
    unit_px, middle = float(np.hypot(*matrix[:, 0])), matrix[:, 2]  # an eye distance; between the eyes
    top = rng.uniform(-1.1, -0.4) if rng.random() < 0.6 else rng.uniform(0.2, 0.6)
    half, bottom = rng.uniform(0.85, 1.3), rng.uniform(1.7, 2.3)
    corners = middle + np.array([(-half, top), (half, bottom)]) * unit_px
    mask = np.zeros(shape, np.float32)
    (x0, y0), (x1, y1) = np.rint(corners).astype(int).tolist()
    cv2.rectangle(mask, (x0, y0), (x1, y1), 1.0, cv2.FILLED)
    sigma = float(rng.uniform(0.4, 0.04 * unit_px + 1))
    return mask if rng.random() < 0.5 else cv2.GaussianBlur(mask, (0, 0), sigma)


def low_resolution(
    image: np.ndarray, landmarks: np.ndarray, face_px: float, rng: np.random.Generator | None = None
) -> np.ndarray:
    """The picture (H,W,3) uint8 with a face of `face_px` in height, enlarged again; with `rng` as a decoder draws it."""
    height, width = image.shape[:2]
    eyes, mouth = landmarks[:2].mean(0), landmarks[3:].mean(0)
    face = max(float(np.hypot(*(mouth - eyes))) / 1.17 * SPREAD_PX, 1.0)
    scale = min(face_px / face, 1.0)
    size = (max(round(width * scale), 16), max(round(height * scale), 16))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if rng is not None:
        small = resample_like_decoder(small, rng)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
