"""Fit how the default voters' scores are weighed into one, on val, and write it into the manifest.

    python training/combine.py --data DATA

A logistic regression with at most one weight a voter and kind of media, none negative. The bounds come from scores that were
predicted for sources that the fit did not see (folds of sources), so that the vote flags at most `--max-fpr` of new reals.

Source: stacking, Wolpert, "Stacked generalization", Neural Networks 1992, with non-negative weights as Breiman, "Stacked
regressions", Machine Learning 1996.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import tyro
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.model_selection import GroupKFold
from tqdm import tqdm

from tbd_app.known import Combination, MeasuredKind
from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.verdict import EDGE
from tbd_app.settings import AnalysisSettings
from training.engine.metrics import auc, fake_bound
from training.evaluation import ledger
from training.evaluation.answers import picture_scores
from training.evaluation.seen import CACHE, logits_of, look
from training.faces.bank import load_or_build
from training.faces.index import Item, even_shares, read_index


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv.
        cache: people and logits that were found before.
        max_fpr: of val reals that may reach the threshold, for clips and for pictures each.
        max_missed: share of val fakes that may fall below the bound for "real".
        penalty: weight of the squared weights in the fit.
        folds: of sources.
    """

    data: Path = Path("../shared/data")
    cache: Path = CACHE
    max_fpr: float = 0.05
    max_missed: float = 0.15
    penalty: float = 0.01
    folds: int = 10


def main(config: Config) -> None:
    """Fit both kinds of media and write them."""
    items = [i for i in read_index(config.data) if i.split == "val"]
    voters = registry.resolve(["default"])
    fitted: dict[MeasuredKind, Combination] = {}
    for kind, (probs, judged) in (
        ("video", clip_scores(items, voters, config.cache)),
        ("image", picture_scores(items, load_or_build(items, Path("runs/cache")), voters)),
    ):
        fitted[kind] = fit(probs, judged, voters, config)
        print(f"{kind}: {fitted[kind]}")
    ledger.write_combination(fitted)


def clip_scores(items: Sequence[Item], voters: Sequence[str], cache: Path) -> tuple[np.ndarray, list[Item]]:
    """What the voters say of each val clip's most suspicious person: (N,V) fake_prob, and the N clips that all judged."""
    probs, judged = [], []
    for clip in tqdm([i for i in items if i.kind == "video"], desc="clips", unit="clip"):
        seen = look(clip.path, AnalysisSettings(), cache)
        found = [
            score.score_tracks(name, seen.frames, seen.tracks, logits_of=logits_of(seen, cache))
            for name in voters
        ]
        people = [[s.fake_prob for s in person] for person in zip(*found, strict=True)]
        known = [person for person in people if None not in person]
        if known:
            probs.append(max(known, key=lambda person: float(np.mean(_logits(np.array(person))))))
            judged.append(clip)
    return np.array(probs), judged


def fit(probs: np.ndarray, judged: Sequence[Item], voters: Sequence[str], config: Config) -> Combination:
    """Weights from all media, bounds from scores of folds that the fit did not see.

    Args:
        probs: (N,V) fake_prob.
        judged: the N media.
        voters: V names.
        config: bounds and folds.
    """
    labels = np.array([i.label for i in judged])
    sources = np.array([i.source for i in judged])
    families = [i.family for i in judged]
    x, share = _logits(probs), even_shares(labels, sources, families)
    unseen = np.zeros(len(labels))
    for learned, left in GroupKFold(config.folds).split(x, labels, sources):
        weights, bias = weigh(x[learned], labels[learned], share[learned], config.penalty)
        unseen[left] = expit(x[left] @ weights + bias)
    weights, bias = weigh(x, labels, share, config.penalty)
    threshold = fake_bound(unseen[labels == 0], config.max_fpr)
    real_below = min(float(np.quantile(unseen[labels == 1], config.max_missed)), threshold)
    print(
        f"AUC of unseen sources {auc(labels, unseen):.3f}, of each voter "
        + " ".join(f"{name} {auc(labels, column):.3f}" for name, column in zip(voters, probs.T, strict=True))
        + f"; found {(unseen[labels == 1] >= threshold).mean():.3f}, flagged {(unseen[labels == 0] >= threshold).mean():.3f}"
    )
    for name, part in (
        ("real", unseen < real_below),
        ("uncertain", (unseen >= real_below) & (unseen < threshold)),
    ):
        print(
            f"share of fakes among {name}: {labels[part].mean() if part.any() else math.nan:.3f} of {part.sum()}"
        )
    by_name = dict(zip(voters, weights.tolist(), strict=True))
    return Combination(by_name, float(bias), threshold, round(real_below, 3))


def weigh(x: np.ndarray, labels: np.ndarray, share: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Logistic regression without negative weights.

    Args:
        x: (N,V) logits.
        labels: (N,) 0 or 1.
        share: (N,) weights of the examples, sum 1.
        penalty: weight of the squared weights.

    Returns:
        Weights (V,) and bias.
    """
    signs = 2.0 * labels - 1

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (x @ theta[:-1] + theta[-1])
        pull = -share * signs * expit(-margin)
        value = share @ np.logaddexp(0, -margin) + penalty * theta[:-1] @ theta[:-1]
        return float(value), np.append(x.T @ pull + 2 * penalty * theta[:-1], pull.sum())

    n = x.shape[1]
    found = minimize(
        loss, np.append(np.full(n, 1 / n), 0.0), jac=True, bounds=[(0, None)] * n + [(None, None)]
    )
    return found.x[:-1], float(found.x[-1])


def _logits(probs: np.ndarray) -> np.ndarray:
    return logit(np.clip(probs, EDGE, 1 - EDGE))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
