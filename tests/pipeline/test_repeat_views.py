"""An answer that is withdrawn for its views follows from the JSON, too; the printed command knows whether they were asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tbd_app.pipeline import stability
from tbd_app.pipeline.analyze import analyze
from tbd_app.report import texts
from tests.pipeline.test_repeat import (
    DEFAULT,
    OTHER,
    agree,
    asked,
    bounds,
    combining,
    listed,
    parsed,
    picture,
    recounts,
)

__all__ = ["listed", "picture"]  # fixtures


@pytest.mark.parametrize("combined", [False, True])
def test_an_answer_that_a_view_turns_is_withdrawn_and_can_be_worked_out(
    listed, picture, combined, monkeypatch
) -> None:
    halves = {"calibration": {"threshold": 0.5, "real_below": 0.5, "temperature": 1.0}}
    models = (DEFAULT, OTHER) if combined else (DEFAULT,)
    agree(listed(combination={"image": combining(-1.5, *models)} if combined else None, **{DEFAULT: halves}))
    opposites = {"jpeg_50": -60.0, "mirrored": 60.0}

    def logits(name, frames, people, *_, **__):
        return {(t.track_id, view): np.array([value]) for t in people for view, value in opposites.items()}

    monkeypatch.setattr(stability, "view_logits", logits)
    report = analyze(picture, replace(asked(models), stability=True))
    assert report.stability is not None
    (person,) = report.stability.people
    assert person.turned == (("mirrored",) if person.answer == "real" else ("jpeg_50",))
    assert person.answer == "real" or not combined
    assert (person.same, len(person.views)) == (1, 2)
    for found in (report.verdict, report.people[0].verdict):
        assert (found.label, found.reasons[-1]) == ("uncertain", "unstable")
    assert (report.combination is not None) == combined
    recounts(report)
    assert texts.REASONS["unstable"] in texts.headline(report)


def test_with_the_check_the_command_says_so_and_the_scores_are_the_same(listed, picture, monkeypatch) -> None:
    agree(listed(**{DEFAULT: bounds(fake=True), OTHER: bounds(fake=True)}))
    settings = asked((DEFAULT, OTHER))
    checked, plain = analyze(picture, replace(settings, stability=True)), analyze(picture, settings)
    assert checked.stability is not None
    assert [len(p.views) for p in checked.stability.people] == [5]
    assert plain.stability is None
    assert [p.scores for p in plain.people] == [p.scores for p in checked.people]
    again = parsed(texts.repeat_command(plain), monkeypatch)
    assert not again.stability
    assert parsed(texts.repeat_command(checked), monkeypatch).stability
    assert (recounts(checked)["stability"] is None, recounts(plain)["stability"] is None) == (False, True)
