"""A picture opened within bounds, the one way for all who read one: one plugin, no huge picture, one kind of error."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, features

from tbd_app.errors import CorruptMedia, NotMedia, TBDError
from tbd_app.media import bounds, salvage
from tbd_app.settings import Limits

DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    struct.error,
)  # what Pillow's plugins raise
Source = Path | io.BytesIO


def content(source: Source) -> bytes:
    """The bytes of a picture."""
    return source.getvalue() if isinstance(source, io.BytesIO) else source.read_bytes()


@contextmanager
def opened(source: Source, plugin: str, limits: Limits) -> Iterator[Image.Image]:
    """A picture, opened with the one plugin that its content asks for; what Pillow raises inside becomes a TBDError."""
    _need_decoder(plugin)
    Image.MAX_IMAGE_PIXELS = int(limits.max_image_mpx * 1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            part = salvage.whole_webp(content(source)) if plugin == "WEBP" else None
            with Image.open(io.BytesIO(part) if part else source, formats=[plugin]) as image:
                image.info["cut"] = part is not None
                yield image
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            found = re.search(r"(\d+) pixels", str(error))
            value = int(found[1]) / 1e6 if found else None
            raise bounds.too_many_pixels("picture", limits.max_image_mpx, value) from error
        except (TBDError, MemoryError):
            raise
        except Exception as error:  # plugins raise nearly anything on hostile bytes
            raise CorruptMedia("The picture is damaged or cut short.") from error


def _need_decoder(plugin: str) -> None:
    if plugin == "HEIF":
        if importlib.util.find_spec("pillow_heif") is None:
            raise NotMedia(
                "HEIC pictures need the Python package pillow-heif, which is not installed here; "
                "convert the picture to JPEG."
            )
        importlib.import_module("pillow_heif").register_heif_opener()
    if plugin == "AVIF" and not features.check("avif"):
        raise NotMedia("This Pillow has no AVIF decoder; convert the picture to JPEG.")
