"""Frames sampled uniformly over the whole timeline: `sample(media, n, limits) -> Frames`."""

from __future__ import annotations

from tbd_app.media import answers, sandbox
from tbd_app.media.readers import READERS
from tbd_app.settings import Limits
from tbd_app.types import Frames, Media


def sample(media: Media, n: int, limits: Limits) -> Frames:
    """Decode up to `n` frames, uniformly over the timeline.

    Returns:
        Upright frames in order; fewer than `n` when the media has fewer, or where some cannot be decoded.

    Raises:
        CorruptMedia, DecodeTimeout, TooManyPixels: the content is damaged or passes a limit.
    """
    info, arrays = sandbox.run(
        READERS[media.content.reader].decode,
        limits,
        path=str(media.path.absolute()),
        format_name=media.content.format,
        n_frames=media.n_frames,
        n=n,
        index=media.content.index,
    )
    return answers.frames(info, arrays, media, n, limits)
