"""The sentences: every code has one, the headline says what was found and never more."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from tbd_app.known import Family, KnownPerformance, Measured
from tbd_app.report import texts
from tbd_app.types import BlindSpot, ModelScore, Reason, Report, Verdict
from tests.report_factory import MODELS, make_report, with_combination


def with_verdict(report: Report, verdict: Verdict) -> Report:
    """The report of a single person with this verdict."""
    return replace(report, verdict=verdict, people=(replace(report.people[0], verdict=verdict),))


@pytest.mark.parametrize("code", get_args(Reason))
def test_every_reason_is_a_sentence(code) -> None:
    assert re.fullmatch(r"[A-Z].*\.", texts.REASONS[code])
    assert texts.reason(code) == texts.REASONS[code]


def test_no_sentence_is_left_over() -> None:
    assert set(texts.REASONS) == set(get_args(Reason))
    assert set(get_args(BlindSpot)) == {f"blind_to_{family}" for family in get_args(Family)}


def test_an_unknown_reason_is_still_readable() -> None:
    assert texts.reason("lens_cap_on") == "Lens cap on."


@pytest.mark.parametrize(
    ("prob", "words"),
    [(0.63, "weak signs"), (0.7, "clear signs"), (0.89, "clear signs"), (0.97, "strong signs")],
)
def test_bands(prob, words) -> None:
    assert texts.BANDS[texts.band(Verdict("fake", prob, fake=2))] == words
    assert texts.band(Verdict("real", 0.3, real=2)) == "none"


def test_fake_names_person_span_votes_and_doubt() -> None:
    text = texts.headline(make_report(label="fake", n_people=2))
    assert text == (
        "2 of 3 models found clear signs of manipulation in person A (0:00–0:03). "
        "Treat as suspicious, not proven."
    )


def test_two_suspects_are_both_named() -> None:
    report = make_report(label="fake", n_people=2)
    people = tuple(replace(p, verdict=report.people[0].verdict) for p in report.people)
    text = texts.headline(replace(report, people=people))
    assert text.startswith(
        "Signs of manipulation were found in 2 of 2 people: clear in person A (0:00–0:03) and "
    )
    assert "person B" in text


def test_a_single_voter_is_said() -> None:
    verdict = Verdict("fake", 0.95, fake=1, reasons=("single_voter",))
    text = texts.headline(with_verdict(make_report(), verdict))
    assert text.startswith("The only model that votes found strong signs of manipulation in person A")
    real = Verdict("real", 0.1, real=1, reasons=("single_voter",))
    assert "by the only model that votes" in texts.headline(with_verdict(make_report(label="real"), real))


def test_real_does_not_claim_to_be_real() -> None:
    text = texts.headline(make_report(label="real", n_people=2))
    assert text == (
        "No signs of manipulation were found in any of 2 people. This does not prove that it is real."
    )


def test_no_face_cannot_be_judged() -> None:
    text = texts.headline(make_report(label="not_applicable"))
    assert text.startswith("Cannot judge. No face was found.")


def test_uncertain_gives_its_reasons() -> None:
    unsure = Verdict("uncertain", 0.6, abstain=3, reasons=("between_thresholds",), voters=MODELS)
    report = with_verdict(make_report(label="uncertain"), unsure)
    quiet = replace(
        report.people[0], scores=tuple(replace(s, vote="abstain") for s in report.people[0].scores)
    )
    assert texts.headline(replace(report, people=(quiet,))) == (
        "Cannot tell. The score lies between the bounds for real and for fake."
    )


@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
@pytest.mark.parametrize("kind", ["video", "frames", "image"])
def test_no_headline_prints_a_percentage(label, kind) -> None:
    text = texts.headline(make_report(label=label, kind=kind))
    assert "%" not in text
    assert not re.search(r"\d\.\d", text)
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (3.99, "0:03"), (61, "1:01"), (3723.5, "1:02:03")]
)
def test_clock(seconds, text) -> None:
    assert texts.clock(seconds) == text


def test_spans_by_kind() -> None:
    assert texts.span(make_report(kind="video").people[0], "video") == "0:00–0:03"
    assert texts.span(make_report(kind="frames").people[0], "frames") == "frames 1–8"
    assert texts.span(make_report(kind="image").people[0], "image") == ""


def test_person_names() -> None:
    assert [texts.person_name(i) for i in (0, 25, 26)] == ["A", "Z", "27"]


def test_known_figures_name_their_data() -> None:
    known = KnownPerformance(
        "val clips", 80, 40, flagged_real=Measured(0.05, 0.01, 0.12), auc=Measured(0.912, 0.86, 0.95)
    )
    assert texts.known_error(known) == "wrongly flags 5% (1%–12%) of 80 real items (val clips)"
    assert texts.known_auc(known) == "0.91 (0.86–0.95), val clips"
    for nothing in (None, KnownPerformance("val clips", 80)):
        assert texts.known_error(nothing) == texts.known_auc(nothing) == "not measured"


def test_the_vote_of_several_has_figures_of_its_own() -> None:
    known = KnownPerformance("val clips", 80, flagged_real=Measured(0.05, 0.01, 0.12))
    report = make_report()
    assert texts.known_vote(report) == ""
    sentence = texts.known_vote(replace(report, known=known))
    assert sentence == "Known error rate of the vote: wrongly flags 5% (1%–12%) of 80 real items (val clips)"
    alone = replace(report.verdict, voters=("effnetv2_b0_frame",))
    assert texts.known_vote(replace(report, known=known, verdict=alone)) == ""


def test_a_vote_that_does_not_count_says_so() -> None:
    score = ModelScore("a", 0, "ok", fake_prob=0.9, vote="fake")
    assert texts.vote(score, ("a", "b")) == "fake"
    assert texts.vote(score, ("b",)) == "fake, not counted"
    assert texts.vote(ModelScore("a", 0, "failed", "not_finite"), ("a",)) == ""


def test_the_command_survives_a_shell() -> None:
    command = texts.repeat_command(make_report(name="my clip; rm.mp4"))
    assert command.startswith("tbd analyze 'my clip; rm.mp4' --models effnetv2_b0_frame,")
    assert "--frames 32 --face-confidence 0.9 --explain" in command
    report = make_report()
    for asked in (["all"], ["default", "effnet_b0_image"]):
        settings = report.settings | {"asked": asked}
        assert f"--models {','.join(asked)} " in texts.repeat_command(replace(report, settings=settings))
    smaller = report.settings | {"min_face_px": 48, "min_track_share": 0.1}
    command = texts.repeat_command(replace(report, settings=smaller))
    assert "--min-face-px 48 --min-track-share 0.1" in command
    assert texts.repeat_command(make_report(name="-x.mp4")).startswith("tbd analyze ./-x.mp4 ")


def test_models_that_answer_together_are_not_counted_as_finding_it() -> None:
    report = with_combination(make_report(label="fake", n_people=1), 0.8)
    assert texts.headline(report) == (
        "The models together found clear signs of manipulation in person A (0:00–0:03); 2 of 3 voted fake. "
        "Treat as suspicious, not proven."
    )
    real = texts.headline(with_combination(make_report(label="real", n_people=1), 0.2))
    assert real.startswith("No signs of manipulation were found by the models together.")


def test_what_the_models_disagree_about_is_said_with_the_votes_and_the_side_of_the_sum() -> None:
    report = make_report(label="uncertain", n_people=1)
    votes = "The models disagree about person A (0:00–0:03): 1 voted fake, 1 real, 1 gave no vote"
    assert texts.headline(report) == f"{votes}. Treat it as an open question."
    combined = texts.headline(with_combination(report, 0.5))
    assert combined == (
        f"{votes}. Taken together, their scores lie between the bounds. Treat it as an open question."
    )
    assert texts.headline(make_report(label="uncertain", n_people=2)) == (
        "The models disagree about person A (0:00–0:03) and person B (0:01–0:04). Treat it as an open question."
    )
    assert texts.person_caption(report.people[0], report) == "A: models disagree"


@pytest.mark.parametrize("label", ["fake", "real"])
def test_a_majority_with_another_answer_is_said(label) -> None:
    sentence = texts.REASONS["majority_differs"]
    report = make_report(label=label, n_people=1)
    assert sentence in texts.headline(with_combination(report, 0.5, differs=True))
    assert sentence not in texts.headline(with_combination(report, 0.5))


def test_a_combined_score_has_its_two_bounds() -> None:
    report = with_combination(make_report(label="fake", n_people=1), 0.8)
    (person,) = report.people
    assert texts.why(person, report) == [
        texts.reason("combined", "video"),
        "Together they score 0.80 (real below 0.40, fake from 0.55).",
    ]
    assert texts.combined_bounds(report.verdict, report) == "real below 0.40, fake from 0.55"
    by_majority = make_report(label="uncertain", n_people=1)
    assert texts.why(by_majority.people[0], by_majority) == [texts.REASONS["models_disagree"]]
    assert texts.combined_bounds(by_majority.verdict, report) == ""
