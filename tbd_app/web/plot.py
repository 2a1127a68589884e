"""A report's scores over time, for the plot and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tbd_app.report import palette
from tbd_app.report import texts as words
from tbd_app.types import Person, Report
from tbd_app.web import texts


@dataclass(frozen=True, slots=True)
class Timeline:
    """A score per moment and person.

    Attributes:
        data: columns `x` (seconds, or the number of the frame), `score` and `who`, a person or the threshold.
        x_title: what `x` counts.
        colours: one per `who`.
        sentences: the same in words, one per person.
    """

    data: pd.DataFrame
    x_title: str
    colours: dict[str, str]
    sentences: tuple[str, ...]


def of_report(report: Report) -> Timeline | None:
    """The mean score of the models that judge single frames, over time; None for a picture or without one."""
    lines = [(p, *line) for p in report.people if (line := _line(p)) is not None]
    if report.media.kind == "image" or not lines:
        return None
    first = 1 if report.media.kind == "frames" else 0  # people count frames from 1
    names = [f"Person {words.person_name(person.track.track_id)}" for person, _, _ in lines]
    rows = [
        (t + first, round(float(s), 3), name)
        for name, (person, scores, _) in zip(names, lines, strict=True)
        for t, s in zip(person.times_s, scores, strict=True)
    ]
    threshold = lines[0][2]
    ends = (report.frames.times_s[0] + first, report.frames.times_s[-1] + first)
    rows += [(x, round(threshold, 3), texts.THRESHOLD) for x in ends]
    return Timeline(
        data=pd.DataFrame(rows, columns=["x", "score", "who"]),
        x_title=texts.FRAME_AXIS if first else texts.TIME_AXIS,
        colours={
            **{name: palette.person(p.track.track_id) for name, (p, _, _) in zip(names, lines, strict=True)},
            texts.THRESHOLD: palette.THRESHOLD,
        },
        sentences=tuple(_in_words(p, scores, threshold, report.media.kind) for p, scores, threshold in lines),
    )


def _line(person: Person) -> tuple[np.ndarray, float] | None:
    """Mean score per frame (K,) and mean threshold of the models that judge single frames."""
    judged = [
        (np.array(s.frame_fake_prob), s.threshold)
        for s in person.scores
        if s.frame_fake_prob is not None and s.threshold is not None
    ]
    if not judged:
        return None
    scores, thresholds = zip(*judged, strict=True)
    return np.mean(scores, axis=0), float(np.mean(thresholds))


def _in_words(person: Person, scores: np.ndarray, threshold: float, kind: str) -> str:
    peak = words.moment(person.times_s[int(scores.argmax())], kind)
    above = int((scores >= threshold).sum())
    return (
        f"Person {words.person_name(person.track.track_id)}: "
        f"the score lies between {scores.min():.2f} and {scores.max():.2f}, highest at {peak}; "
        f"{above} of {len(scores)} frames reach the vote threshold of {threshold:.2f}."
    )
