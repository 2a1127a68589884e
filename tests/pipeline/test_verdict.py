"""The rules of the vote, each as a row of a table."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from tbd_app.known import KnownPerformance
from tbd_app.pipeline.verdict import blind_spots, of_file, of_track, vote, was_answered
from tbd_app.types import FrameCounts, ModelScore, Verdict

SEEN = FrameCounts(requested=8, decoded=8, with_face=8, verified=8, times_s=tuple(range(8)), size=(320, 240))


def ok(model: str, choice: str, prob: float | None = None) -> ModelScore:
    prob = {"fake": 0.9, "real": 0.1, "abstain": 0.5}[choice] if prob is None else prob
    return ModelScore(model, 0, "ok", fake_prob=prob, vote=choice, threshold=0.6)


def out(model: str, status: str, reason: str) -> ModelScore:
    return ModelScore(model, 0, status, reason)


def absent(model: str) -> ModelScore:
    return out(model, "not_installed", "weights_missing")


def failed(model: str) -> ModelScore:
    return out(model, "failed", "weights_corrupt")


def excluded(model: str, reason: str = "too_brief") -> ModelScore:
    return out(model, "not_applicable", reason)


def track(*scores: ModelScore, voters: str | None = None) -> Verdict:
    return of_track(scores, {s.model for s in scores} if voters is None else set(voters))


@pytest.mark.parametrize(
    ("prob", "expected"),
    [
        (0.0, "real"),
        (0.39999, "real"),
        (0.4, "abstain"),
        (0.59999, "abstain"),
        (0.6, "fake"),
        (1.0, "fake"),
    ],
)
def test_fake_at_or_above_the_threshold_real_below_the_lower_one(prob, expected) -> None:
    assert vote(prob, threshold=0.6, real_below=0.4) == expected


def test_without_a_band_the_threshold_parts_fake_from_real() -> None:
    assert vote(0.5, 0.5, 0.5) == "fake"
    assert vote(0.499999, 0.5, 0.5) == "real"


@pytest.mark.parametrize(
    ("votes", "label", "reasons"),
    [
        # one voter decides alone, and this is said
        (["fake"], "fake", ("single_voter",)),
        (["real"], "real", ("single_voter",)),
        (["abstain"], "uncertain", ("single_voter", "between_thresholds")),
        # two
        (["fake", "fake"], "fake", ()),
        (["real", "real"], "real", ()),
        (["fake", "real"], "uncertain", ("models_disagree", "tie")),
        (["fake", "abstain"], "uncertain", ("between_thresholds",)),
        (["real", "abstain"], "uncertain", ("between_thresholds",)),
        (["abstain", "abstain"], "uncertain", ("between_thresholds",)),
        # three: a strict majority of all who could judge, abstentions included
        (["fake", "fake", "real"], "fake", ("models_disagree",)),
        (["fake", "real", "real"], "real", ("models_disagree",)),
        (["fake", "fake", "abstain"], "fake", ()),
        (["fake", "abstain", "abstain"], "uncertain", ("between_thresholds",)),
        (["fake", "real", "abstain"], "uncertain", ("models_disagree", "tie")),
        # four
        (["fake", "fake", "real", "real"], "uncertain", ("models_disagree", "tie")),
        (["fake", "fake", "real", "abstain"], "uncertain", ("models_disagree", "between_thresholds")),
        (["fake", "fake", "fake", "real"], "fake", ("models_disagree",)),
    ],
)
def test_strict_majority_of_a_track(votes, label, reasons) -> None:
    verdict = track(*(ok(str(i), v) for i, v in enumerate(votes)))
    assert (verdict.label, verdict.reasons) == (label, reasons)
    assert (verdict.fake, verdict.real, verdict.abstain) == tuple(
        votes.count(v) for v in ("fake", "real", "abstain")
    )


def test_fake_prob_is_the_mean_of_the_voters_that_judged() -> None:
    verdict = track(
        ok("a", "fake", 0.9), ok("b", "fake", 0.7), absent("c"), ok("d", "real", 0.0), voters="abc"
    )
    assert verdict.fake_prob == pytest.approx(0.8)


def test_a_model_that_is_no_voter_is_shown_only() -> None:
    verdict = track(ok("a", "real"), ok("b", "fake"), ok("c", "fake"), voters="a")
    assert (verdict.label, verdict.fake, verdict.real) == ("real", 0, 1)


@pytest.mark.parametrize(
    ("scores", "label", "reasons"),
    [
        # 1 of 2 could vote: too few, whatever it says
        ([ok("a", "fake"), absent("b")], "uncertain", ("too_few_voters",)),
        ([ok("a", "real"), failed("b")], "uncertain", ("too_few_voters",)),
        # 2 of 3 are enough
        ([ok("a", "fake"), ok("b", "fake"), absent("c")], "fake", ()),
        ([ok("a", "real"), ok("b", "real"), failed("c")], "real", ()),
        ([ok("a", "fake"), absent("b"), failed("c")], "uncertain", ("too_few_voters",)),
        # nobody
        ([], "not_applicable", ("no_model_installed",)),
        ([absent("a")], "not_applicable", ("no_model_installed",)),
        ([absent("a"), absent("b")], "not_applicable", ("no_model_installed",)),
        ([failed("a")], "not_applicable", ("model_failed",)),
        ([failed("a"), absent("b")], "not_applicable", ("model_failed",)),
        # the face itself cannot be judged
        ([excluded("a")], "not_applicable", ("too_brief",)),
        ([excluded("a"), excluded("b")], "not_applicable", ("too_brief",)),
        ([excluded("a", "face_too_small")], "not_applicable", ("face_too_small",)),
    ],
)
def test_too_few_or_no_voters(scores, label, reasons) -> None:
    verdict = track(*scores)
    assert (verdict.label, verdict.reasons) == (label, reasons)


def test_what_nobody_judged_has_no_probability() -> None:
    for scores in ([], [absent("a")], [failed("a")], [excluded("a")]):
        assert track(*scores).fake_prob is None


def test_the_order_of_the_models_does_not_matter() -> None:
    scores = [ok("a", "fake"), ok("b", "real"), ok("c", "fake"), absent("d")]
    verdicts = [track(*order) for order in permutations(scores)]
    assert {(v.label, v.fake, v.real, v.reasons) for v in verdicts} == {("fake", 2, 1, ("models_disagree",))}
    assert {round(v.fake_prob, 6) for v in verdicts} == {0.633333}


FAKE = Verdict("fake", 0.8, fake=2)
REAL = Verdict("real", 0.1, real=2)
UNSURE = Verdict("uncertain", 0.9, fake=1, real=1, reasons=("tie",))
NO_MODEL = Verdict("not_applicable", None, reasons=("no_model_installed",))
BRIEF = Verdict("not_applicable", None, reasons=("too_brief",))
SMALL = Verdict("not_applicable", None, reasons=("face_too_small",))


@pytest.mark.parametrize(
    ("people", "label", "fake_prob", "votes", "reasons"),
    [
        ([FAKE], "fake", 0.8, (2, 0, 0), ()),
        ([REAL], "real", 0.1, (0, 2, 0), ()),
        ([REAL, FAKE], "fake", 0.8, (2, 0, 0), ("several_people",)),
        ([REAL, REAL], "real", 0.1, (0, 2, 0), ("several_people",)),
        ([REAL, UNSURE], "uncertain", 0.9, (1, 1, 0), ("tie", "several_people")),
        # fake beats uncertain; the probability is still the highest of all
        ([UNSURE, FAKE], "fake", 0.9, (2, 0, 0), ("several_people",)),
        ([NO_MODEL], "not_applicable", None, (0, 0, 0), ("no_model_installed",)),
        # nobody is called real beside a person whom no model could judge
        ([REAL, NO_MODEL], "uncertain", 0.1, (0, 0, 0), ("no_model_installed", "several_people")),
        ([FAKE, NO_MODEL], "fake", 0.8, (2, 0, 0), ("several_people",)),
        # people who cannot be judged do not weigh
        ([REAL, BRIEF], "real", 0.1, (0, 2, 0), ()),
        ([FAKE, SMALL], "fake", 0.8, (2, 0, 0), ()),
        ([BRIEF], "not_applicable", None, (0, 0, 0), ("too_brief",)),
        ([BRIEF, SMALL, BRIEF], "not_applicable", None, (0, 0, 0), ("too_brief", "face_too_small")),
    ],
)
def test_a_file_from_its_people(people, label, fake_prob, votes, reasons) -> None:
    verdict = of_file(people, SEEN)
    assert (verdict.label, verdict.fake_prob) == (label, fake_prob)
    assert (verdict.fake, verdict.real, verdict.abstain) == votes
    assert verdict.reasons == reasons


def test_the_most_suspicious_of_the_fake_people_decides() -> None:
    verdict = of_file([FAKE, Verdict("fake", 0.95, fake=3)], SEEN)
    assert (verdict.fake, verdict.fake_prob) == (3, 0.95)


@pytest.mark.parametrize(("with_face", "reason"), [(0, "no_face"), (3, "no_verified_face")])
def test_no_face_is_not_real(with_face, reason) -> None:
    counts = FrameCounts(
        requested=8, decoded=8, with_face=with_face, verified=0, times_s=tuple(range(8)), size=(320, 240)
    )
    assert of_file([], counts) == Verdict("not_applicable", None, reasons=(reason,))


def test_a_face_that_shows_once_the_file_is_turned_is_said() -> None:
    assert of_file([], replace(SEEN, with_face=0, verified=0, turned=2)).reasons == ("face_turned",)


def test_a_real_verdict_carries_the_blind_spots_and_no_other_does() -> None:
    assert of_file([REAL], SEEN, blind_spots=["blind_to_synthesis"]).reasons == ("blind_to_synthesis",)
    assert "blind_to_synthesis" not in of_file([REAL, FAKE], SEEN, blind_spots=["blind_to_synthesis"]).reasons


def test_verdicts_name_whose_votes_count_also_those_that_could_not_judge() -> None:
    scores = (ok("a", "fake"), ok("b", "real"), absent("c"))
    assert track(*scores, voters="ca").voters == ("a", "c")
    assert of_file([], SEEN, ["a", "c"]).voters == ("a", "c")
    assert of_file([FAKE], SEEN, ["a", "c"]).voters == ("a", "c")


def known(sees: str = "", blind_to: str = "") -> KnownPerformance:
    return KnownPerformance("made media", 9, 9, sees=tuple(sees.split()), blind_to=tuple(blind_to.split()))


@pytest.mark.parametrize(
    ("judged", "vote", "spots"),
    [
        ([], None, []),
        ([known("swap", "talking t2v")], None, ["blind_to_talking", "blind_to_t2v"]),
        # what one of them sees does not go unseen; what the other was never measured on is no comfort
        ([known("swap", "talking t2v"), known("talking")], None, ["blind_to_t2v"]),
        ([known("swap", "talking"), known("", "swap talking")], None, ["blind_to_talking"]),
        # the vote of all of them, where it was measured, counts alone
        ([known("swap talking")], known("swap", "talking"), ["blind_to_talking"]),
        ([known("", "talking")], known("talking"), []),
    ],
)
def test_blind_spots(judged, vote, spots) -> None:
    assert blind_spots(judged, vote) == spots


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([], True),
        ([track(excluded("a"))], True),
        ([track(ok("a", "abstain"))], True),
        ([track(absent("a"))], False),
        ([track(failed("a"), absent("b"))], False),
        ([track(excluded("a")), track(absent("a"))], False),
        ([track(ok("a", "fake"), absent("b")), track(failed("a"))], True),
        ([track(ok("a", "fake"), absent("b"), voters="b")], False),
    ],
)
def test_a_file_is_answered_when_a_voter_judged_or_nobody_was_there(people, expected) -> None:
    assert was_answered(people) is expected
