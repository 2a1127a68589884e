"""A report's scores of single frames over time, as geometry for the page and in words."""

from __future__ import annotations

from dataclasses import dataclass

from tbd_app.report import curves, palette
from tbd_app.report import texts as words
from tbd_app.types import Report
from tbd_app.web import sentences, texts

_LEAST_GAP = 9.0  # per cent of the height between two labels
_LEAST_ZONE = 0.12  # share of the height that can hold its name


@dataclass(frozen=True, slots=True)
class Curve:
    """One person: name, colour, and stretches of points in per cent of width and height from the upper left."""

    name: str
    colour: str
    runs: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """Scores that are voted alike: code, its words ("" where they do not fit), and its top and height in per cent."""

    code: str
    text: str
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is drawn; all places are per cent.

    Attributes:
        zones: fake, between and real, from above.
        levels: label and place of marks on the score's axis, none too close to the next.
        ticks: label and place of marks on the axis of time.
        axis: what is counted there.
        places: of each sampled frame.
        sentences: the same in words, one per person.
    """

    curves: tuple[Curve, ...]
    zones: tuple[Zone, ...]
    levels: tuple[tuple[str, float], ...]
    ticks: tuple[tuple[str, float], ...]
    axis: str
    places: tuple[float, ...]
    sentences: tuple[str, ...]


def of_report(report: Report) -> Timeline | None:
    """The mean score of the models that judge single frames, over time; None for a picture or without one."""
    lines, zones = curves.lines(report), curves.zones(report)
    if report.media.kind == "image" or not lines or zones is None:
        return None
    start, end = report.frames.times_s[0], report.frames.times_s[-1]

    def across(time_s: float) -> float:
        return round(100 * (time_s - start) / (end - start), 2) if end > start else 50.0

    return Timeline(
        curves=tuple(
            Curve(
                sentences.person(words.person_name(line.track_id)),
                palette.person(line.track_id),
                tuple(tuple((across(t), _down(p)) for t, p in run) for run in line.runs),
            )
            for line in lines
        ),
        zones=tuple(
            Zone(
                name,
                words.ZONES[name] if high - low >= _LEAST_ZONE else "",
                _down(high),
                round(100 * (high - low), 2),
            )
            for name, low, high in reversed(zones.parts())
        ),
        levels=_apart({0.0: "0", 1.0: "1"} | {v: f"{v:.2f}" for v in (zones.real_below, zones.threshold)}),
        ticks=tuple((_named(report, t), across(t)) for t in curves.marks(start, end)),
        axis=texts.FRAME_AXIS if report.media.kind == "frames" else texts.TIME_AXIS,
        places=tuple(across(t) for t in report.frames.times_s),
        sentences=tuple(curves.line_in_words(line, report) for line in lines),
    )


def _down(score: float) -> float:
    return round(100 * (1 - score), 2)


def _apart(marks: dict[float, str]) -> tuple[tuple[str, float], ...]:
    """Labels at their heights, moved where they would lie on another one, but never off the axis."""
    scores = sorted(marks, reverse=True)
    places = [_down(score) for score in scores]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + _LEAST_GAP)
    places[-1] = min(places[-1], 100.0)
    for k in reversed(range(len(places) - 1)):
        places[k] = min(places[k], places[k + 1] - _LEAST_GAP)
    return tuple((marks[score], round(place, 2)) for score, place in zip(scores, places, strict=True))


def _named(report: Report, time_s: float) -> str:
    """A mark of time: a clock, or the number of a frame of a zip."""
    return str(int(time_s) + 1) if report.media.kind == "frames" else words.clock(time_s)
