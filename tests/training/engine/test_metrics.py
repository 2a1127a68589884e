"""Figures against values worked out by hand, by scikit-learn or by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import roc_curve

from training.engine.metrics import (
    auc,
    auc_by_ranks,
    draws_by_source,
    ece,
    eer,
    fit_temperature,
    interval,
    mean_by_source,
    threshold_for_fpr,
    wilson,
)


def test_auc_counts_the_pairs_in_order() -> None:
    labels = np.array([0, 0, 1, 1])
    assert auc(labels, np.array([0.1, 0.4, 0.35, 0.8])) == 0.75  # 3 of 4 pairs
    assert auc(labels, np.array([0.5, 0.5, 0.5, 0.5])) == 0.5
    assert auc(labels, np.array([0.9, 0.8, 0.2, 0.1])) == 0


@pytest.mark.parametrize("label", [0, 1])
def test_auc_of_one_class_is_not_a_number(label) -> None:
    assert np.isnan(auc(np.full(3, label), np.array([0.1, 0.2, 0.3])))


@pytest.mark.parametrize("levels", [3, 1000])
def test_auc_by_ranks_is_the_same(levels) -> None:
    rng = np.random.default_rng(levels)
    labels, scores = rng.integers(2, size=200), rng.integers(levels, size=200) / levels
    assert auc_by_ranks(labels, scores) == pytest.approx(auc(labels, scores), abs=1e-12)
    assert np.isnan(auc_by_ranks(np.zeros(3), scores[:3]))


def drawn(n_real: int = 300, n_fake: int = 200, gap: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Labels and normally distributed scores, `gap` standard deviations apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [n_real, n_fake])
    return labels, rng.normal(labels * gap, 1)


def test_eer_where_it_is_known() -> None:
    assert eer(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])) == 0
    assert eer(np.array([0, 0, 1, 1]), np.array([0.1, 0.8, 0.2, 0.9])) == 0.5
    labels, scores = drawn(20_000, 20_000, gap=2)
    assert eer(labels, scores) == pytest.approx(0.1587, abs=0.005)  # of two normals 2 sigma apart: Phi(-1)


def test_eer_on_a_straight_part_of_the_curve() -> None:
    reals = [0.95, 0.9, *np.linspace(0.1, 0.2, 8)]
    fakes = [*np.linspace(0.96, 0.99, 10), *np.linspace(0.3, 0.8, 9), 0.01]
    labels, scores = np.repeat([0, 1], [10, 20]), np.array([*reals, *fakes])
    fpr, tpr, _ = roc_curve(labels, scores)
    exact = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1)
    assert eer(labels, scores) == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("max_fpr", [0, 0.01, 0.05, 0.1, 0.5, 1])
@pytest.mark.parametrize("n", [1, 7, 20, 100])
def test_the_threshold_keeps_false_alarms_within_the_limit(n, max_fpr) -> None:
    reals = np.random.default_rng(n).random(n)
    threshold = threshold_for_fpr(reals, max_fpr)
    assert (reals >= threshold).mean() <= max_fpr


@pytest.mark.parametrize("max_fpr", [0.05, 0.1, 0.5])
def test_the_threshold_uses_the_limit_up(max_fpr) -> None:
    """One more real above it would be one too many."""
    reals = np.random.default_rng(1).random(60)
    flagged = (reals >= threshold_for_fpr(reals, max_fpr)).sum()
    assert flagged == int(max_fpr * 60)


@pytest.mark.parametrize("reals", [[0.9, 0.8, 0.8] + [0.1] * 17, [1.0] + [0.1] * 19, [0.9] + [0.5] * 19])
def test_the_threshold_keeps_the_limit_when_reals_tie_below_the_cut(reals) -> None:
    assert (np.array(reals) >= threshold_for_fpr(np.array(reals), 0.05)).sum() == 1


@pytest.mark.parametrize("reals", [[0.9, 0.9] + [0.1] * 18, [0.5] * 20, [1.0] + [0.1] * 9])
def test_the_threshold_keeps_the_limit_when_reals_tie_at_the_cut(reals) -> None:
    threshold = threshold_for_fpr(np.array(reals), 0.05)
    assert (np.array(reals) >= threshold).mean() <= 0.05


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (1, 20, 0.0089, 0.2361)],
)
def test_wilson_against_published_values(hits, n, low, high) -> None:
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_wilson_of_nothing_knows_nothing() -> None:
    assert wilson(0, 0) == (0, 1)


def resampled(figure, labels: np.ndarray, scores: np.ndarray, sources=None) -> tuple[float, float]:
    """Interval of a figure over samples of sources; without any, each item is its own."""
    owners = np.arange(len(labels)) if sources is None else sources
    return interval([figure(labels[rows], scores[rows]) for rows in draws_by_source(labels, owners)])


def test_the_bootstrap_interval_holds_the_figure_and_narrows_with_more_items() -> None:
    few, many = drawn(30, 30), drawn(500, 500)
    widths = []
    for labels, scores in (few, many):
        low, high = resampled(auc, labels, scores)
        assert low < auc(labels, scores) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_bootstrap_of_the_mean_agrees_with_the_formula() -> None:
    scores = np.random.default_rng(0).normal(0, 1, 400)
    low, high = resampled(lambda _, s: float(s.mean()), np.zeros(400, int), scores)
    assert (high - low) / 2 == pytest.approx(1.96 * scores.std() / np.sqrt(400), rel=0.1)


def test_media_that_stand_or_fall_together_widen_the_interval() -> None:
    labels, scores = drawn(200, 200)
    together = np.arange(400) // 20
    alone, shared = (resampled(auc, labels, scores, sources) for sources in (None, together))
    whole = np.sort(scores[:200]), np.sort(scores[200:])  # each source now holds like scores
    clustered = resampled(auc, labels, np.concatenate(whole), together)
    assert clustered[1] - clustered[0] > 1.5 * (alone[1] - alone[0])
    assert shared[1] - shared[0] > 0.5 * (alone[1] - alone[0])


def test_the_bootstrap_is_reproducible_and_keeps_both_classes() -> None:
    labels, scores = np.array([0, 0, 0, 0, 0, 0, 1]), np.linspace(0, 1, 7)
    found = resampled(auc, labels, scores)
    assert found == resampled(auc, labels, scores)
    assert found == pytest.approx((1, 1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_known_temperature_is_found_again(temperature, frames) -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 6000)
    labels = (rng.random(6000) < expit(honest)).astype(int)
    logits = [np.full(frames, z * temperature) for z in honest]
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.08)


def test_the_temperature_does_not_depend_on_how_many_fakes_there_are() -> None:
    """Each class weighs one half, so a copy of every fake changes nothing."""
    labels, scores = drawn(200, 100)
    logits = [np.array([z]) for z in scores * 4 - 3]
    twice = [*logits, *logits[200:]]
    again = fit_temperature(twice, np.append(labels, labels[200:]))
    assert again == pytest.approx(fit_temperature(logits, labels), rel=1e-3)


def test_ece_of_two_bins_by_hand() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0])
    probs = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    # Means of the halves: 0.2 told against 1/3 true, 0.8 told against 2/3 true.
    assert ece(labels, probs, bins=2) == pytest.approx(2 / 15)


def test_ece_of_honest_probabilities_is_small_and_of_boasts_large() -> None:
    rng = np.random.default_rng(0)
    probs = rng.random(20_000)
    labels = (rng.random(20_000) < probs).astype(int)
    assert ece(labels, probs) < 0.02
    assert ece(labels, expit(4 * (2 * probs - 1))) > 0.05


def test_ece_of_fewer_items_than_bins() -> None:
    assert ece(np.array([1, 0]), np.array([1.0, 0.0])) == 0


def test_the_mean_of_values_varies_over_sources() -> None:
    values, groups = np.repeat([0.0, 1.0], 50), ["a"] * 50 + ["b"] * 50
    assert mean_by_source(values, groups) == (0.5, 0.0, 1.0)
    assert mean_by_source(np.full(4, 0.25), list("abcd")) == (0.25, 0.25, 0.25)
