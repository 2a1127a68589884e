"""What the terminal shows of a report: figures of its kind of media, and which votes count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tbd_app import catalogue
from tbd_app.answer import Answer
from tbd_app.cli import results
from tbd_app.cli.screen import Screen
from tbd_app.errors import NotMedia
from tbd_app.known import KnownPerformance, Measured
from tbd_app.report import texts
from tbd_app.types import ProgressEvent, Report
from tests.report_factory import MODELS, make_report, with_combination, with_known_vote


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
    assert out.count("(abstains)") == 1


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
        assert f"Person {name}: Together they score 0.80 (real below 0.40, fake from 0.55)." in out
    assert out.count("combined by how rare each is among real media") == 1
    assert "Together" not in shown(make_report(), capsys)


def test_what_an_answer_means_and_what_to_do_next_are_said(capsys) -> None:
    report = with_known_vote(make_report(label="real"))
    out = shown(report, capsys)
    assert out.startswith(
        "○ No signs found. In our test the models that judged found 9 of 27 fake clips and called 12"
    )
    for said in (texts.headline(report), texts.meaning_detail(report), f"Next: {texts.next_step(report)}"):
        assert said in out


def test_no_signs_has_no_colour_of_clearance() -> None:
    assert "green" not in results.STYLES["no_signs"]
    assert set(results.STYLES) == set(get_args(Answer))


def test_several_files_make_a_table_and_what_they_share_is_said_once(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reports = [
        with_combination(with_known_vote(make_report(label="fake", n_people=1)), 0.8) for _ in range(3)
    ]
    reports.append(with_known_vote(make_report(label="real")))
    done = [(r.media.path, r) for r in reports]
    Screen().results([*done, (Path("notes.txt"), NotMedia("This is not a video."))])
    out = capsys.readouterr().out
    assert "5 files: 3 suspicious, 1 no signs found, 1 refused." in out
    for once in (
        "Suspicious: In our test the models that judged called 0 of 19 real clips fake, too.",
        "No signs found: In our test",
        "Of this kind of media: real below 0.40, fake from 0.55.",
    ):
        assert out.count(once) == 1


@pytest.mark.parametrize("label", ["fake", "real", "uncertain"])
def test_no_word_of_a_table_is_broken_at_80_columns(label, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report = with_combination(make_report(label=label, n_people=2, kind="frames"), 0.8)
    for done in ([(report.media.path, report)], [(report.media.path, report)] * 2):
        Screen().results(done)
        out = capsys.readouterr().out
        rows = [line for line in out.splitlines() if "   " in line]
        assert max(map(len, rows)) <= 80
        words = {word for row in rows for word in row.split()}
        assert words <= known_words(report), words - known_words(report)


def known_words(report: Report) -> set[str]:
    """All words that a table of this report may show, whole."""
    said = [*texts.VOTES.values(), *texts.STATUSES.values(), *texts.ANSWERS.values(), report.media.name]
    said += ["Person Seen Model Score Vote Real below Fake from File Answer Votes fake Why of"]
    said += [texts.person_caption(p, report) for p in report.people]
    said += [texts.span(p, report.media.kind) for p in report.people]
    said += [s.model for p in report.people for s in p.scores]
    numbers = {f"{n / 100:.2f}" for n in range(101)} | {str(n) for n in range(10)}
    return {word for text in said for word in text.split()} | numbers


def test_without_a_terminal_progress_is_lines(capsys) -> None:
    screen = Screen()
    with screen.progress(2) as show:
        for name in ("a.mp4", "b [1].mp4"):
            show(name, None)
            for done in range(3):
                show(name, ProgressEvent("faces", done, 32, 0.4, "Looking for faces"))
            show(name, ProgressEvent("score", 0, 1, 0.7, "Asking a model"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"{place} {name}: {words}"
        for place, name in (("1/2", "a.mp4"), ("2/2", "b [1].mp4"))
        for words in ("Loading", "Looking for faces", "Asking a model")
    ]


def test_a_long_step_says_how_far_it_is(capsys, monkeypatch) -> None:
    monkeypatch.setattr("tbd_app.cli.screen.LINE_EVERY_S", 0.0)
    with Screen().progress(1) as show:
        for done in (0, 16):
            show("a.mp4", ProgressEvent("faces", done, 32, 0.4, "Looking for faces"))
    assert capsys.readouterr().err.splitlines() == [
        "a.mp4: Looking for faces",
        "a.mp4: Looking for faces (16 of 32)",
    ]
