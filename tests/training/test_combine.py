"""How voters are combined: no scale matters, one that sees nothing does no harm, and bounds hold for unseen sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import expit

from tbd_app.known import Combination
from tbd_app.pipeline.verdict import combined_prob
from training.combine import Config, compared, fit, likelihood, ordinary
from training.engine.metrics import auc
from training.faces.index import Item

NAMES = ["swaps", "heads", "blind"]


def media(labels: np.ndarray, n_sources: int) -> list[Item]:
    return [
        Item(
            Path(f"{n}.mp4"), "video", int(label), "val", f"page{n % n_sources}:{n}", "made" if label else ""
        )
        for n, label in enumerate(labels)
    ]


def scores(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Two voters that each see one of two kinds of fakes, the second on a scale of its own, and one that sees none."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    kind = rng.integers(0, 2, n)
    x = rng.normal(0, 1, (n, 3))
    x[:, 0] += 3 * (labels & (kind == 0))
    x[:, 1] += 3 * (labels & (kind == 1))
    return labels, expit(x * (1, 0.1, 1) + (0, 1, -2))


def said(found: Combination, probs: np.ndarray) -> np.ndarray:
    return np.array([combined_prob(dict(zip(NAMES, row, strict=True)), found) for row in probs])


def test_what_one_voter_sees_is_not_outvoted() -> None:
    labels, probs = scores()
    found = fit(probs, media(labels, 40), NAMES, Config())
    alone = max(auc(labels, column) for column in probs.T)
    added = auc(labels, np.log(probs / (1 - probs)).sum(1))
    assert auc(labels, said(found, probs)) > max(alone, added) + 0.05
    assert list(found.reals) == NAMES


def test_voters_that_see_the_same_are_added_and_others_are_not() -> None:
    labels, probs = scores()
    rng = np.random.default_rng(1)
    alike = expit(rng.normal(0, 1, (len(labels), 3)) + labels[:, None])
    assert (
        fit(alike, media(labels, 40), NAMES, Config()).power
        < fit(probs, media(labels, 40), NAMES, Config()).power
    )


def test_few_reals_are_flagged_and_the_score_is_a_probability() -> None:
    labels, probs = scores()
    found = fit(probs, media(labels, 40), NAMES, Config())
    prob = said(found, probs)
    assert (prob[labels == 0] >= found.threshold).mean() <= 0.06
    assert found.real_below <= found.threshold
    assert abs(prob.mean() - labels.mean()) < 0.05
    sure = prob > np.quantile(prob, 0.75)
    assert abs(prob[sure].mean() - labels[sure].mean()) < 0.1


def test_a_voters_numbers_are_those_of_real_media() -> None:
    x = np.arange(101.0)[:, None] * (1, -1)
    np.testing.assert_allclose(ordinary(x), [(50, 95), (-50, -5)])
    ((median, top),) = ordinary(np.zeros((9, 1)))
    assert median < top


def test_rarity_never_speaks_for_real() -> None:
    labels, rarity = np.array([0, 0, 1, 1]), np.array([3.0, 2.0, 1.0, 0.0])
    gain, bias = likelihood(rarity, labels, np.full(4, 0.25))
    assert gain == 0
    assert np.isfinite(bias)


def test_ways_are_compared_on_unseen_sources_by_family() -> None:
    labels, probs = scores()
    table = compared(probs, media(labels, 40), NAMES, {"made"}, 10).splitlines()
    rows = {line.split(" | ")[0][2:]: line.split(" | ") for line in table[2:]}
    assert list(rows)[:3] == NAMES
    assert {len(row) for row in rows.values()} == {table[0].count("|") - 1}
    all_of = {name: float(row[1].split(" ")[0]) for name, row in rows.items()}
    assert all_of["rarity, power 4"] > all_of["weighed sum (logistic regression)"] > all_of["blind"]
