"""fake_prob over time per person, as lines to draw: a gap where the person is not seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tbd_app.report.texts import person_name
from tbd_app.types import Person, Report


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


def thresholds(report: Report) -> list[float]:
    """The distinct thresholds at which the models that scored single frames vote fake, ascending."""
    return sorted({s.threshold for p in report.people for s in p.scores if s.frame_fake_prob and s.threshold})


def in_words(report: Report) -> str:
    """The curves as a sentence, for those who cannot see the plot."""
    parts = []
    for line in lines(report):
        points = [point for run in line.runs for point in run]
        (low_t, low), (high_t, high) = (f(points, key=lambda p: p[1]) for f in (min, max))
        where = "" if report.media.kind == "image" else f" (lowest at {low_t:g}, highest at {high_t:g})"
        parts.append(f"person {person_name(line.track_id)} between {low:.2f} and {high:.2f}{where}")
    unit = {"video": "seconds", "frames": "frames", "image": "one picture"}[report.media.kind]
    return (
        f"Score over {unit}: {'; '.join(parts)}." if parts else "No model gives scores of single frames here."
    )
