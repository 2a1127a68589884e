"""Re-synthesis: the whole crop looks as if a generator had drawn it, so that real and fake share all content but its trace.

Decoders of generators enlarge small feature maps by learned kernels, one per phase of the pixel grid, and leave faint
periodic patterns and a detail of their own. `resample_like_decoder` imitates this without weights, by new random kernels at
each call, so that no one generator can be memorised. Colour and sharpness stay those of the original and give nothing away.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.fakes.selfblend import Pair, blend, face_mask, soften, to_uint8

# Bilinear enlargement by 2: what an even and an odd output takes from the three nearest inputs along an axis.
_BILINEAR = np.array([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
_NEAREST = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
_SHARP = np.array([[0.29, 0.88, -0.17], [-0.17, 0.88, 0.29]])  # near a bicubic with overshoot
_HIDDEN = 8  # features of the part that is not linear
_WHOLE = 0.5  # share of pictures that are drawn anew from edge to edge
GRID = (0.75, 2.0)  # pixels of a generator per pixel of the picture
_LOW_PX = 8  # what is coarser than this many pixels stays the original's
Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # (H,W,3) uint8 RGB, drawn anew


def resynthesise(
    image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, draw: Draw | None = None
) -> Pair:
    """A face that a decoder has drawn, put back into its picture; in half of the calls the whole picture is its work.

    Args:
        image: (H,W,3) uint8 RGB, 16 px at least.
        landmarks: (5,2) px: eyes, nose, mouth corners, image left first.
        rng: source of every draw.
        draw: the decoder; an imagined one (`resample_like_decoder`) by default.
    """
    made = (draw or resample_like_decoder)(image, rng)
    if rng.random() < _WHOLE:
        return Pair(real=image, fake=made, mask=np.ones(image.shape[:2], np.float32))
    region = ("face", "lower_face")[int(rng.random() < 0.3)]
    mask = soften(face_mask(landmarks, image.shape[:2], rng, region), rng)
    return Pair(real=image, fake=blend(made, image, mask), mask=mask)


def resample_like_decoder(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as an imagined decoder would have drawn it: (H,W,3) uint8 RGB in and out.

    The picture is band-limited to the grid of a small feature map, enlarged stage by stage by random kernels, and what these
    add to a plain enlargement is put into the original, whose own finest detail fades by a random share. Low frequencies and
    the energy of fine detail are then restored.

    Args:
        image: (H,W,3) uint8 RGB, 16 px at least.
        rng: source of every draw.
    """
    height, width = image.shape[:2]
    x = image.astype(np.float32)
    # A generator's own resolution is seldom that of the crop: its grid may be finer or coarser than our pixels.
    stages = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    grid, factor = rng.uniform(*GRID), 2**stages
    size = [max(round(side * grid / factor), 4) for side in (width, height)]
    small = cv2.resize(x, size, interpolation=cv2.INTER_AREA) - 128
    drawn, plain = small, small
    for _ in range(stages):
        drawn = enlarge(drawn, *draw_kernels(rng))
        plain = cv2.resize(plain, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    trace, plain = (cv2.resize(part, (width, height), interpolation=up) for part in (drawn - plain, plain))
    # The coarser the feature map, the more detail a real decoder makes up; here it is the picture's own that stays.
    own = np.float32(rng.beta(2, 2) if stages == 1 else rng.uniform(0.5, 1))
    made = own * x + (1 - own) * (plain + 128) + np.float32(rng.uniform(0.5, 1.2)) * trace
    return like_original(made, x, rng.normal(1, 0.08))


def enlarge(x: np.ndarray, linear: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Enlarge by 2 as a transposed convolution of stride 2 or a pixel shuffle does: one matrix product of 3x3 surroundings.

    Args:
        x: (h,w,3) float32 around 0.
        linear: (27,12) from the surroundings to the four phases of a pixel.
        inner: (27,F) to hidden features, then a leaky rectifier.
        outer: (F,12) from these to the phases.

    Returns:
        (2h,2w,3) float32.
    """
    height, width = x.shape[:2]
    framed = cv2.copyMakeBorder(x, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    around = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), (0, 1)).reshape(height * width, 27)
    hidden = around @ inner
    phases = around @ linear + np.maximum(hidden, 0.2 * hidden) @ outer
    return phases.reshape(height, width, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(2 * height, 2 * width, 3)


def draw_kernels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random kernels for `enlarge` near a plain enlargement, as if they had been learned, float32."""
    taps = [_BILINEAR, _NEAREST, _SHARP][int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
    base = np.einsum("py,qx->yxpq", taps, taps)  # (3,3,2,2)
    noise = rng.normal(0, rng.uniform(0.02, 0.09), (3, 3, 2, 2, 1))
    noise = noise + rng.normal(0, rng.uniform(0.005, 0.03), (3, 3, 2, 2, 3))
    noise -= noise.mean((0, 1))  # each phase keeps the local mean but for its gain
    gain = 1 + rng.normal(0, rng.uniform(0.0, 0.015), (1, 1, 2, 2, 1))
    per_channel = (base[..., None] + noise) * gain  # (y,x,p,q,c)
    linear = np.einsum("yxpqc,dc->dyxpqc", per_channel, np.eye(3)).reshape(27, 12)
    inner = rng.normal(0, 1, (3, 9, _HIDDEN))
    inner -= inner.mean(1, keepdims=True)  # hidden features see structure, not brightness
    outer = rng.normal(0, rng.uniform(0.003, 0.02), (_HIDDEN, 12))
    return linear.astype(np.float32), inner.reshape(27, _HIDDEN).astype(np.float32), outer.astype(np.float32)


def like_original(made: np.ndarray, original: np.ndarray, ratio: float = 1.0) -> np.ndarray:
    """A drawn picture with the original's low frequencies and `ratio` times its fine detail: (H,W,3) float32 to uint8."""
    return to_uint8(match_sharpness(restore_low(made, original), original, ratio))


def restore_low(made: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Give a picture the original's low frequencies: the blurred difference is added back. (H,W,3) float32."""
    height, width = original.shape[:2]
    size = (max(width // _LOW_PX, 1), max(height // _LOW_PX, 1))
    low = cv2.resize(original - made, size, interpolation=cv2.INTER_AREA)
    return made + cv2.resize(low, (width, height), interpolation=cv2.INTER_LINEAR)


def match_sharpness(made: np.ndarray, original: np.ndarray, ratio: float = 1.0) -> np.ndarray:
    """Scale a picture's fine detail to `ratio` times the original's energy (root mean square). (H,W,3) float32."""
    wanted = ratio * _strength(original - cv2.blur(original, (3, 3)))
    for _ in range(2):  # scaling what a blur takes away reaches its finest part most: once is not enough
        detail = made - cv2.blur(made, (3, 3))
        made = made + np.float32(np.clip(wanted / _strength(detail), 0.3, 3.0) - 1) * detail
    return made


def _strength(x: np.ndarray) -> float:
    return max(cv2.norm(x, cv2.NORM_L2) / x.size**0.5, 1e-3)
