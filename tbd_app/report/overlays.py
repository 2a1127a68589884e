"""Boxes and captions drawn on pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tbd_app.report import palette
from tbd_app.report.names import person_name
from tbd_app.types import Snapshot


@dataclass(frozen=True, slots=True)
class Box:
    """A face to draw: (4,) xyxy px, a short caption ("" for none) and a colour."""

    xyxy: np.ndarray
    caption: str
    colour: str


def draw_boxes(snapshot: Snapshot, labels: Mapping[int, str] | None = None) -> np.ndarray:
    """The snapshot with a box around every face.

    Args:
        snapshot: is not changed.
        labels: caption by track id; by default the person's letter.

    Returns:
        (h,w,3) uint8 RGB of the snapshot's size.
    """
    captions = labels or {}
    return draw(
        snapshot.image,
        (
            Box(xyxy, captions.get(track, person_name(track)) if track >= 0 else "", palette.person(track))
            for xyxy, track in zip(snapshot.boxes, snapshot.track_ids, strict=True)
        ),
    )


def draw(image: np.ndarray, boxes: Iterable[Box]) -> np.ndarray:
    """A copy of a picture (h,w,3) uint8 RGB with boxes; line and letters grow with the picture."""
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    long_side = max(picture.size)
    line = max(2, long_side // 320)
    font = ImageFont.load_default(size=max(12, long_side // 45))
    for box in boxes:
        x0, y0, x1, y1 = (float(v) for v in box.xyxy)
        pen.rectangle((x0, y0, max(x0, x1), max(y0, y1)), outline=box.colour, width=line)
        if box.caption:
            _tag(pen, (x0, y0, y1), box, font, picture.size)
    return np.asarray(picture)


def _tag(
    pen: ImageDraw.ImageDraw,
    edges: tuple[float, float, float],
    box: Box,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
) -> None:
    """The caption above the box, or below its lower edge, or inside, wherever it stays in the picture."""
    x0, y0, y1 = edges
    left, top, right, bottom = pen.textbbox((0, 0), box.caption, font=font)
    width, height = right - left + 6, bottom - top + 6
    x = min(max(x0, 0), max(size[0] - width, 0))
    y = y0 - height if y0 >= height else y1 if y1 + height <= size[1] else max(y0, 0)
    pen.rectangle((x, y, x + width, y + height), fill=box.colour)
    pen.text((x + 3 - left, y + 3 - top), box.caption, fill="black", font=font)
