"""Figures with their intervals. Scores are fake_prob or any monotone score, labels 1 = fake."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import roc_auc_score, roc_curve

BOOTSTRAPS = 1000


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; NaN when one class is absent."""
    return float(roc_auc_score(labels, scores)) if 0 < labels.sum() < len(labels) else float("nan")


def bootstrap(
    figure: Callable[[np.ndarray, np.ndarray], float],
    labels: np.ndarray,
    scores: np.ndarray,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of a figure over items, resampled within each class so that none vanishes."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == c) for c in (0, 1)]
    values = []
    for _ in range(BOOTSTRAPS):
        rows = np.concatenate([rng.choice(c, len(c)) for c in classes if len(c)])
        values.append(figure(labels[rows], scores[rows]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


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

    return float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))


def ece(labels: np.ndarray, probs: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equally filled bins."""
    order = np.argsort(probs)
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(labels[p].mean() - probs[p].mean()) * len(p) for p in parts]
    return float(sum(gaps) / len(labels))
