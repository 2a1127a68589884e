"""What the terminal shows of a report: figures of its kind of media, and which votes count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tbd_app import catalogue
from tbd_app.cli.screen import Screen
from tbd_app.known import KnownPerformance, Measured
from tbd_app.report import texts
from tests.report_factory import MODELS, make_report, with_combination


def shown(report, capsys: pytest.CaptureFixture[str]) -> str:
    Screen().results([(report.media.path, report)])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("video", "5% (1%–12%) of 40 real items (made clips)"),
        ("frames", "5% (1%–12%) of 40 real items (made clips)"),
        ("image", "5% (3%–7%) of 534 real items (made pictures)"),
    ],
)
def test_the_known_error_comes_from_the_report_and_fits_the_media(kind, known, capsys) -> None:
    out = shown(make_report(kind=kind), capsys)
    assert f"Known error rate of {MODELS[0]}: wrongly flags {known}" in out
    assert f"Known error rate of {MODELS[1]}: not measured" in out
    assert "of the vote" not in out


def test_the_vote_of_several_is_shown_where_it_was_measured(capsys) -> None:
    known = KnownPerformance("made clips", 30, flagged_real=Measured(0.1, 0.0, 0.2))
    out = shown(replace(make_report(), known=known), capsys)
    assert "Known error rate of the vote: wrongly flags 10% (0%–20%) of 30 real items (made clips)" in out


def test_a_vote_that_does_not_count_is_in_brackets(capsys) -> None:
    report = make_report(n_people=1)
    assert texts.SHOWN_ONLY not in shown(report, capsys)
    (person,) = report.people
    alone = replace(person, verdict=replace(person.verdict, voters=MODELS[:1]))
    out = " ".join(shown(replace(report, people=(alone,)), capsys).split())
    assert texts.SHOWN_ONLY in out
    assert out.count("(fake)") == 1
    assert out.count("(real)") == 1


def test_models_are_listed_with_figures_of_each_kind(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    (row,) = catalogue.listing([MODELS[0]])
    figures = {"video": 0.25, "image": 0.125}
    known = {
        k: KnownPerformance(f"made {k}", 8, flagged_real=Measured(v, 0.0, 1.0)) for k, v in figures.items()
    }
    Screen().models([replace(row, known=known), replace(row, known={})])
    out = capsys.readouterr().out
    assert "wrongly flags 25% (0%–100%) of 8 real items (made video)" in out
    assert "wrongly flags 12% (0%–100%) of 8 real items (made image)" in out
    assert out.count("not measured") == 1


def test_a_combined_score_is_shown_with_its_two_bounds(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    report = with_combination(make_report(n_people=2), 0.8)
    out = shown(report, capsys)
    for name in "AB":
        assert f"Person {name}: {texts.REASONS['combined']} Together they score 0.80 (real below 0.40" in out
    assert "Together" not in shown(make_report(), capsys)
    Screen().results([(report.media.path, report), (report.media.path, make_report())])
    first, second = [
        line for line in capsys.readouterr().out.splitlines() if "interview" in line or ".mp4" in line
    ]
    assert "0.80 (real below 0.40, fake from 0.55)" in first
    assert "real below" not in second
