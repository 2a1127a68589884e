"""What about a face makes any answer about it less sure: it is small, blurred, dark or heavily compressed.

The bounds are choices for a remark and decide nothing; of 18 clips of the validation media none gets one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from tbd_app.types import Media, Person

Remark = Literal["small", "blurred", "dark", "compressed"]
SMALL_PX = 100.0
BLURRED = 30.0  # variance of the Laplacian at 128 px
BRIGHT_PERCENTILE = 95.0
DARK = 100.0  # of 255, at that percentile of the thumbnail, which skin tone moves little
COMPRESSED = 0.02  # bits per pixel of a whole video


def remarks(person: Person, media: Media) -> Iterator[tuple[Remark, float]]:
    """Each remark with its value: side in px, sharpness, brightness, bits per pixel."""
    quality = person.track.quality
    if quality.median_side_px < SMALL_PX:
        yield "small", quality.median_side_px
    if quality.blur < BLURRED:
        yield "blurred", quality.blur
    grey = person.thumbnail @ np.array([0.299, 0.587, 0.114])
    if (light := float(np.percentile(grey, BRIGHT_PERCENTILE))) < DARK:
        yield "dark", light
    if media.kind == "video" and (spent := bits_per_pixel(media)) < COMPRESSED:
        yield "compressed", spent


def bits_per_pixel(media: Media) -> float:
    """Bits of the file over the pixels of all its frames."""
    return 8 * media.bytes / max(media.width * media.height * media.n_frames, 1)
