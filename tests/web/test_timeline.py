from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tbd_app.report import curves
from tbd_app.web import texts, timeline
from tests.report_factory import REAL_BELOW, THRESHOLD, make_report


def test_it_follows_each_person_and_shades_three_zones_with_both_bounds():
    report = make_report(n_people=2)
    line = timeline.of_report(report)
    assert line is not None
    assert [c.name for c in line.curves] == ["Person A", "Person B"]
    points = [p for run in curves.lines(report)[1].runs for p in run]
    drawn = [p for run in line.curves[1].runs for p in run]
    assert [y for _, y in drawn] == [pytest.approx(100 * (1 - score), abs=0.01) for _, score in points]
    assert [z.code for z in line.zones] == ["fake", "between", "real"]
    assert [z.height for z in line.zones] == [
        pytest.approx(100 * v) for v in (1 - THRESHOLD, THRESHOLD - REAL_BELOW, REAL_BELOW)
    ]
    assert [label for label, _ in line.levels] == ["1", f"{THRESHOLD:.2f}", f"{REAL_BELOW:.2f}", "0"]
    assert len(line.places) == report.frames.decoded
    assert "8 of 8 frames lie in the zone of fakes" in line.sentences[0]
    assert "0 of 8 frames lie" in line.sentences[1]


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.97, 0.99), (0.01, 0.03), (0.007, 0.779)])
def test_labels_of_the_score_never_collide_and_stay_on_the_axis(low, high):
    report = make_report(n_people=1)
    (person,) = report.people
    scores = tuple(replace(s, real_below=low, threshold=high) for s in person.scores)
    line = timeline.of_report(replace(report, people=(replace(person, scores=scores),)))
    assert line is not None
    places = [place for _, place in line.levels]
    assert all(b - a >= timeline._LEAST_GAP - 0.01 for a, b in pairwise(places))
    assert places[0] >= 0
    assert places[-1] <= 100


def test_each_moment_is_named_once():
    line = timeline.of_report(make_report(n_people=1, n_frames=3))  # one second in all
    assert line is not None
    labels = [label for label, _ in line.ticks]
    assert labels == sorted(set(labels)) == ["0:00", "0:01"]


@pytest.mark.parametrize("end", [0.4, 3.0, 4.9, 17.0, 61.0, 599.9, 1999.0])
def test_marks_of_time_are_whole_steps_evenly_apart(end):
    found = curves.marks(0.0, end)
    steps = {b - a for a, b in pairwise(found)}
    assert found[0] == 0
    assert found[-1] <= end
    assert len(steps) <= 1
    assert steps <= set(curves.STEPS)
    assert len(found) <= curves.MAX_STEPS + 1
    assert end < 2 or len(found) >= 3


def test_it_counts_the_frames_of_a_zip_from_one():
    line = timeline.of_report(make_report(kind="frames", n_people=1))
    assert line is not None
    assert (line.axis, line.ticks[0][0]) == (texts.FRAME_AXIS, "1")


@pytest.mark.parametrize("report", [make_report(kind="image"), make_report(label="not_applicable")])
def test_no_timeline_without_time_or_faces(report):
    assert timeline.of_report(report) is None
