"""How voters are weighed: the better one more, never against its word, with bounds that hold for unseen sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.special import expit

from training.combine import Config, fit, weigh
from training.engine.metrics import auc
from training.faces.index import Item


def media(labels: np.ndarray, n_sources: int) -> list[Item]:
    return [
        Item(
            Path(f"{n}.mp4"), "video", int(label), "val", f"page{n % n_sources}:{n}", "made" if label else ""
        )
        for n, label in enumerate(labels)
    ]


def scores(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A good voter, a fair one and one that knows nothing."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, n)
    signs = 2 * labels - 1
    return labels, expit(np.stack([2.0 * signs, 1.0 * signs, 0.0 * signs], 1) + rng.normal(0, 1.5, (n, 3)))


def test_the_better_voter_weighs_more_and_one_that_knows_nothing_hardly() -> None:
    labels, probs = scores()
    found = fit(probs, media(labels, 40), ["good", "fair", "blind"], Config())
    assert found.weights["good"] > found.weights["fair"] > found.weights["blind"] >= 0
    assert found.weights["blind"] < 0.2 * found.weights["good"]


def test_together_they_rank_better_than_the_best_alone_and_few_reals_are_flagged() -> None:
    labels, probs = scores()
    found = fit(probs, media(labels, 40), ["good", "fair", "blind"], Config())
    x = np.log(probs / (1 - probs))
    said = expit(x @ np.array(list(found.weights.values())) + found.bias)
    assert auc(labels, said) > auc(labels, probs[:, 0])
    assert (said[labels == 0] >= found.threshold).mean() <= 0.06
    assert found.real_below <= found.threshold


def test_a_voter_that_is_wrong_gets_no_weight_rather_than_a_negative_one() -> None:
    labels, probs = scores()
    weights, _ = weigh(
        np.log(probs / (1 - probs)) * (1, 1, 0) - np.outer(2 * labels - 1, (0, 0, 1.0)),
        labels,
        np.full(len(labels), 1 / len(labels)),
        0.01,
    )
    assert weights[2] == 0
