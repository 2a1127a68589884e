"""Augmentations of the published recipes, drawn once and applied alike to all pictures of a group (a pair, or a clip).

They are written from the numbers that the recipes give, with OpenCV and this project's JPEG. The project's own are in
`augment.py`.

Source: DeepfakeBench (Yan et al., NeurIPS 2023, arXiv 2307.01426); GenD (Yermakov et al., WACV 2026, arXiv 2508.06248);
DFD-FCG (Han et al., CVPR 2025, arXiv 2404.05583).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import cv2
import numpy as np

from tbd_app.media.recode import jpeg

Augment = Literal["project", "none", "flips", "deepfakebench", "gend", "dfd_fcg"]
Treatment = Callable[[Sequence[np.ndarray], np.random.Generator], list[np.ndarray]]
Operation = Callable[[np.ndarray], np.ndarray]


def flips(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Mirroring in half of the draws and nothing else."""
    mirror = rng.random() < 0.5
    return [np.ascontiguousarray(i[:, ::-1]) if mirror else i for i in images]


def deepfakebench(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Mirroring, rotation, blur, one change of light or colour, JPEG: each in half of the draws.

    Args:
        images: (S,S,3) uint8 RGB each.
        rng: source of every draw.
    """
    chain: list[Operation] = []
    if rng.random() < 0.5:
        chain.append(partial(_moved, degrees=float(rng.uniform(-10, 10))))
    if rng.random() < 0.5:
        chain.append(partial(_blurred, size=int(rng.choice([3, 5, 7]))))
    if rng.random() < 0.5:
        chain.append([_light, _principal, _hue][int(rng.integers(3))](rng))
    if rng.random() < 0.5:
        chain.append(partial(jpeg, quality=int(rng.integers(40, 101))))
    return _applied(flips(images, rng), chain)


def gend(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Mirroring, a small affine movement, rarely a blur, a little light, and JPEG always.

    Args:
        images: (S,S,3) uint8 RGB each.
        rng: source of every draw.
    """
    place = partial(
        _moved, degrees=float(rng.uniform(-10, 10)), shift=rng.uniform(-0.1, 0.1, 2), scale=float(rng.uniform(0.9, 1.1)),
        border=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    chain: list[Operation] = [place]
    if rng.random() < 0.1:
        chain.append(partial(_blurred, size=7, sigma=float(rng.uniform(0.1, 2))))
    chain += [_light(rng), partial(jpeg, quality=int(rng.integers(40, 101)))]
    return _applied(flips(images, rng), chain)


def dfd_fcg(images: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """A clip's colour, light, cut and codec in one draw, and a slight change of its own for each frame in a tenth of them.

    What changes from frame to frame is the same for two clips that get generators of one seed. Its shifts of hue,
    0.3 of 180, change no pixel and are left out.

    Args:
        images: (S,S,3) uint8 RGB each.
        rng: source of every draw.
    """
    out = []
    for image in images:
        chain: list[Operation] = [
            operation
            for operation in (_tint(rng, 5), _light(rng, 0.05), _coded(rng, 80))
            if rng.random() < 0.1
        ]
        out += _applied([image], chain)
    whole: list[Operation] = [operation for operation in (_tint(rng, 20), _light(rng)) if rng.random() < 0.3]
    side = float(np.sqrt(rng.uniform(0.6, 1)))
    whole.append(partial(_part, side=side, place=rng.random(2)))
    if rng.random() < 0.5:
        small, size = float(rng.uniform(0.6, 0.8)), int(rng.choice([3, 5]))
        ways = (_coded(rng, 40), partial(_smaller, factor=small), partial(_blurred, size=size))
        whole.append(ways[int(rng.integers(3))])
    return _applied(flips(out, rng), whole)


TREATMENTS: dict[Augment, Treatment] = {
    "none": lambda images, _: list(images),
    "flips": flips,
    "deepfakebench": deepfakebench,
    "gend": gend,
    "dfd_fcg": dfd_fcg,
}


def _applied(images: Sequence[np.ndarray], chain: Sequence[Operation]) -> list[np.ndarray]:
    out = list(images)
    for operation in chain:
        out = [operation(image) for image in out]
    return out


def _moved(
    image: np.ndarray,
    degrees: float,
    shift: Sequence[float] | np.ndarray = (0, 0),
    scale: float = 1.0,
    border: int = cv2.BORDER_REFLECT_101,
) -> np.ndarray:
    """Turned and scaled around the middle, shifted by shares of the side."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    matrix[:, 2] += np.asarray(shift) * (width, height)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=border)


def _blurred(image: np.ndarray, size: int, sigma: float = 0.0) -> np.ndarray:
    return cv2.GaussianBlur(image, (size, size), sigma)


def _coded(rng: np.random.Generator, least: int) -> Operation:
    return partial(jpeg, quality=int(rng.integers(least, 101)))


def _smaller(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _part(image: np.ndarray, side: float, place: np.ndarray) -> np.ndarray:
    """A square of `side` of the picture's, enlarged to its size."""
    height, width = image.shape[:2]
    top, left = (np.array([height, width]) * (1 - side) * place).astype(int)
    cut = image[top : top + round(height * side), left : left + round(width * side)]
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR)


def _light(rng: np.random.Generator, most: float = 0.1) -> Operation:
    """Contrast and brightness, each within a share of full scale."""
    contrast, brightness = 1 + rng.uniform(-most, most), 255 * rng.uniform(-most, most)
    table = np.clip(np.arange(256) * contrast + brightness, 0, 255).astype(np.uint8)
    return lambda image: cv2.LUT(image, table)


def _tint(rng: np.random.Generator, most: float) -> Operation:
    """A shift of each channel, of 255."""
    shift = rng.uniform(-most, most, 3)
    return lambda image: np.clip(image + shift, 0, 255).astype(np.uint8)


def _hue(rng: np.random.Generator) -> Operation:
    """Hue, saturation and value, each shifted on its own, of 180, 255 and 255."""
    shift = rng.uniform(-1, 1, 3) * (20, 30, 20)

    def apply(image: np.ndarray) -> np.ndarray:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32) + shift.astype(np.float32)
        hsv[..., 0] %= 180
        return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)

    return apply


def _principal(rng: np.random.Generator, deviation: float = 0.1) -> Operation:
    """A shift along the principal axes of a picture's own colours (Krizhevsky et al., 2012)."""
    strength = rng.normal(0, deviation, 3)

    def apply(image: np.ndarray) -> np.ndarray:
        colours = image.reshape(-1, 3) / 255
        values, axes = np.linalg.eigh(np.cov(colours, rowvar=False))
        return np.clip(image + 255 * (axes @ (strength * values)), 0, 255).astype(np.uint8)

    return apply
