"""What can still be read of a picture whose end is missing: cut downloads, full memory cards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageFile

CUTTABLE = ("JPEG", "PNG", "BMP", "TIFF")  # what lies before the cut can be decoded
LEAST_SHARE = 0.1  # of the rows: less is no picture any more
CUT = "The end of the picture is missing or damaged; what can be read of it is used."
CUT_ANIMATION = "The end of the animation is missing or damaged; the rest is used."


@contextmanager
def lenient() -> Iterator[None]:
    """Inside, Pillow hands out what it has when the data end or break."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def shows_enough(image: Image.Image) -> bool:
    """Whether enough rows of a picture show something; those behind a cut are of one colour."""
    rows = np.asarray(image).reshape(image.height, image.width, -1)
    return bool((np.ptp(rows, axis=1).max(axis=1) > 0).mean() >= LEAST_SHARE)


def whole_webp(content: bytes) -> bytes | None:
    """Of an animated WebP that is cut, the part that is whole, with a length that says so; None for any other file.

    Source: WebP Container Specification, https://developers.google.com/speed/webp/docs/riff_container
    """
    if len(content) >= 8 + int.from_bytes(content[4:8], "little"):
        return None
    kept, at = [content[:12]], 12
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        end += end % 2
        if end > len(content):
            break
        kept.append(content[at:end])
        at = end
    if not any(chunk.startswith(b"ANMF") for chunk in kept):
        return None
    whole = b"".join(kept)
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
