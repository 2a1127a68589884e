"""Animated stills: a still moves as the face of a real clip, and each frame is drawn anew, as talking-head generators do.

The five landmarks of the clip drive head, eyes, nose and mouth corners; lids and lips, which five points do not show, blink
and speak by themselves. Frames are consecutive, as those of the driving clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.fakes.resynth import match_sharpness, resample_like_decoder
from training.fakes.selfblend import similarity, to_uint8
from training.fakes.swap import transfer_colour
from training.fakes.warp import Pulls, expression, warp

_RADIUS = 0.45  # of the pulls at landmarks, in eye distances
_LARGEST_PULL = 0.25  # likewise; detectors slip
_SOFTER = (-1.0, -0.6, -0.3, 0.0, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)  # see `_softened`
_LARGEST_SCALE = 1.6
_COLOUR_SHARE = 0.75  # of the way to the clip's colours


@dataclass(frozen=True, slots=True)
class Animation:
    """T frames of one face.

    Attributes:
        images: (H,W,3) uint8 RGB each.
        boxes: (T,4) float32 xyxy px.
        landmarks: (T,5,2) float32 px.
    """

    images: list[np.ndarray]
    boxes: np.ndarray
    landmarks: np.ndarray


def animate(
    still: np.ndarray,
    box: np.ndarray,
    landmarks: np.ndarray,
    motion: np.ndarray,
    rng: np.random.Generator,
    *,
    fps: float = 25.0,
    redraw: Callable[[Sequence[np.ndarray]], list[np.ndarray]] | None = None,
) -> Animation:
    """Let a still move along the landmarks of a clip; the first frame has the still's own pose.

    Args:
        still: (H,W,3) uint8 RGB, a face with some surroundings.
        box: (4,) xyxy px.
        landmarks: (5,2) px.
        motion: (T,5,2) px, landmarks of the driving clip in frames that follow one another.
        rng: source of every draw.
        fps: of the driving clip, for the speed of speech and blinks.
        redraw: draws the frames anew, such as `generators.redraw`; by default `resample_like_decoder` with one set of kernels
            for the clip.
    """
    steady = _steady(motion)
    to_still = similarity(steady[0], landmarks)
    unit_px = float(np.hypot(*(landmarks[1] - landmarks[0])))
    mouth, lids = speech(len(motion), fps, rng), blinks(len(motion), fps, rng)
    images, boxes, points = [], [], []
    for place, opening, closing in zip(steady, mouth, lids, strict=True):
        moved = _apply(to_still, place)
        head = similarity(landmarks, moved)
        carried = _apply(head, landmarks)
        limit = _LARGEST_PULL * unit_px
        pulls = Pulls(carried, np.clip(moved - carried, -limit, limit), np.full((5, 2), _RADIUS * unit_px))
        image = warp(still, pulls.joined(expression(carried, opening=opening, closing=closing)), head)
        # Sampling between pixels softens, which the frames of a real clip never suffered.
        images.append(to_uint8(match_sharpness(image.astype(np.float32), still.astype(np.float32))))
        points.append(carried + pulls.moves)
        corners = _apply(head, box.reshape(2, 2))  # a detector's box stays upright
        centre, half = corners.mean(0), np.hypot(*head[:, 0]) * (box[2:] - box[:2]) / 2
        boxes.append(np.concatenate([centre - half, centre + half]))
    if redraw is None:
        seed = int(rng.integers(2**63))
        images = [resample_like_decoder(image, np.random.default_rng(seed)) for image in images]
    else:
        images = redraw(images)
    return Animation(images, np.array(boxes, np.float32), np.array(points, np.float32))


def speech(length: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Opening of a mouth in eye distances, (length,): syllables of 2 to 5 a second, with pauses; sometimes silence."""
    times = np.arange(length) / fps
    rate, phase = rng.uniform(2, 5, 3), rng.uniform(0, 2 * np.pi, 4)
    waves = np.sin(2 * np.pi * rate * times[:, None] + phase[:3]).sum(1) / 3
    loud = np.clip(0.5 + np.sin(2 * np.pi * 0.4 * times + phase[3]), 0, 1)
    strength = 0.0 if rng.random() < 0.2 else rng.uniform(0.05, 0.18)
    return strength * loud * np.clip(waves + 0.2, -0.3, 1)


def blinks(length: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Closing of the eyes, (length,) in [0,1]: about one blink of 0.2 to 0.4 s in three seconds."""
    times, out = np.arange(length) / fps, np.zeros(length)
    for start in np.cumsum(rng.exponential(3.0, 1 + length // max(int(fps), 1))):
        share = np.clip((times - start) / rng.uniform(0.2, 0.4), 0, 1)
        out = np.maximum(out, np.sin(np.pi * share) ** 2)
    return out


def match_clip(
    still: np.ndarray, box: np.ndarray, landmarks: np.ndarray, frame: np.ndarray, frame_landmarks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring a still near the size, sharpness and colours of a clip's face.

    Portraits are larger, sharper and brighter than video, and a detector must not learn that.

    Args:
        still: (H,W,3) uint8 RGB.
        box: (4,) xyxy px.
        landmarks: (5,2) px.
        frame: (h,w,3) uint8 RGB, of the clip.
        frame_landmarks: (5,2) px.

    Returns:
        still, box and landmarks.
    """
    scale = min(_LARGEST_SCALE, float(np.hypot(*similarity(landmarks, frame_landmarks)[:, 0])))
    size = (max(round(still.shape[1] * scale), 16), max(round(still.shape[0] * scale), 16))
    still = cv2.resize(still, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    landmarks = landmarks * scale
    mine, theirs = _around(still, landmarks), _around(frame, frame_landmarks)
    still = transfer_colour(still, frame, mine, _COLOUR_SHARE, target_mask=theirs)
    wanted = _detail(frame, theirs)
    versions = [_softened(still, sigma) for sigma in _SOFTER]
    off = [abs(np.log(_detail(v, mine) / wanted)) for v in versions]
    return versions[int(np.argmin(off))], box * scale, landmarks


def _around(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Mask (H,W) float32 of the face and what is near it."""
    middle, reach = landmarks.mean(0), 1.8 * float(np.hypot(*(landmarks[1] - landmarks[0])))
    (x0, y0), (x1, y1) = np.maximum(middle - reach, 0).astype(int), (middle + reach + 1).astype(int)
    mask = np.zeros(image.shape[:2], np.float32)
    mask[y0:y1, x0:x1] = 1
    return mask


def _detail(image: np.ndarray, mask: np.ndarray) -> float:
    """Root mean square, inside the mask, of what a small blur takes away."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float((grey - cv2.blur(grey, (3, 3)))[mask > 0].std()) + 1e-3


def _softened(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred by `sigma` px; sharpened by that share where it is below 0."""
    if sigma > 0:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    return cv2.addWeighted(image, 1 - sigma, cv2.GaussianBlur(image, (0, 0), 1.0), sigma, 0)


def _steady(motion: np.ndarray) -> np.ndarray:
    """Landmarks without the detector's tremble: (T,5,2) float64, smoothed over three frames."""
    padded = np.concatenate([motion[:1], motion, motion[-1:]]).astype(np.float64)
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]
