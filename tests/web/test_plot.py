from __future__ import annotations

import numpy as np
import pytest

from tbd_app.web import plot, texts
from tests.report_factory import THRESHOLD, make_report


def test_it_follows_each_person_and_draws_the_threshold():
    report = make_report(n_people=2)
    line = plot.of_report(report)
    assert line is not None
    assert set(line.data["who"]) == {"Person A", "Person B", texts.THRESHOLD} == set(line.colours)
    second = line.data[line.data["who"] == "Person B"]
    assert list(second["x"]) == list(report.people[1].times_s)
    judged = [s.frame_fake_prob for s in report.people[1].scores if s.frame_fake_prob]
    np.testing.assert_allclose(second["score"], np.mean(judged, axis=0), atol=1e-3)
    assert set(line.data[line.data["who"] == texts.THRESHOLD]["score"]) == {THRESHOLD}
    assert "8 of 8 frames reach" in line.sentences[0]
    assert "0 of 8 frames reach" in line.sentences[1]


def test_it_counts_the_frames_of_a_zip_from_one():
    line = plot.of_report(make_report(kind="frames", n_people=1))
    assert line is not None
    assert (line.x_title, line.data["x"].min()) == (texts.FRAME_AXIS, 1)


@pytest.mark.parametrize("report", [make_report(kind="image"), make_report(label="not_applicable")])
def test_no_timeline_without_time_or_faces(report):
    assert plot.of_report(report) is None
