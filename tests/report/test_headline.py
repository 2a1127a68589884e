"""The answer of a report: blind families in the headline, one next step, and a sentence to quote."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from tbd_app.answer import Answer
from tbd_app.known import KnownPerformance
from tbd_app.report import palette, texts
from tbd_app.types import Exclusion, Reason, Report
from tests.report_factory import MODELS, make_report, with_combination, with_known_vote


def test_families_that_go_unseen_are_in_the_headline() -> None:
    known = KnownPerformance("made clips", 9, 9, sees=("swap", "lipsync"), blind_to=("talking", "t2v"))
    report = make_report(label="real", n_people=1, reasons=("blind_to_talking", "blind_to_t2v"))
    assert texts.headline(replace(report, known=known)) == (
        "No signs of swapped faces or redrawn mouths were found. Talking heads made of a picture and a voice and videos "
        "generated whole cannot be judged by this. This does not prove that it is real."
    )
    assert "cannot be judged" not in texts.headline(make_report(label="real", n_people=1))


def test_where_nothing_is_seen_nothing_is_promised() -> None:
    headline = texts.headline(make_report(label="real", n_people=1, reasons=("blind_to_synthesis",)))
    assert headline.startswith(
        "No signs of the kinds of manipulation that this can see were found. Generated heads cannot be judged by this."
    )


def test_blind_spots_name_the_media_that_they_were_measured_on() -> None:
    assert texts.reason("blind_to_swap", "image").endswith("as measured on validation pictures.")
    assert texts.reason("blind_to_swap", "frames").endswith("as measured on validation clips.")
    assert len({texts.limits(kind) for kind in ("video", "frames", "image")}) == 3


@pytest.mark.parametrize(
    ("label", "step"),
    [
        ("fake", "Save the key frames"),
        ("real", "Find the source"),
        ("uncertain", "Ask whoever published it for the original file"),
        ("not_applicable", "Choose an excerpt"),
    ],
)
def test_each_answer_has_one_next_step(label, step) -> None:
    assert texts.next_step(make_report(label=label)).startswith(step)


@pytest.mark.parametrize("code", ["no_face", "no_verified_face", *get_args(Exclusion)])
def test_each_cause_of_cannot_judge_has_a_step_of_its_own(code: Reason) -> None:
    report = make_report(label="not_applicable", reasons=(code,))
    others = {
        texts.next_step(make_report(label="not_applicable", reasons=(c,)))
        for c in get_args(Exclusion)
        if c != code
    }
    assert texts.next_step(report) not in others
    assert texts.REASONS[code] in texts.headline(report)


def test_the_sentence_to_quote_is_complete() -> None:
    quote = texts.quote(with_known_vote(make_report(label="real")))
    for part in (
        texts.PRODUCT,
        "0.1.0",
        "“interview.mp4”",
        "2026-11-30",
        "“No signs found”",
        "9 of 27",
        "ab" * 32,
        "not proof",
    ):
        assert part in quote
    none = texts.quote(make_report(label="not_applicable"))
    assert "says nothing about whether it is real" in none


def test_the_opening_does_not_repeat_the_label() -> None:
    for label in ("fake", "real", "uncertain", "not_applicable"):
        report = make_report(label=label)
        assert not texts.opening(report)[0].startswith(texts.answer_label(report))


def voted(report: Report, **known: KnownPerformance) -> str:
    """The answer of a report about one person, where the models have these figures."""
    models = tuple(replace(m, known=known.get(m.name, m.known)) for m in report.models)
    return texts.answer_label(replace(report, models=models))


BLIND = KnownPerformance("made clips", 9, 9, blind_to=("swap",))


@pytest.mark.parametrize(
    ("label", "votes", "blind", "answer"),
    [
        ("fake", "fake fake abstain", "", "Suspicious"),
        ("fake", "fake fake real", "", "Models disagree"),
        # no sight, no objection; and no alarm
        ("fake", "fake fake real", "c", "Suspicious"),
        ("real", "fake real real", "", "Models disagree"),
        ("real", "fake real real", "a", "No signs found"),
        # nor is a fake vote outvoted by models that see nothing
        ("real", "fake real real", "bc", "Models disagree"),
        ("uncertain", "fake real abstain", "", "Models disagree"),
        ("uncertain", "fake real abstain", "a", "Cannot tell"),
        ("uncertain", "fake abstain abstain", "", "Cannot tell"),
        ("real", "real real real", "", "No signs found"),
    ],
)
def test_models_disagree_where_one_that_sees_votes_fake_and_another_real(label, votes, blind, answer) -> None:
    report = make_report(label=label, n_people=1)
    (person,) = report.people
    scores = tuple(replace(s, vote=v) for s, v in zip(person.scores, votes.split(), strict=False))
    known = {model: BLIND for letter, model in zip("abc", MODELS, strict=True) if letter in blind}
    assert voted(replace(report, people=(replace(person, scores=scores),)), **known) == answer


def test_a_model_that_is_shown_only_does_not_disagree() -> None:
    report = make_report(label="uncertain", n_people=1)
    (person,) = report.people
    alone = replace(person, verdict=replace(person.verdict, voters=MODELS[:1]))
    assert texts.answer_label(replace(report, people=(alone,))) == "Cannot tell"


def test_the_most_urgent_answer_about_a_person_is_that_about_the_file() -> None:
    calm, split = (make_report(label=label, n_people=2) for label in ("real", "uncertain"))
    both = replace(calm, people=(calm.people[0], split.people[1]))
    assert texts.answer_label(both) == "Models disagree"


def test_every_answer_has_a_word_a_colour_and_a_shape() -> None:
    assert set(get_args(Answer)) == set(texts.ANSWERS) == set(palette.ANSWERS) == set(palette.ICONS)
    assert len(set(palette.ICONS.values())) == len(palette.ICONS)


def test_how_the_verdict_was_reached_names_the_rule() -> None:
    report = make_report(label="fake", n_people=2)
    assert "majority of votes decides" in texts.how_reached(report)
    assert "the most suspicious one" in texts.how_reached(report)
    assert "combined by how rare each is among real media" in texts.how_reached(with_combination(report, 0.8))
    picture = texts.how_reached(make_report(label="fake", n_people=1, kind="image"))
    assert "frames" not in picture
    assert "Of several people" not in picture
