"""Figures with their intervals. Scores are fake_prob or any monotone score, labels 1 = fake."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score, roc_curve

BOOTSTRAPS = 1000

LEAST = 0.5  # nothing is called fake below it, however few the reals that score so high


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; NaN when one class is absent."""
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else float("nan")


def auc_by_ranks(labels: np.ndarray, scores: np.ndarray) -> float:
    """`auc`, about thirty times as fast on few items, for figures that are drawn a thousand times."""
    n_fake = int(labels.sum())
    n_real = len(labels) - n_fake
    if not n_fake or not n_real:
        return float("nan")
    above = rankdata(scores)[labels == 1].sum() - n_fake * (n_fake + 1) / 2
    return float(above / (n_fake * n_real))


def draws_by_source(
    labels: np.ndarray, groups: Sequence[str], n: int = BOOTSTRAPS, seed: int = 0
) -> list[np.ndarray]:
    """Rows of `n` bootstrap samples in which whole sources are drawn, as all media of a source stand or fall together.

    A sample that lacks a class is drawn again where another one can have both.

    Args:
        labels: (N,) 0 or 1.
        groups: the source of each item.
        n: samples.
        seed: of the draws; the same draws for two models give the interval of their difference.
    """
    rng = np.random.default_rng(seed)
    _, owner = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(owner == g) for g in range(owner.max() + 1)]
    wanted = set(np.unique(labels).tolist())
    out: list[np.ndarray] = []
    while len(out) < n:
        drawn = np.concatenate([rows[g] for g in rng.integers(len(rows), size=len(rows))])
        # Of two sources, one real and one fake, half of the samples have both classes: this ends.
        if set(labels[drawn].tolist()) == wanted:
            out.append(drawn)
    return out


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of a figure over bootstrap samples."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def auc_gain(
    labels: np.ndarray, scores: np.ndarray, baseline: np.ndarray, draws: Sequence[np.ndarray]
) -> list[float]:
    """How much more AUC one set of scores has than another on the same items, as [value, low, high].

    Args:
        labels: (N,) 0 or 1.
        scores: (N,).
        baseline: (N,).
        draws: rows of each bootstrap sample, as `draws_by_source` gives them.
    """
    values = [auc_by_ranks(labels[r], scores[r]) - auc_by_ranks(labels[r], baseline[r]) for r in draws]
    return [auc_by_ranks(labels, scores) - auc_by_ranks(labels, baseline), *interval(values)]


def mean_by_source(values: np.ndarray, groups: Sequence[str], seed: int = 0) -> tuple[float, float, float]:
    """Mean of (N,) values with the bounds of its 95 % interval over sources; `groups` says where each comes from."""
    rows = draws_by_source(np.zeros(len(values), np.int64), groups, seed=seed)
    return float(values.mean()), *interval([float(values[r].mean()) for r in rows])


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a rate."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    centre, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return float(max((centre - spread) / scale, 0.0)), float(min((centre + spread) / scale, 1.0))


def eer(labels: np.ndarray, scores: np.ndarray) -> float:
    """Equal error rate."""
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    at = int(np.argmin(np.abs(fpr - (1 - tpr))))
    return float((fpr[at] + 1 - tpr[at]) / 2)


def threshold_for_fpr(real_scores: np.ndarray, max_fpr: float) -> float:
    """The smallest threshold at which at most `max_fpr` of the reals score at or above it; ties are kept together."""
    ordered = np.sort(real_scores)[::-1]
    allowed = int(np.floor(max_fpr * len(ordered)))
    if allowed >= len(ordered):
        return 0.0
    return float(np.nextafter(ordered[allowed], np.inf))


def fake_bound(real_scores: np.ndarray, max_fpr: float) -> float:
    """The threshold that is served: `threshold_for_fpr`, at least `LEAST`, with 3 decimals.

    Rounded up, so that no real comes to lie above, not even by the rounding of bfloat16.
    """
    return max(min(math.ceil(threshold_for_fpr(real_scores, max_fpr) * 1000 + 1) / 1000, 1.0), LEAST)


def fit_temperature(logits: Sequence[np.ndarray], labels: np.ndarray) -> float:
    """Temperature that minimises the class-balanced log loss of the mean frame probability per item.

    Args:
        logits: per item (K,) fake-minus-real logits of its frames.
        labels: (N,) 0 or 1.
    """
    weights = np.where(labels == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum())

    def loss(log_t: float) -> float:
        p = np.array([expit(z / np.exp(log_t)).mean() for z in logits]).clip(1e-6, 1 - 1e-6)
        return float(-(weights * np.where(labels == 1, np.log(p), np.log(1 - p))).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))  # pyright: ignore[reportAttributeAccessIssue]


def ece(labels: np.ndarray, probs: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equally filled bins."""
    order = np.argsort(probs)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(labels[p].mean() - probs[p].mean()) * len(p) for p in parts]
    return float(sum(gaps) / len(labels))
