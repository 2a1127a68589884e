"""What about a face makes any answer about it less sure: it is small, blurred, dark or heavily compressed.

The bounds are choices for a remark and decide nothing; of 18 clips of the validation media none gets one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from tbd_app.languages import Table, say, say_n
from tbd_app.report.names import span
from tbd_app.types import Media, Person, Report

Remark = Literal["small", "blurred", "dark", "compressed"]
SMALL_PX = 100.0
BLURRED = 30.0  # variance of the Laplacian at 128 px
BRIGHT_PERCENTILE = 95.0
DARK = 100.0  # of 255, at that percentile of the thumbnail, which skin tone moves little
COMPRESSED = 0.02  # bits per pixel of a whole video
REMARKS: Table[Remark] = Table(
    {
        "small": "The face is small ({value} px); detail is missing.",
        "blurred": "The face is blurred or soft.",
        "dark": "The face is dark.",
        "compressed": "The file is heavily compressed ({value} bits per pixel).",
    }
)


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


def remarked(person: Person, media: Media) -> list[str]:
    """The remarks as sentences."""
    return [
        REMARKS.said(code, value=f"{value:.0f}" if code == "small" else f"{value:.2f}")
        for code, value in remarks(person, media)
    ]


def lasting(report: Report) -> list[Person]:
    """The people but for finds that were too brief to judge, which are often no faces; all where there is nobody else."""
    people = [p for p in report.people if p.track.exclusion != "too_brief"]
    return people or list(report.people)


def brief(report: Report) -> str:
    """One line about the finds beside these people, or ""."""
    lasts = lasting(report)
    finds = [p for p in report.people if p not in lasts]
    if not finds:
        return ""
    return say_n(
        "{n} find that was too brief to judge ({when}); it may be no face at all.",
        "{n} finds that were too brief to judge ({when}); they may be no faces at all.",
        len(finds),
        when=say(", ").join(filter(None, (span(p, report.media.kind) for p in finds))),
    )
