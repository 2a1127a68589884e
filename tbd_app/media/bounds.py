"""Checks against the limits, with the sentences that say which limit was passed and by what."""

from __future__ import annotations

import math

from tbd_app.errors import EmptyFile, TooLarge, TooLong, TooManyFrames, TooManyPixels
from tbd_app.settings import Limits

GROUND = 255  # brightness under transparent pixels, in pictures and videos: white, as browsers show them
MAX_FRAMES = 150_000  # of a video: ten minutes at 250 a second


def check_bytes(n_bytes: int, limits: Limits) -> None:
    """Refuse a file by its size.

    Raises:
        EmptyFile, TooLarge: it has no byte, or too many.
    """
    if n_bytes == 0:
        raise EmptyFile("The file is empty.")
    size_mb = n_bytes / 1e6
    if size_mb > limits.max_file_mb:
        raise TooLarge(
            f"A file may have {limits.max_file_mb:g} MB at most, this one has {size_mb:.1f}.",
            limit=limits.max_file_mb,
            value=round(size_mb, 3),
        )


def check_frame(width: int, height: int, limits: Limits) -> None:
    """Refuse a frame of a video by its size.

    Raises:
        TooManyPixels: it passes the limit.
    """
    if width * height > limits.max_frame_mpx * 1e6:
        raise too_many_pixels("frame", limits.max_frame_mpx, width * height / 1e6)


def check_count(n_frames: int) -> None:
    """Refuse a video by the number of its frames.

    Raises:
        TooManyFrames: there are more than `MAX_FRAMES`.
    """
    if n_frames > MAX_FRAMES:
        raise TooManyFrames(
            f"A video may have {MAX_FRAMES:,} frames at most, this one has more.", limit=MAX_FRAMES
        )


def check_animation(width: int, height: int, n_frames: int, limits: Limits) -> None:
    """Refuse an animation by what decoding all of its frames costs: a file of a few bytes can hold thousands.

    Raises:
        TooManyFrames, TooManyPixels: it passes a limit.
    """
    check_count(n_frames)
    found_mpx = width * height * n_frames / 1e6
    if n_frames > 1 and found_mpx > limits.max_animation_mpx:
        raise TooManyPixels(
            f"The frames of an animation may have {limits.max_animation_mpx:g} megapixels together, these have more.",
            limit=limits.max_animation_mpx,
            value=round(found_mpx, 3),
        )


def fitted_size(width: int, height: int, max_bytes: float) -> tuple[int, int]:
    """The largest (width, height) of the same shape whose RGB frame fits in `max_bytes`; never larger."""
    scale = math.sqrt(max_bytes / (width * height * 3))
    if scale >= 1:
        return width, height
    return max(1, int(width * scale)), max(1, int(height * scale))


def frame_bytes(n: int, limits: Limits) -> float:
    """How many bytes each of `n` frames of a clip may have."""
    return min(limits.max_decoded_mb * 1e6 / max(n, 1), limits.frame_mpx * 3e6)


def reduced_warning(limits: Limits) -> str:
    """The sentence for frames that were made smaller to fit."""
    return (
        f"Frames were reduced in size: one may have {limits.frame_mpx:.3g} megapixels, "
        f"all together {limits.max_decoded_mb:g} MB."
    )


def too_many_pixels(what: str, limit_mpx: float, value_mpx: float | None) -> TooManyPixels:
    """The error for a frame or picture of more than `limit_mpx` megapixels."""
    value = None if value_mpx is None else round(value_mpx, 3)
    found = "" if value is None else f", this one has {value:g}"
    return TooManyPixels(
        f"A {what} may have {limit_mpx:g} megapixels at most{found}.", limit=limit_mpx, value=value
    )


def too_long(limits: Limits, value_s: float) -> TooLong:
    """The error for a video of more than `limits.max_duration_s`."""
    value = round(value_s, 3)
    message = f"A video may last {limits.max_duration_s:g} s at most, this one lasts {value:g} s or more."
    return TooLong(message, limit=limits.max_duration_s, value=value)
