"""Frames sampled uniformly over the whole timeline: `sample(media, n, limits) -> Frames`."""

from __future__ import annotations

import numpy as np

from tbd_app.pipeline import archive, sandbox, stills, video
from tbd_app.pipeline.sniff import HEAD_BYTES, sniff
from tbd_app.pipeline.timeline import uniform_indices
from tbd_app.settings import Limits
from tbd_app.types import Frames, Media


def sample(media: Media, n: int, limits: Limits) -> Frames:
    """Decode up to `n` frames, uniformly over the timeline.

    Returns:
        Upright frames in order; fewer than `n` when the media has fewer, or where some cannot be decoded.

    Raises:
        CorruptMedia, DecodeTimeout, TooManyPixels: the content is damaged or passes a limit.
    """
    path = str(media.path.absolute())
    with media.path.open("rb") as file:
        content = sniff(file.read(HEAD_BYTES))
    indices = uniform_indices(media.n_frames, n)
    if content.reader == "zip":
        info, arrays = sandbox.run(archive.decode, limits, path=path, indices=indices)
    elif content.reader == "image":
        info, arrays = sandbox.run(stills.decode, limits, path=path, plugin=content.format, indices=indices)
    else:
        info, arrays = sandbox.run(video.decode, limits, path=path, demuxer=content.format, n=n)
    return Frames(
        images=tuple(arrays),
        indices=np.array(info["indices"], np.int64),
        times_s=np.array(info["times_s"], np.float64),
        requested=n,
        warnings=tuple(info["warnings"]),
    )
