"""Frames that carry their number: a portrait above, and below eight blocks, the bits of the number in Gray code.

So one block changes from frame to frame, and the lowest one from bright to dark and back: the fields of an interlaced
frame never make a pattern that stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.media_factory import Size, portrait_frame

BITS = 8
BLACK, WHITE = 16, 235
SHARE = 6  # the blocks take this part of the height


def coded_frame(i: int, size: Size) -> np.ndarray:
    """Frame `i` of the moving portrait with its number: (H,W,3) uint8 RGB.

    Args:
        i: 0 to 255.
    """
    frame = portrait_frame(i, size).copy()
    width, height = size
    for bit in range(BITS):
        block = slice(width * bit // BITS, width * (bit + 1) // BITS)
        frame[height - height // SHARE :, block] = WHITE if (i ^ i >> 1) >> bit & 1 else BLACK
    return frame


def coded_frames(n: int, size: Size, start: int = 0) -> Iterator[np.ndarray]:
    """`n` frames, numbered from `start`."""
    return (coded_frame(start + i, size) for i in range(n))


def woven_frames(n: int, size: Size) -> Iterator[np.ndarray]:
    """Interlaced frames, top field first: frame `i` has the even lines of moment 2i and the odd ones of 2i + 1."""
    for i in range(n):
        frame, later = coded_frame(2 * i, size), coded_frame(2 * i + 1, size)
        frame[1::2] = later[1::2]
        yield frame


def number(frame: np.ndarray) -> int:
    """The number in a frame of any size, upright."""
    height, width = frame.shape[:2]
    row = frame[height - height // SHARE * 3 // 4 : height - height // SHARE // 4]
    inner = width / BITS
    blocks = [row[:, int(inner * (b + 0.3)) : int(inner * (b + 0.7))].mean() for b in range(BITS)]
    bits = [block > (BLACK + WHITE) / 2 for block in blocks]
    return sum(int(sum(bits[b:]) % 2) << b for b in range(BITS))


def numbers(frames: Sequence[np.ndarray]) -> list[int]:
    """The numbers in frames."""
    return [number(frame) for frame in frames]
