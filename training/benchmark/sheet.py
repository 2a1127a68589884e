"""Sheets of what models look at: a row for each face, the face, its Grad-CAM and the model's own attention side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tbd_app.pipeline import explain, grad_cam, neighbours, people, score
from tbd_app.pipeline.maps import TIMES_EVEN
from tbd_app.report.names import clock
from tbd_app.report.texts import map_in_time, map_named
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Explanation

SIDE = 224  # px of a picture
GAP, CAPTION = 8, 44  # px
ROWS = 12  # of a sheet
PAPER, INK = "white", "black"


@dataclass(frozen=True, slots=True)
class Row:
    """One face.

    Attributes:
        file: name of the medium.
        evidence: its Grad-CAM.
        strongest: logits that the hottest colour of that map stands for.
        attention: one map, or one for each query; empty where the model has none to show.
    """

    file: str
    evidence: Explanation
    strongest: float
    attention: tuple[Explanation, ...]


def rows_of(path: Path, model: str, settings: AnalysisSettings, faces: int) -> list[Row]:
    """Rows of one file: of its largest person so many frames that speak most for a fake.

    Raises:
        TBDError: the file is refused.
    """
    found = people.find(path, settings)
    detector = people.detector("cpu", settings.min_face_px)
    seen = neighbours.sights(found.frames, found.tracks, detector, settings.face_confidence)
    judged = [t for t in found.tracks if t.exclusion is None][:1]
    logits = partial(neighbours.track_logits, seen=seen)
    scores = score.score_tracks(model, found.frames, judged, logits_of=logits)
    by_kind = [
        explain.explain(found.frames, judged, scores, "cpu", seen, attention=attention, every_frame=False)
        for attention in (False, True)
    ]
    evidence, own = (
        {e.time_s: [a for a in of.shown if a.time_s == e.time_s] for e in of.shown if e.role == "highest"}
        for of in by_kind
    )
    return [
        Row(
            path.name,
            evidence[time_s][0],
            by_kind[0].strongest,
            tuple(a for a in own.get(time_s, ()) if a.kind != "grad_cam"),
        )
        for time_s in list(evidence)[:faces]
    ]


def sheets(model: str, rows: Sequence[Row]) -> Iterator[Image.Image]:
    """Pictures of at most `ROWS` rows; Grad-CAM has one scale for all of them, attention that of the reports."""
    strongest = max(row.strongest for row in rows)
    for start in range(0, len(rows), ROWS):
        yield _sheet(model, rows[start : start + ROWS], strongest)


def write(folder: Path, model: str, rows: Sequence[Row]) -> list[Path]:
    """Writes the sheets as `MODEL-01.png` and on; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, sheet in enumerate(sheets(model, rows), 1):
        paths.append(folder / f"{model.replace(':', '-').replace('/', '-')}-{number:02}.png")
        sheet.save(paths[-1])
    return paths


def _sheet(model: str, rows: Sequence[Row], strongest: float) -> Image.Image:
    columns = 2 + max(1, *(len(row.attention) for row in rows))
    size = (columns * (SIDE + GAP) + GAP, CAPTION + len(rows) * (SIDE + CAPTION + GAP) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    title = (
        f"{model}: Grad-CAM up to {strongest:.1f} logits; attention from an even share up to {TIMES_EVEN:g} times that.\n"
        "Attention shows where a model looks, not why it decides."
    )
    _say(pen, (GAP, GAP), title)
    for number, row in enumerate(rows):
        top = CAPTION + number * (SIDE + CAPTION + GAP) + GAP
        for column, (picture, words) in enumerate(_pictures(row, strongest)):
            left = GAP + column * (SIDE + GAP)
            sheet.paste(Image.fromarray(picture), (left, top))
            _say(pen, (left, top + SIDE + 2), words)
    return sheet


def _pictures(row: Row, strongest: float) -> Iterator[tuple[np.ndarray, str]]:
    """Pictures of a row, and what is written below each."""
    one = row.evidence
    yield _square(one.crop), f"{row.file[:34]}\n{clock(one.time_s)}, score {one.fake_prob:.2f}"
    heat = one.heat * np.float32(row.strongest / strongest)
    yield _square(grad_cam.blend(one.crop, heat)), map_named("grad_cam")
    for found in row.attention:
        yield _square(found.overlay), f"{map_named(found.kind, found.part)}\n{map_in_time(found)}"


def _square(picture: np.ndarray) -> np.ndarray:
    """A crop (h,w,3) in a square of `SIDE`, white beside it where the picture's border cut it."""
    square = np.full((SIDE, SIDE, 3), 255, np.uint8)
    scale = SIDE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:SIDE, :SIDE]
    square[: small.shape[0], : small.shape[1]] = small
    return square


def _say(pen: ImageDraw.ImageDraw, place: tuple[int, int], words: str) -> None:
    pen.multiline_text(place, words, fill=INK, font=ImageFont.load_default(size=12))
