"""Runs of frames that follow each other: `sample_runs(media, runs, limits)`, for models that were trained on neighbours."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby

from tbd_app.media import answers, sandbox
from tbd_app.media.readers import READERS
from tbd_app.medium import Runs
from tbd_app.settings import Limits
from tbd_app.types import Frames, Media


def sample_runs(media: Media, runs: Runs, limits: Limits) -> tuple[Frames, ...]:
    """Decode runs of a video's frames.

    Returns:
        Each run that could be decoded, in order; none for media without a timeline (a picture, a zip of frames).

    Raises:
        CorruptMedia, DecodeTimeout, TooManyPixels: the content is damaged or passes a limit.
    """
    job = READERS[media.content.reader].runs
    if job is None or media.kind != "video":
        return ()
    info, arrays = sandbox.run(
        job,
        limits,
        path=str(media.path.absolute()),
        format_name=media.content.format,
        index=media.content.index,
        **asdict(runs),
    )
    found = answers.frames(info, arrays, media, runs.length * runs.count, limits)
    numbers = answers.run_numbers(info, len(found), runs.count)
    out = []
    for _, places in groupby(range(len(found)), key=numbers.__getitem__):
        rows = list(places)
        images = tuple(found.images[i] for i in rows)
        out.append(Frames(images, found.indices[rows], found.times_s[rows], runs.length))
    return tuple(out)
