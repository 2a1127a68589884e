"""The rules of the combination of the voters' scores, each as a row of a table, and where the majority decides instead."""

from __future__ import annotations

import json
import math
from itertools import permutations

import pytest

from tbd_app.known import Combination
from tbd_app.pipeline.verdict import combined_prob, log_rarity, logit, of_track
from tbd_app.types import ModelScore, ScoreStatus, Verdict

LN3 = math.log(3)
# A score of .5 is as rare as one in two and a score of .95 as one in twenty, for every model unless a test says otherwise.
# With a gain of 0 the bias alone says what comes out: .25 is sigmoid(-ln 3), .75 is sigmoid(ln 3).
USUAL = (0.0, math.log(19))


def ok(model: str, prob: float) -> ModelScore:
    """A score of a model that votes fake from .6 and real below .4."""
    choice = "fake" if prob >= 0.6 else "real" if prob < 0.4 else "abstain"
    return ModelScore(model, 0, "ok", fake_prob=prob, vote=choice, threshold=0.6, real_below=0.4)


def out(model: str, status: ScoreStatus) -> ModelScore:
    return ModelScore(model, 0, status)


def combining(
    models: str = "ab",
    power: float = 4.0,
    gain: float = 0.0,
    bias: float = 0.0,
    threshold: float = 0.7,
    real_below: float = 0.3,
) -> Combination:
    return Combination(dict.fromkeys(models, USUAL), power, gain, bias, threshold, real_below)


def track(*scores: ModelScore, by: Combination | None, voters: str = "ab") -> Verdict:
    return of_track(scores, set(voters), by)


@pytest.mark.parametrize(
    ("prob", "one_in"),
    [(0.5, 2), (0.95, 20), (0.05, 1 + 1 / 19), (0.0, 1.0001), (1.0, 10_000), (0.99999, 10_000)],
)
def test_how_rare_a_score_is_among_reals(prob, one_in) -> None:
    assert math.exp(log_rarity(logit(prob), *USUAL)) == pytest.approx(one_in, abs=1e-4)


def test_the_same_score_is_rarer_where_reals_score_lower_and_closer_together() -> None:
    usual, lower, closer = (
        log_rarity(2.0, *points) for points in (USUAL, (-1.0, math.log(19) - 1), (0.0, 1.0))
    )
    assert usual < lower
    assert usual < closer
    assert math.isfinite(log_rarity(9.0, 0.0, 1e-6))


@pytest.mark.parametrize(
    ("probs", "gain", "bias", "expected"),
    [
        ((0.5, 0.5), 0.0, 0.0, 0.5),
        ((0.5, 0.5), 0.0, LN3, 0.75),
        ((0.5, 0.5), 1.0, 0.0, 4 / 5),  # twice one in two: odds of four
        ((0.95, 0.5), 1.0, 0.0, 40 / 41),
        ((0.95, 0.0), 1.0, 0.0, 20 / 21),  # one that sees nothing does not outvote the other
        ((0.0, 0.95), 1.0, -math.log(20), 0.5),
        ((0.95, 0.0), 2.0, 0.0, 400 / 401),
        ((1.0, 0.5), 1e6, 0.0, 1.0),  # no number is too large for it
        ((0.0, 0.0), 1.0, -1e6, 0.0),
    ],
)
def test_rarities_are_multiplied_by_a_power_of_one(probs, gain, bias, expected) -> None:
    by = combining(power=1.0, gain=gain, bias=bias)
    assert combined_prob(dict(zip("ab", probs, strict=True)), by) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("power", "expected"), [(1.0, 400), (2.0, 20**2**0.5), (4.0, 20**2**0.25), (100.0, 20)]
)
def test_a_high_power_takes_the_rarest_alone(power, expected) -> None:
    prob = combined_prob({"a": 0.95, "b": 0.95}, combining(power=power, gain=1.0))
    assert prob / (1 - prob) == pytest.approx(expected, rel=0.03)


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
    verdict = track(ok("a", 0.5), ok("b", 0.5), by=combining("ab", 1.0, 0.0, bias, *bounds))
    assert (verdict.label, verdict.reasons) == (label, reasons)
    assert verdict.fake_prob == round(1 / (1 + math.exp(-bias)), 6)
    assert (verdict.fake, verdict.real, verdict.abstain, verdict.voters) == (0, 0, 2, ("a", "b"))


@pytest.mark.parametrize(
    ("probs", "bias", "label", "reasons"),
    [
        ((0.9, 0.9), 0.0, "fake", ("combined",)),
        ((0.1, 0.1), -LN3, "real", ("combined",)),
        ((0.9, 0.1), -LN3, "fake", ("models_disagree", "combined", "majority_differs")),
        ((0.9, 0.1), -math.log(9), "uncertain", ("models_disagree", "combined", "between_thresholds")),
        ((0.9, 0.9), -9.0, "real", ("combined", "majority_differs")),
        ((0.1, 0.1), LN3, "fake", ("combined", "majority_differs")),
        ((0.9, 0.9), -math.log(10), "uncertain", ("combined", "majority_differs", "between_thresholds")),
    ],
)
def test_votes_are_counted_beside_it_and_show_where_they_differ(probs, bias, label, reasons) -> None:
    verdict = track(*map(ok, "ab", probs), by=combining(gain=1.0, bias=bias))
    assert (verdict.label, verdict.reasons) == (label, reasons)
    fake, real = sum(p >= 0.6 for p in probs), sum(p < 0.4 for p in probs)
    assert (verdict.fake, verdict.real, verdict.abstain) == (fake, real, 2 - fake - real)


BOTH = [ok("a", 0.9), ok("b", 0.9)]
SURELY_REAL = -50.0


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
    by = combining(models, bias=SURELY_REAL)
    assert track(*scores, by=by, voters=voters) == track(*scores, by=None, voters=voters)
    assert "combined" not in track(*scores, by=by, voters=voters).reasons


@pytest.mark.parametrize("shown_only", [ok("c", 0.1), out("c", "not_installed"), out("c", "failed")])
def test_a_model_that_is_no_voter_changes_nothing(shown_only) -> None:
    by = combining(bias=SURELY_REAL)
    assert track(*BOTH, shown_only, by=by).label == "real"


def test_a_single_voter_is_said_under_it_too() -> None:
    verdict = track(ok("a", 0.9), by=combining("a", gain=1.0), voters="a")
    assert (verdict.label, verdict.reasons) == ("fake", ("single_voter", "combined"))


def test_where_nobody_judged_there_is_no_score() -> None:
    scores = [out("a", "failed"), out("b", "not_installed")]
    assert track(*scores, by=combining(bias=9.0)).fake_prob is None


def test_the_order_of_the_models_does_not_matter() -> None:
    scores = [ok("a", 0.123457), ok("b", 0.9), ok("c", 0.271828)]
    reals = permutations([("a", (-0.31, 1.2)), ("b", (0.2, 1.7)), ("c", (0.0, 0.77))])
    by = [Combination(dict(order), 2.0, 0.8, 0.1, 0.7, 0.3) for order in reals]
    verdicts = {of_track(order, "abc", one).fake_prob for order in permutations(scores) for one in by}
    assert len(verdicts) == 1


def test_its_numbers_are_those_that_a_report_shows() -> None:
    by = Combination({"a": (-1 / 3, 1 / 3)}, 4 / 3, 2 / 3, -2 / 3, 0.6666666, 0.6666665)
    assert by == Combination({"a": (-0.333333, 0.333333)}, 1.333333, 0.666667, -0.666667, 0.666667, 0.666667)
    assert Combination(**by.to_dict()) == by
    assert Combination(**json.loads(json.dumps(by.to_dict()))) == by


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reals": {}}, "reals"),
        ({"reals": {"a": (1.0, 1.0)}}, "reals"),
        ({"reals": {"a": (1.0, 0.0)}}, "reals"),
        ({"reals": {"a": (0.0, math.inf)}}, "reals"),
        ({"reals": {"a": (math.nan, 1.0)}}, "reals"),
        ({"power": 0.9}, "power"),
        ({"power": math.nan}, "power"),
        ({"gain": -0.1}, "gain"),
        ({"gain": math.inf}, "gain"),
        ({"bias": math.nan}, "bias"),
        ({"threshold": 0.2}, "real_below"),
        ({"threshold": 1.1}, "threshold"),
        ({"real_below": -0.1}, "real_below"),
        ({"threshold": math.nan}, "threshold"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, said) -> None:
    numbers = {
        "reals": {"a": USUAL},
        "power": 1.0,
        "gain": 1.0,
        "bias": 0.0,
        "threshold": 0.7,
        "real_below": 0.3,
    }
    Combination(**numbers)
    with pytest.raises(ValueError, match=said):
        Combination(**(numbers | changes))
