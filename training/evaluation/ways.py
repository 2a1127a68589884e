"""Ways to make one score of several voters' scores, side by side on sources that none of them was fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from training.engine.metrics import auc
from training.evaluation.figures import ranking
from training.faces.index import Item, even_shares

FEWEST = 8  # fakes that a family's column needs


def table(media: Sequence[Item], ways: dict[str, np.ndarray], known: Collection[str]) -> str:
    """A Markdown table of AUC: of all media, with fakes of generators that no training saw alone, and by family.

    Args:
        media: N.
        ways: (N,) scores by the name of the way.
        known: generators that training saw.
    """
    labels = np.array([m.label for m in media])
    reals, unseen = real(media), np.array([m.label == 1 and m.generator not in known for m in media])
    families = [f for f, n in Counter(m.family for m in media if m.label).items() if n >= FEWEST]
    groups = {"unseen generators": unseen} | {
        f: np.array([m.label == 1 and m.family == f for m in media]) for f in sorted(families)
    }
    lines = ["| | all | " + " | ".join(groups) + " | found at 5 % |", "|---" * (len(groups) + 3) + "|"]
    for name, scores in ways.items():
        whole = ranking(labels, scores, np.array([m.source for m in media]))
        low, high = whole["auc_ci"]
        parts = [auc(labels[reals | group], scores[reals | group]) for group in groups.values()]
        found = (scores[~reals] > np.quantile(scores[reals], 0.95)).mean()
        figures = [f"{whole['auc']:.2f} ({low:.2f}–{high:.2f})", *(f"{p:.2f}" for p in parts), f"{found:.2f}"]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def sums(x: np.ndarray, media: Sequence[Item], folds: int) -> dict[str, np.ndarray]:
    """The sums that a norm of rarities has to beat, (N,) each.

    Args:
        x: (N,V) logits.
        media: N.
        folds: of sources.
    """
    return {
        "sum, each by mean and spread of reals": in_folds(x, media, folds, _standardised),
        "weighed sum (logistic regression)": in_folds(x, media, folds, _logistic),
    }


# Logits (N,V) and media to learn from, logits (M,V) to score -> (M,).
Way = Callable[[np.ndarray, Sequence[Item], np.ndarray], np.ndarray]


def in_folds(x: np.ndarray, media: Sequence[Item], folds: int, way: Way) -> np.ndarray:
    """(N,) what a way makes of logits (N,V), each medium's by the media of other sources."""
    out = np.zeros(len(x))
    for learned, left in GroupKFold(folds).split(x, groups=[m.source for m in media]):
        out[left] = way(x[learned], [media[n] for n in learned], x[left])
    return out


def real(media: Sequence[Item]) -> np.ndarray:
    """(N,) bool."""
    return np.array([not m.label for m in media])


def _standardised(x: np.ndarray, media: Sequence[Item], left: np.ndarray) -> np.ndarray:
    reals = x[real(media)]
    return ((left - reals.mean(0)) / reals.std(0)).sum(1)


def _logistic(x: np.ndarray, media: Sequence[Item], left: np.ndarray) -> np.ndarray:
    labels = np.array([m.label for m in media])
    share = even_shares(labels, [m.source for m in media])
    return LogisticRegression(C=1.0).fit(x, labels, share * len(share)).decision_function(left)
