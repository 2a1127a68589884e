"""Pictures and files within an HTML page: `data:` addresses."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def data_uri(image: np.ndarray, max_side: int | None = None) -> str:
    """A picture as a JPEG inside a `data:` address; arguments as of `jpeg`."""
    return inside(jpeg(image, max_side), "image/jpeg")


def inside(content: bytes, kind: str) -> str:
    """A `data:` address that holds the content itself; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def jpeg(image: np.ndarray, max_side: int | None = None) -> bytes:
    """A picture as a JPEG file.

    Args:
        image: (h,w,3) uint8 RGB.
        max_side: px; larger pictures are made smaller.
    """
    picture = Image.fromarray(image)
    if max_side is not None:
        picture.thumbnail((max_side, max_side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
