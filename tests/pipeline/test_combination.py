"""The rules of the combination of the voters' scores, each as a row of a table, and where the majority decides instead."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from tbd_app.known import Combination
from tbd_app.pipeline.verdict import combined_prob, of_track
from tbd_app.types import ModelScore, ScoreStatus, Verdict

# Scores of .5 have no weight, so that the bias alone says what comes out: .25 is sigmoid(-ln 3), .75 is sigmoid(ln 3).
LN3 = math.log(3)


def ok(model: str, prob: float) -> ModelScore:
    """A score of a model that votes fake from .6 and real below .4."""
    choice = "fake" if prob >= 0.6 else "real" if prob < 0.4 else "abstain"
    return ModelScore(model, 0, "ok", fake_prob=prob, vote=choice, threshold=0.6, real_below=0.4)


def out(model: str, status: ScoreStatus) -> ModelScore:
    return ModelScore(model, 0, status)


def weighing(
    bias: float = 0.0, threshold: float = 0.7, real_below: float = 0.3, **weights: float
) -> Combination:
    return Combination(weights, bias, threshold, real_below)


def track(*scores: ModelScore, by: Combination | None, voters: str = "ab") -> Verdict:
    return of_track(scores, set(voters), by)


@pytest.mark.parametrize(
    ("probs", "bias", "weights", "expected"),
    [
        ((0.5, 0.5), 0.0, (1.0, 1.0), 0.5),
        ((0.5, 0.5), LN3, (1.0, 1.0), 0.75),
        ((0.75, 0.5), 0.0, (1.0, 9.0), 0.75),
        ((0.75, 0.75), 0.0, (1.0, 1.0), 0.9),
        ((0.75, 0.25), 0.0, (1.0, 1.0), 0.5),
        ((0.75, 0.25), 0.0, (2.0, 1.0), 0.75),
        ((0.75, 0.0), 0.0, (1.0, 0.0), 0.75),  # a model without weight
        # no score is so sure that the others do not count
        ((1.0, 0.5), 0.0, (1.0, 1.0), 0.9999),
        ((0.99995, 0.5), 0.0, (1.0, 1.0), 0.9999),
        ((0.0, 0.5), 0.0, (1.0, 1.0), 0.0001),
        ((1.0, 0.0), LN3, (1.0, 1.0), 0.75),
        # nor is any number too large for it
        ((1.0, 1.0), 0.0, (1e6, 1e6), 1.0),
        ((0.0, 0.0), 0.0, (1e6, 1e6), 0.0),
    ],
)
def test_logits_are_weighed_and_added(probs, bias, weights, expected) -> None:
    by = weighing(bias, a=weights[0], b=weights[1])
    assert combined_prob(dict(zip("ab", probs, strict=True)), by) == expected


@pytest.mark.parametrize(
    ("bias", "bounds", "label", "reasons"),
    [
        # the majority of two abstentions is uncertain, so any other answer differs
        (LN3, (0.7, 0.3), "fake", ("combined", "majority_differs")),
        (LN3, (0.75, 0.3), "fake", ("combined", "majority_differs")),  # at the bound
        (LN3, (0.750001, 0.3), "uncertain", ("combined", "between_thresholds")),
        (0.0, (0.7, 0.3), "uncertain", ("combined", "between_thresholds")),
        (-LN3, (0.7, 0.25), "uncertain", ("combined", "between_thresholds")),  # at the bound
        (-LN3, (0.7, 0.250001), "real", ("combined", "majority_differs")),
        (-LN3, (0.25, 0.25), "fake", ("combined", "majority_differs")),  # no band
    ],
)
def test_fake_at_or_above_the_threshold_real_below_the_lower_bound(bias, bounds, label, reasons) -> None:
    verdict = track(ok("a", 0.5), ok("b", 0.5), by=weighing(bias, *bounds, a=1, b=1))
    assert (verdict.label, verdict.reasons) == (label, reasons)
    assert verdict.fake_prob == round(1 / (1 + math.exp(-bias)), 6)
    assert (verdict.fake, verdict.real, verdict.abstain, verdict.voters) == (0, 0, 2, ("a", "b"))


@pytest.mark.parametrize(
    ("probs", "bias", "label", "reasons"),
    [
        ((0.9, 0.9), 0.0, "fake", ("combined",)),
        ((0.1, 0.1), 0.0, "real", ("combined",)),
        ((0.9, 0.1), 0.0, "uncertain", ("models_disagree", "combined", "between_thresholds")),
        ((0.9, 0.1), 9.0, "fake", ("models_disagree", "combined", "majority_differs")),
        ((0.9, 0.9), -9.0, "real", ("combined", "majority_differs")),
        ((0.1, 0.1), LN3 + math.log(81), "fake", ("combined", "majority_differs")),
        ((0.9, 0.9), -math.log(81), "uncertain", ("combined", "majority_differs", "between_thresholds")),
    ],
)
def test_votes_are_counted_beside_it_and_show_where_they_differ(probs, bias, label, reasons) -> None:
    verdict = track(*map(ok, "ab", probs), by=weighing(bias, a=1, b=1))
    assert (verdict.label, verdict.reasons) == (label, reasons)
    fake, real = sum(p >= 0.6 for p in probs), sum(p < 0.4 for p in probs)
    assert (verdict.fake, verdict.real, verdict.abstain) == (fake, real, 2 - fake - real)


BOTH = [ok("a", 0.9), ok("b", 0.9)]
SURELY_REAL = {"bias": -50.0}


@pytest.mark.parametrize(
    ("scores", "voters", "models"),
    [
        # another set of voters than it was fitted for
        (BOTH, "ab", "a"),
        (BOTH, "ab", "abc"),
        (BOTH, "ab", "ac"),
        ([*BOTH, ok("c", 0.9)], "abc", "ab"),
        ([ok("a", 0.9)], "a", "ab"),
        # one of them could not judge
        ([*BOTH, out("c", "not_installed")], "abc", "abc"),
        ([*BOTH, out("c", "failed")], "abc", "abc"),
        ([*BOTH, out("c", "not_applicable")], "abc", "abc"),
        (BOTH, "abc", "ab"),  # or was not even asked
    ],
)
def test_other_or_missing_voters_leave_it_to_the_majority(scores, voters, models) -> None:
    by = weighing(**SURELY_REAL, **dict.fromkeys(models, 1.0))
    assert track(*scores, by=by, voters=voters) == track(*scores, by=None, voters=voters)
    assert "combined" not in track(*scores, by=by, voters=voters).reasons


@pytest.mark.parametrize("shown_only", [ok("c", 0.1), out("c", "not_installed"), out("c", "failed")])
def test_a_model_that_is_no_voter_changes_nothing(shown_only) -> None:
    by = weighing(**SURELY_REAL, a=1, b=1)
    assert track(*BOTH, shown_only, by=by).label == "real"


def test_a_single_voter_is_said_under_it_too() -> None:
    verdict = track(ok("a", 0.9), by=weighing(a=1), voters="a")
    assert (verdict.label, verdict.reasons) == ("fake", ("single_voter", "combined"))


def test_where_nobody_judged_there_is_no_score() -> None:
    scores = [out("a", "failed"), out("b", "not_installed")]
    assert track(*scores, by=weighing(9.0, a=1, b=1)).fake_prob is None


def test_the_order_of_the_models_does_not_matter() -> None:
    scores = [ok("a", 0.123457), ok("b", 0.9), ok("c", 0.271828)]
    weights = permutations([("a", 0.31), ("b", 1.7), ("c", 0.77)])
    by = [weighing(0.1, **dict(order)) for order in weights]
    verdicts = {of_track(order, "abc", one).fake_prob for order in permutations(scores) for one in by}
    assert len(verdicts) == 1


def test_its_numbers_are_those_that_a_report_shows() -> None:
    by = Combination({"a": 1 / 3}, -2 / 3, 0.6666666, 0.6666665)
    assert by == Combination({"a": 0.333333}, -0.666667, 0.666667, 0.666667)
    assert Combination(**by.to_dict()) == by


@pytest.mark.parametrize(
    ("weights", "bias", "threshold", "real_below", "said"),
    [
        ({}, 0.0, 0.7, 0.3, "weights"),
        ({"a": -0.1}, 0.0, 0.7, 0.3, "weights"),
        ({"a": math.inf}, 0.0, 0.7, 0.3, "weights"),
        ({"a": math.nan}, 0.0, 0.7, 0.3, "weights"),
        ({"a": 1.0}, math.nan, 0.7, 0.3, "bias"),
        ({"a": 1.0}, 0.0, 0.3, 0.7, "real_below"),
        ({"a": 1.0}, 0.0, 1.1, 0.3, "threshold"),
        ({"a": 1.0}, 0.0, 0.7, -0.1, "real_below"),
        ({"a": 1.0}, 0.0, math.nan, 0.3, "threshold"),
    ],
)
def test_numbers_out_of_range_are_refused(weights, bias, threshold, real_below, said) -> None:
    with pytest.raises(ValueError, match=said):
        Combination(weights, bias, threshold, real_below)
