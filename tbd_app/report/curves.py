"""Frame scores over time per person, as lines to draw: a gap where the person is not seen, three zones behind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np

from tbd_app.languages import say, say_n
from tbd_app.report import palette
from tbd_app.report.names import counted, moment, person_name
from tbd_app.types import ModelScore, Person, Report

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)  # between marks of time: seconds, or frames of a zip
MAX_STEPS = 5
NO_CURVE = "No model gives scores of single frames here."


@dataclass(frozen=True, slots=True)
class Line:
    """One person's curve.

    Attributes:
        runs: stretches of (time_s, fake_prob) without a gap between sampled frames.
    """

    track_id: int
    runs: tuple[tuple[tuple[float, float], ...], ...]


def frame_probs(person: Person) -> np.ndarray | None:
    """(K,) float64, the mean over the models that score single frames; None when none did."""
    curves = [s.frame_fake_prob for s in person.scores if s.status == "ok" and s.frame_fake_prob]
    return np.mean(curves, axis=0) if curves else None


def lines(report: Report) -> list[Line]:
    """The curves of all people that have one, in the report's order."""
    out = []
    for person in report.people:
        probs = frame_probs(person)
        if probs is None:
            continue
        points = list(zip(person.times_s, probs.tolist(), strict=True))
        breaks = np.flatnonzero(np.diff(person.track.positions) > 1) + 1
        edges = [0, *breaks.tolist(), len(points)]
        runs = tuple(tuple(points[a:b]) for a, b in pairwise(edges))
        out.append(Line(person.track.track_id, runs))
    return out


@dataclass(frozen=True, slots=True)
class Zones:
    """Three zones of a score: real below one bound, fake from the other, undecided between."""

    real_below: float
    threshold: float

    def parts(self) -> list[tuple[palette.Zone, float, float]]:
        """Name, lower and upper end of each zone, from 0 to 1; one without extent is left out."""
        edges = (0.0, self.real_below, self.threshold, 1.0)
        named = zip(get_args(palette.Zone), edges[:-1], edges[1:], strict=True)
        return [part for part in named if part[2] > part[1]]

    def __str__(self) -> str:
        low, high = f"{self.real_below:.2f}", f"{self.threshold:.2f}"
        return say("real below {low}, fake from {high}", low=low, high=high)


def zones(report: Report) -> Zones | None:
    """The zones behind the curves; None without one.

    Where models or people have bounds of their own, the zone between is as wide as all of theirs together.
    """
    found = [z for p in report.people for s in p.scores if s.frame_fake_prob and (z := zones_of(s))]
    if not found:
        return None
    return Zones(min(z.real_below for z in found), max(z.threshold for z in found))


def zones_of(score: ModelScore) -> Zones | None:
    """The zones of one model's score; None where it has no bounds."""
    if score.threshold is None:
        return None
    return Zones(score.threshold if score.real_below is None else score.real_below, score.threshold)


def marks(start: float, end: float) -> list[float]:
    """Moments to write at an axis of time: whole steps that people count in, `MAX_STEPS` at most."""
    step = next((step for step in STEPS if end - start <= MAX_STEPS * step), STEPS[-1])
    return [start + step * k for k in range(int((end - start) / step + 1e-6) + 1)]


def in_words(report: Report) -> str:
    """The curves as sentences, for those who cannot see the plot."""
    said = [line_in_words(line, report) for line in lines(report)]
    return " ".join(said) if said else say(NO_CURVE)


def line_in_words(line: Line, report: Report) -> str:
    """One curve: its range, its mean, and how many of its frames lie in the zone of fakes."""
    kind, bounds = report.media.kind, zones(report)
    points = [point for run in line.runs for point in run]
    probs = [prob for _, prob in points]
    (low_t, low), (high_t, high) = (f(points, key=lambda p: p[1]) for f in (min, max))
    name = say("Person {name}", name=person_name(line.track_id))
    if len(points) == 1:
        return say("{person}: the frame score is {score}.", person=name, score=f"{low:.2f}")
    tail = ""
    if bounds:
        above = sum(prob >= bounds.threshold for prob in probs)
        tail = say_n(
            "; {n} of {frames} lies in the zone of fakes",
            "; {n} of {frames} lie in the zone of fakes",
            above,
            frames=counted(len(points), "frame"),
        )
    return say(
        "{person}: the frame scores lie between {low} ({low_at}) and {high} ({high_at}), on average {mean}{tail}.",
        person=name,
        low=f"{low:.2f}",
        low_at=moment(low_t, kind),
        high=f"{high:.2f}",
        high_at=moment(high_t, kind),
        mean=f"{sum(probs) / len(probs):.2f}",
        tail=tail,
    )
