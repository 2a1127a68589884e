"""Pictures and animations through Pillow: upright 8-bit RGB from whatever a user has. Runs in the sandbox.

Transparency is laid over white, as a browser shows it. 16-bit pictures keep their whole range: 65535
becomes 255.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import itertools
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, features

from tbd_app.errors import CorruptMedia, NotMedia, TBDError
from tbd_app.media import bounds
from tbd_app.media.packets import uniform_indices
from tbd_app.media.sandbox import Answer
from tbd_app.settings import Limits

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
DEFAULT_DURATION_MS = 100.0  # what browsers show for a GIF frame without a duration
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    struct.error,
)  # what Pillow's plugins raise
_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}  # EXIF orientation; 2, 4, 5 and 7 also mirror
_ORIENTATION = 0x0112


def probe(*, limits: Limits, path: str, format_name: str) -> Answer:
    """Sandbox job: look at a picture or an animation; see `readers`.

    Args:
        format_name: of the Pillow plugin; no other is tried.

    Returns:
        The fields of `Media` that come from content, and no arrays.

    Raises:
        NotMedia: Pillow lacks the decoder.
        TooManyPixels, TooLong: a limit is passed.
        CorruptMedia: it cannot be decoded.
    """
    if format_name in ANIMATED:
        with _opened(Path(path), format_name, limits) as image:
            info = _probe_animation(image, limits)
        if info["n_frames"] > 1:
            return {**info, "codec": format_name.lower()}, ()
    with _opened(Path(path), format_name, limits) as image:
        pages = getattr(image, "n_frames", 1) if format_name == "TIFF" else 1
        rotation = _rotation(image)
        rgb = upright_rgb(image)
    info = {"kind": "image", "width": rgb.width, "height": rgb.height, "fps": None, "duration_s": None}
    notes = [f"Only the first of {pages} pages is used."] if pages > 1 else []
    return {
        **info,
        "n_frames": 1,
        "codec": format_name.lower(),
        "rotation_deg": rotation,
        "warnings": notes,
    }, ()


def _probe_animation(image: Image.Image, limits: Limits) -> dict:
    n, end_s, notes = 0, 0.0, []
    for _, end_s in _times(image, notes):
        n += 1
        bounds.check_animation(image.width, image.height, n, limits)
        pixels = image.width * image.height / 1e6
        if n > 1 and pixels > limits.max_frame_mpx:
            raise bounds.too_many_pixels("frame", limits.max_frame_mpx, pixels)
        if n > 1 and end_s > limits.max_duration_s:
            raise bounds.too_long(limits, end_s)
    return {
        "kind": "video",
        "width": image.width,
        "height": image.height,
        "fps": n / end_s,
        "duration_s": end_s,
        "n_frames": n,
        "rotation_deg": 0,
        "warnings": notes,
    }


def decode(*, limits: Limits, path: str, format_name: str, n_frames: int, n: int, index: str) -> Answer:
    """Sandbox job: up to `n` frames of an animation, or a picture; see `readers`.

    Returns:
        `{"indices", "times_s", "warnings"}` and as many arrays (H,W,3) uint8 RGB.
    """
    indices = uniform_indices(n_frames, n)
    wanted, times, arrays, reduced = set(indices), [], [], False
    with _opened(Path(path), format_name, limits) as image:
        for i, (start_s, _) in enumerate(_times(image, []) if len(indices) > 1 else [(0.0, 0.0)]):
            if i in wanted:
                rgb = upright_rgb(image)
                size = bounds.fitted_size(*rgb.size, limits.max_decoded_mb * 1e6 / len(indices))
                reduced = reduced or size != rgb.size
                arrays.append(np.asarray(_resized(rgb, size)))
                times.append(start_s)
    notes = [bounds.reduced_warning(limits)] if reduced else []
    return {"indices": indices[: len(arrays)], "times_s": times, "warnings": notes}, arrays


def play(
    *, limits: Limits, path: str, format_name: str, fit: Callable[[int, int], tuple[int, int]]
) -> Iterator[tuple[float, np.ndarray]]:
    """All frames of an animation in order, until the first damage; for jobs in the sandbox.

    Args:
        fit: from width and height of an upright frame, px, to those that are wanted.

    Yields:
        Seconds since the first frame, and the frame (H,W,3) uint8 RGB, upright.

    Raises:
        NotMedia, TooManyPixels, CorruptMedia: as for `probe`.
    """
    with _opened(Path(path), format_name, limits) as image:
        for start_s, _ in _times(image, []):
            bounds.check_frame(image.width, image.height, limits)
            rgb = upright_rgb(image)
            yield start_s, np.asarray(rgb.resize(fit(*rgb.size)))


def read(content: bytes, plugin: str, limits: Limits, max_bytes: float) -> tuple[np.ndarray, bool]:
    """Decode one picture in memory.

    Returns:
        (H,W,3) uint8 RGB, upright, and whether it was reduced to fit in `max_bytes`.

    Raises:
        NotMedia, TooManyPixels, CorruptMedia: as for `probe`.
    """
    with _opened(io.BytesIO(content), plugin, limits) as image:
        rgb = upright_rgb(image)
        size = bounds.fitted_size(*rgb.size, max_bytes)
        return np.asarray(_resized(rgb, size)), size != rgb.size


def upright_rgb(image: Image.Image) -> Image.Image:
    """The current frame as RGB: EXIF turn applied, deep pictures scaled, transparency over white."""
    image.load()
    with suppress(*DAMAGE):  # which does not make the picture unreadable
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        return Image.fromarray(_to_8_bit(image)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> np.ndarray:
    """(H,W) uint8 from a grey picture of more than 8 bits."""
    grey = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode.startswith("I;16"):
        top = 65535.0
    else:  # 32-bit integers and floats come with any range: take the smallest usual one that holds them
        ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        top = next((r for r in ranges if grey.max() <= r), grey.max())
    return np.rint(np.clip(grey / top, 0, 1) * 255).astype(np.uint8)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BOX)


def _rotation(image: Image.Image) -> int:
    try:
        return _CLOCKWISE.get(image.getexif().get(_ORIENTATION, 1), 0)
    except DAMAGE:
        return 0


def _times(image: Image.Image, notes: list[str]) -> Iterator[tuple[float, float]]:
    """Decode frame after frame, and yield start and end of each in seconds.

    Damage behind the first frame ends it and leaves a sentence in `notes`.
    """
    end_ms = 0.0
    for i in itertools.count():  # `n_frames` may be wrong, and raises on a GIF that is cut short
        try:
            image.seek(i)
            image.load()
        except (EOFError, *DAMAGE) as error:
            if i == 0:
                raise
            if not isinstance(error, EOFError):  # which is the regular end
                notes.append("The end of the animation is missing or damaged; the rest is used.")
            return
        start_ms, end_ms = end_ms, end_ms + (image.info.get("duration") or DEFAULT_DURATION_MS)
        yield start_ms / 1000, end_ms / 1000


@contextmanager
def _opened(source: Path | io.BytesIO, plugin: str, limits: Limits) -> Iterator[Image.Image]:
    """Open with the one plugin that the content asks for; what Pillow raises inside becomes a TBDError."""
    _need_decoder(plugin)
    Image.MAX_IMAGE_PIXELS = int(limits.max_image_mpx * 1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(source, formats=[plugin]) as image:
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
