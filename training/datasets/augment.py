"""Degradations of the real world, drawn once and applied alike to every picture of a group (a real and its fake, or a clip).

Real and fake must share resolution history, codec and light, or a detector learns these instead of the manipulation.
`degrade` treats pictures one by one and leaves them in place; `extreme` treats a clip as a whole, place and codec included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from tbd_app.media.recode import h264, h264_after_motion, h264_clip, jpeg
from training.fakes.selfblend import resample

GENTLE = 0.35
Operation = Callable[[np.ndarray], np.ndarray]
ClipOperation = Callable[[list[np.ndarray]], list[np.ndarray]]


def degrade(
    images: Sequence[np.ndarray], rng: np.random.Generator, *, gentle: bool | None = None
) -> list[np.ndarray]:
    """The same random chain of light, colour, blur, resolution, noise and codec for all pictures of a group.

    Args:
        images: (S,S,3) uint8 RGB each, of one size.
        rng: source of every draw.
        gentle: see `draw_chain`.
    """
    chain = draw_chain(rng, gentle=gentle)
    out = []
    for image in images:
        for operation in chain:
            image = operation(image)
        out.append(image)
    return out


def draw_chain(rng: np.random.Generator, *, gentle: bool | None = None) -> list[Operation]:
    """Draw the operations and their parameters, in the order of a picture's life: scene, lens, resize, sensor, codec.

    Args:
        rng: source of every draw.
        gentle: keep fine detail, so that there is a trace to be learned from; None draws it, with a share of `GENTLE`.
    """
    if gentle is None:
        gentle = bool(rng.random() < GENTLE)
    chain: list[Operation] = []
    if rng.random() < 0.5:
        chain.append(_light(rng))
    if gentle:
        return [*chain, *_codec(rng, share=0.5, quality=(75, 99), crf=(15, 27))]
    if rng.random() < 0.06:
        chain.append(_grey)
    if rng.random() < 0.25:
        chain.append(_blur(rng))
    if rng.random() < 0.1:
        chain.append(_smooth(rng))
    if rng.random() < 0.15:
        chain.append(_sharpen(rng))
    if rng.random() < 0.35:
        factor, seed = float(rng.uniform(0.35, 0.9)), int(rng.integers(2**32))
        chain.append(lambda x: resample(x, factor, np.random.default_rng(seed)))
    if rng.random() < 0.15:
        std, seed_n = float(rng.uniform(1, 7)), int(rng.integers(2**32))
        chain.append(lambda x: add_noise(x, std, seed_n))
    for _ in range(2 if rng.random() < 0.25 else 1):  # what is uploaded again is coded again
        chain += _codec(rng, share=0.65, quality=(35, 96), crf=(18, 37))
    return chain


def _codec(
    rng: np.random.Generator, *, share: float, quality: tuple[int, int], crf: tuple[int, int]
) -> list[Operation]:
    """JPEG or H.264 in a share of the draws, one as often as the other; most H.264 pictures follow another one."""
    kind, jpeg_quality, h264_crf = rng.random(), int(rng.integers(*quality)), int(rng.integers(*crf))
    moved, seed = rng.random() < 0.7, int(rng.integers(2**32))
    # What one frame lacked the next may still lack: deep in a video faces are smeared in other ways than after a key frame.
    n_before = int(rng.integers(2, 12)) if rng.random() < 0.5 else 1
    # Few videos are cut at the size at which they were coded: blocks are enlarged with the face.
    scale = float(rng.uniform(0.35, 1)) if rng.random() < 0.5 else 1.0
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    if kind >= share:
        return []
    if kind < share / 2:
        code: Operation = partial(jpeg, quality=jpeg_quality)
    elif moved:
        code = partial(h264_after_motion, crf=h264_crf, seed=seed, n_before=n_before)
    else:
        code = partial(h264, crf=h264_crf)
    return [partial(_scaled, scale=scale, up=up, operation=code)]


def _scaled(image: np.ndarray, scale: float, up: int, operation: Operation) -> np.ndarray:
    """An operation at `scale` times the size, enlarged again by the interpolation `up`."""
    if scale == 1:
        return operation(image)
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    return cv2.resize(operation(small), (width, height), interpolation=up)


def _light(rng: np.random.Generator) -> Operation:
    """Brightness, contrast, saturation, hue and gamma as one table per channel plus one saturation step."""
    contrast, shift = rng.uniform(0.75, 1.25), rng.uniform(-25, 25)
    gamma, tint = rng.uniform(0.8, 1.25), rng.uniform(-8, 8, 3)
    ramp = np.arange(256, dtype=np.float64)[:, None]
    table = ((ramp - 128) * contrast + 128 + shift + tint).clip(0, 255) / 255
    table = np.rint(table**gamma * 255).astype(np.uint8).reshape(1, 256, 3)
    saturation = float(rng.uniform(0.6, 1.4))

    def apply(x: np.ndarray) -> np.ndarray:
        x = cv2.LUT(x, table)
        return cv2.addWeighted(x, saturation, _grey(x), 1 - saturation, 0)

    return apply


def _smooth(rng: np.random.Generator) -> Operation:
    """Skin without its texture and edges as they were: what beauty filters and noise reduction do."""
    near, alike = float(rng.uniform(2, 7)), float(rng.uniform(12, 55))
    return lambda x: cv2.bilateralFilter(x, 7, alike, near)


def _sharpen(rng: np.random.Generator) -> Operation:
    """Unsharp mask, as cameras and broadcasters apply."""
    sigma, amount = float(rng.uniform(0.7, 2)), float(rng.uniform(0.3, 1.2))
    return lambda x: cv2.addWeighted(x, 1 + amount, cv2.GaussianBlur(x, (0, 0), sigma), -amount, 0)


def add_noise(image: np.ndarray, std: float, seed: int) -> np.ndarray:
    """Gaussian noise of `std` (of 255); the seed fixes the pattern, so a pair gets the same."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32) * std
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def extreme(clip: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """The strong augmentation of clip models: one draw for all frames, but for a slight jitter from frame to frame.

    What is drawn depends on `rng` alone, never on the pictures: a real clip and its fake that get generators of one seed get
    the same treatment, jitter included.

    Args:
        clip: (H,W,3) uint8 RGB each, of one size.
        rng: source of every draw.

    Source: fact sheet B, section 6 (probabilities and ranges).
    """
    out = list(clip)
    for operation in draw_extreme(rng):
        out = operation(out)
    return out


def draw_extreme(rng: np.random.Generator) -> list[ClipOperation]:
    """Draw the operations of `extreme`: place, light, lens, resize, sensor, what hides a part, codec, jitter."""
    chain: list[ClipOperation] = [_each(_place(rng))]
    if rng.random() < 0.5:
        chain.append(_each(_colour(rng)))
    if rng.random() < 0.1:
        chain.append(_each(_grey))
    if rng.random() < 0.2:
        table = np.rint((np.arange(256) / 255) ** rng.uniform(0.7, 1.4) * 255).astype(np.uint8)
        chain.append(_each(lambda x: cv2.LUT(x, table)))
    if rng.random() < 0.3:
        chain.append(_each(_blur(rng)))
    if rng.random() < 0.3:
        factor, seed = float(rng.uniform(0.25, 0.8)), int(rng.integers(2**32))
        chain.append(_each(lambda x: resample(x, factor, np.random.default_rng(seed))))
    if rng.random() < 0.3:  # a sensor's noise is new in each frame
        chain.append(_noise(float(rng.uniform(2, 12)), rng))
    if rng.random() < 0.3:
        chain.append(_each(_dropout(rng)))
    codec, quality, crf = rng.random(), int(rng.integers(30, 96)), int(rng.integers(18, 41))
    if codec < 0.5:
        chain.append(_each(lambda x: jpeg(x, quality)))
    elif codec < 0.75:
        chain.append(lambda clip: h264_clip(clip, crf))
    if rng.random() < 0.2:
        chain.append(
            _noise(float(rng.uniform(1, 3)), rng) if rng.random() < 0.5 else _requality(quality, rng)
        )
    return chain


def _each(operation: Operation) -> ClipOperation:
    return lambda clip: [operation(image) for image in clip]


def _place(rng: np.random.Generator) -> Operation:
    """Mirroring, rotation, scale, shift and a random crop as one movement, so that pictures are sampled once."""
    moves = np.eye(3)
    if rng.random() < 0.5:
        moves = np.diag([-1.0, 1.0, 1.0]) @ moves
    if rng.random() < 0.5:
        angle, scale = np.radians(rng.uniform(-15, 15)), rng.uniform(0.9, 1.1)
        c, s = scale * np.cos(angle), scale * np.sin(angle)
        dx, dy = rng.uniform(-0.06, 0.06, 2)
        moves = np.array([[c, -s, dx], [s, c, dy], [0, 0, 1]]) @ moves
    if rng.random() < 0.5:
        area, ratio = rng.uniform(0.7, 1.0), np.sqrt(rng.uniform(0.9, 1.1))
        size = np.minimum(np.sqrt(area) * np.array([ratio, 1 / ratio]), 1)
        centre = rng.uniform(-1, 1, 2) * (1 - size) / 2
        zoom = np.diag([*1 / size, 1.0])
        zoom[:2, 2] = -centre / size
        moves = zoom @ moves

    def apply(x: np.ndarray) -> np.ndarray:
        height, width = x.shape[:2]  # moves are in sides of the picture, from its middle
        to_px = np.array([[width, 0, (width - 1) / 2], [0, height, (height - 1) / 2], [0, 0, 1]])
        matrix = (to_px @ moves @ np.linalg.inv(to_px))[:2]
        return cv2.warpAffine(x, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)

    return apply


def _colour(rng: np.random.Generator) -> Operation:
    """Brightness, contrast and saturation within 30 %, hue within 5 % of the circle."""
    brightness, contrast, saturation = (float(v) for v in rng.uniform(0.7, 1.3, 3))
    hue = float(rng.uniform(-0.05, 0.05) * 180)

    def apply(x: np.ndarray) -> np.ndarray:
        x = cv2.convertScaleAbs(x, alpha=brightness)
        x = cv2.addWeighted(x, contrast, x, 0, 128 * (1 - contrast))
        x = cv2.addWeighted(x, saturation, _grey(x), 1 - saturation, 0)
        hsv = cv2.cvtColor(x, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + round(hue)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)

    return apply


def _grey(x: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _blur(rng: np.random.Generator) -> Operation:
    """Out of focus, or in motion along a random line of 3 to 9 px."""
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.3, 2.0))
        return lambda x: cv2.GaussianBlur(x, (0, 0), sigma)
    length, angle = int(rng.integers(1, 5)) * 2 + 1, rng.uniform(0, np.pi)
    kernel, middle = np.zeros((length, length), np.float32), length // 2
    far = np.rint(np.array([np.cos(angle), np.sin(angle)]) * middle).astype(int)
    cv2.line(kernel, tuple(int(v) for v in middle - far), tuple(int(v) for v in middle + far), 1.0)
    return lambda x: cv2.filter2D(x, -1, kernel / kernel.sum())


def _dropout(rng: np.random.Generator) -> Operation:
    """1 to 4 grey rectangles with sides of 10 to 25 % of the picture's."""
    count = int(rng.integers(1, 5))
    sides, places, grey = (
        rng.uniform(0.1, 0.25, (count, 2)),
        rng.random((count, 2)),
        rng.integers(0, 256, count),
    )

    def apply(x: np.ndarray) -> np.ndarray:
        out, shape = x.copy(), np.array(x.shape[:2])
        for side, place, value in zip(sides, places, grey, strict=True):
            (y0, x0), (h, w) = (place * (1 - side) * shape).astype(int), (side * shape).astype(int)
            out[y0 : y0 + h, x0 : x0 + w] = value
        return out

    return apply


def _noise(std: float, rng: np.random.Generator) -> ClipOperation:
    seed = int(rng.integers(2**31))
    return lambda clip: [add_noise(image, std, seed + k) for k, image in enumerate(clip)]


def _requality(quality: int, rng: np.random.Generator) -> ClipOperation:
    """JPEG whose quality wanders within 5 from frame to frame."""
    seed = int(rng.integers(2**32))

    def apply(clip: list[np.ndarray]) -> list[np.ndarray]:
        steps = np.random.default_rng(seed).integers(-5, 6, len(clip))
        return [jpeg(image, int(np.clip(quality + k, 5, 100))) for image, k in zip(clip, steps, strict=True)]

    return apply
