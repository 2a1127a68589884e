"""Pictures and animations through Pillow: upright 8-bit RGB from whatever a user has. Runs in the sandbox.

Transparency is laid over white, as a browser shows it. 16-bit pictures keep their whole range: 65535
becomes 255. What can be read of a picture without its end is used, with a sentence that says so.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tbd_app.errors import CorruptMedia
from tbd_app.media import bounds, confined, depth, origin, pages, pillow, salvage
from tbd_app.media.packets import uniform_indices
from tbd_app.media.sandbox import Answer
from tbd_app.settings import Limits

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
DEFAULT_DURATION_MS = 100.0  # what browsers show for a GIF frame without a duration
_CLOCKWISE = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}  # EXIF orientation; 2, 4, 5 and 7 also mirror
_ORIENTATION = 0x0112
STRIP_BYTES = 100_000  # malloc has as much at hand; more it asks of the system, page by page, each time
# Upright RGB, the clockwise turn that was applied, sentences for the report.
Picture = tuple[Image.Image, int, list[str]]
# What was probed last, for `decode` of the same file by the same process.
_probed: dict[tuple[object, ...], Picture] = {}


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
        try:
            with pillow.opened(Path(path), format_name, limits) as image:
                film = _probe_animation(image, limits)
        except CorruptMedia:
            if format_name not in salvage.CUTTABLE:
                raise
            film = {"n_frames": 0}
        if film["n_frames"] > 1:
            return {**film, "codec": format_name.lower()}, ()
    rgb, rotation, notes = picture = _picture(Path(path), format_name, limits)
    _probed.clear()
    _probed[_file(path, format_name)] = picture
    info = {"kind": "image", "width": rgb.width, "height": rgb.height, "fps": None, "duration_s": None}
    info |= {"n_frames": 1, "codec": format_name.lower(), "rotation_deg": rotation, "warnings": notes}
    return info, ()


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
    if n_frames == 1:
        known = _probed.pop(_file(path, format_name), None)
        rgb, _, notes = known or _picture(Path(path), format_name, limits)
        times, arrays = [0.0], [_fitted(rgb, limits.max_decoded_mb * 1e6, notes, limits)]
    else:
        max_bytes = bounds.frame_bytes(len(indices), limits)
        wanted, times, arrays, notes = set(indices), [], [], []
        with pillow.opened(Path(path), format_name, limits) as image:
            for i, (start_s, _) in enumerate(_times(image, [])):
                if i in wanted:
                    arrays.append(_fitted(_upright_rgb(image), max_bytes, notes, limits))
                    times.append(start_s)
    said = list(dict.fromkeys(notes))
    return {"indices": indices[: len(arrays)], "times_s": times, "warnings": said}, arrays


def read_origin(*, limits: Limits, path: str, format_name: str, trusted: str) -> Answer:
    """Sandbox job: what the file says of its own origin; see `readers`."""
    return origin.of_picture(path, format_name, limits, trusted), ()


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
    with pillow.opened(Path(path), format_name, limits) as image:
        for start_s, _ in _times(image, []):
            bounds.check_frame(image.width, image.height, limits)
            rgb = _upright_rgb(image)
            yield start_s, np.asarray(rgb.resize(fit(*rgb.size)))


def read(content: bytes, plugin: str, limits: Limits, max_bytes: float) -> tuple[np.ndarray, list[str]]:
    """Decode one picture in memory.

    Returns:
        (H,W,3) uint8 RGB, upright, reduced where that is needed to fit in `max_bytes`; sentences on what was done.

    Raises:
        NotMedia, TooManyPixels, CorruptMedia: as for `probe`.
    """
    rgb, _, notes = _picture(io.BytesIO(content), plugin, limits)
    return _fitted(rgb, max_bytes, notes, limits), notes


def _file(path: str, format_name: str) -> tuple[object, ...]:
    """A file and how it is read; another content is another file."""
    stat = os.stat(path)
    return path, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, format_name


def _picture(source: pillow.Source, plugin: str, limits: Limits) -> Picture:
    """A picture; where its end is missing, what can be read of it."""
    try:
        return _whole_picture(source, plugin, limits)
    except CorruptMedia:
        if plugin not in salvage.CUTTABLE:
            raise
    with salvage.lenient():
        rgb, rotation, notes = _whole_picture(source, plugin, limits)
    if not salvage.shows_enough(rgb):
        raise CorruptMedia("The picture is damaged or cut short.")
    return rgb, rotation, [*notes, salvage.CUT]


def _whole_picture(source: pillow.Source, plugin: str, limits: Limits) -> Picture:
    if isinstance(source, io.BytesIO):
        source.seek(0)
    with pillow.opened(source, plugin, limits) as image:
        notes = pages.turn_to_main(image) if plugin == "TIFF" else []
        if getattr(image, "default_image", False):
            image.seek(1)  # the picture before an animation is for programs that show none
        image.info["deep"] = plugin in ("PNG", "TIFF") and any(
            ";16" in str(tile.args) for tile in getattr(image, "tile", ())
        )
        image.load()
        bits = 16
        if depth.is_dark_16_bit_colour(image) and (deep := depth.colour(pillow.content(source))):
            bright, bits = deep
            if bright.size == image.size:
                image.paste(bright)
        rotation = _rotation(image)
        if image.mode[0] in "IF":
            bits = depth.grey(image)[1]
        return _upright_rgb(image), rotation, [*notes, *filter(None, [depth.note(bits)])]


def _fitted(rgb: Image.Image, max_bytes: float, notes: list[str], limits: Limits) -> np.ndarray:
    """(H,W,3) uint8, made smaller where that is needed; `notes` say so."""
    size = bounds.fitted_size(*rgb.size, max_bytes)
    if size != rgb.size:
        notes.append(bounds.reduced_warning(limits))
    return _array(_resized(rgb, size))


def _array(rgb: Image.Image) -> np.ndarray:
    """(H,W,3) uint8; in strips, for Pillow gives the pixels of a whole picture away in three copies."""
    out = confined.room((rgb.height, rgb.width, 3))
    rows = max(1, STRIP_BYTES // (4 * rgb.width))
    for top in range(0, rgb.height, rows):
        bottom = min(top + rows, rgb.height)
        out[top:bottom] = np.asarray(rgb.crop((0, top, rgb.width, bottom)))
    return out


def _upright_rgb(image: Image.Image) -> Image.Image:
    """The current frame as RGB: EXIF turn applied, deep pictures scaled, transparency over white; perhaps the same object."""
    image.load()
    with suppress(*pillow.DAMAGE):  # which does not make the picture unreadable
        if image.getexif().get(_ORIENTATION, 1) != 1:
            image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        return Image.fromarray(depth.grey(image)[0]).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (bounds.GROUND,) * 3)
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BOX)


def _rotation(image: Image.Image) -> int:
    try:
        return _CLOCKWISE.get(image.getexif().get(_ORIENTATION, 1), 0)
    except pillow.DAMAGE:
        return 0


def _times(image: Image.Image, notes: list[str]) -> Iterator[tuple[float, float]]:
    """Decode frame after frame, and yield start and end of each in seconds.

    Damage behind the first frame ends it and leaves a sentence in `notes`.
    """
    end_ms = 0.0
    first = 1 if getattr(image, "default_image", False) else 0  # it is no part of the animation
    if image.info.get("cut"):
        notes.append(salvage.CUT_ANIMATION)
    for i in itertools.count(first):  # `n_frames` may be wrong, and raises on a GIF that is cut short
        try:
            image.seek(i)
            image.load()
        except (EOFError, *pillow.DAMAGE) as error:
            if i == first:
                raise
            if not isinstance(error, EOFError):  # which is the regular end
                notes.append(salvage.CUT_ANIMATION)
            return
        start_ms, end_ms = end_ms, end_ms + (image.info.get("duration") or DEFAULT_DURATION_MS)
        yield start_ms / 1000, end_ms / 1000
