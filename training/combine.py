"""Fit how the default voters' scores become one, on val, and write it into the manifest.

    python training/combine.py --data DATA
    python training/combine.py --data DATA --compare    # beside sums, and each voter alone; nothing is written

Each voter has two numbers, from real media alone: the median of their logits and what one in twenty exceeds. They say how
rare a score is among reals; a norm joins these rarities and a logistic regression makes a probability of it. The power of
the norm, the probability and the bounds come from rarities among reals of other sources (folds), so that the vote flags at
most `--max-fpr` of new reals.

Source: Fisher, "Statistical Methods for Research Workers", 1925, and Tippett, "The Methods of Statistics", 1931 (the product
and the smallest of several p-values).
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
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from tbd_app.known import MEASURED_KINDS, Combination, MeasuredKind
from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.verdict import log_rarity, logit, norm
from tbd_app.settings import AnalysisSettings
from training.engine.metrics import auc, fake_bound
from training.evaluation import ledger, ways
from training.evaluation.answers import picture_scores
from training.evaluation.seen import CACHE, logits_of, look
from training.faces.bank import load_or_build
from training.faces.index import Item, even_shares, read_index

ONE_IN_TWENTY = 0.95
POWERS = (1.0, 1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv.
        cache: people and logits that were found before.
        max_fpr: of val reals that may reach the threshold, for clips and for pictures each.
        max_missed: share of val fakes that may fall below the bound for "real".
        folds: of sources.
        compare: print how this ranks beside other ways, and write nothing.
    """

    data: Path = Path("../shared/data")
    cache: Path = CACHE
    max_fpr: float = 0.05
    max_missed: float = 0.15
    folds: int = 10
    compare: bool = False


def main(config: Config) -> None:
    """Fit both kinds of media and write them."""
    listed = read_index(config.data)
    items = [i for i in listed if i.split == "val"]
    voters = {kind: registry.voters(["default"], kind) for kind in MEASURED_KINDS}
    fitted: dict[MeasuredKind, Combination] = {}
    scores: dict[MeasuredKind, tuple[np.ndarray, list[Item]]] = {
        "video": clip_scores(items, voters["video"], config.cache),
        "image": picture_scores(
            items, load_or_build(items, Path("runs/cache")), voters["image"], config.cache
        ),
    }
    for kind, (probs, judged) in scores.items():
        if config.compare:
            known = {i.generator for i in listed if i.split == "train"}
            print(
                f"\n{kind}, {len(judged)} media\n\n{compared(probs, judged, voters[kind], known, config.folds)}"
            )
            continue
        fitted[kind] = fit(probs, judged, voters[kind], config)
        print(f"{kind}: {fitted[kind]}")
    if not config.compare:
        ledger.write_combination(fitted)


def compared(
    probs: np.ndarray, judged: Sequence[Item], voters: Sequence[str], known: set[str], folds: int
) -> str:
    """Each voter alone, sums, and norms of rarities as a Markdown table of AUC; as `fit`."""
    x = np.vectorize(logit)(probs)
    rows = dict(zip(voters, x.T, strict=True)) | ways.sums(x, judged, folds)
    for power in POWERS:
        rows[f"rarity, power {power:g}"] = unseen_rarity(x, judged, power, folds)
    return ways.table(judged, rows, known)


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
            probs.append(max(known, key=lambda person: float(np.mean([logit(p) for p in person]))))
            judged.append(clip)
    return np.array(probs), judged


def fit(probs: np.ndarray, judged: Sequence[Item], voters: Sequence[str], config: Config) -> Combination:
    """Numbers from all media, bounds from scores of folds that the fit did not see.

    Args:
        probs: (N,V) fake_prob.
        judged: the N media.
        voters: V names.
        config: bounds and folds.
    """
    labels = np.array([i.label for i in judged])
    x, share = np.vectorize(logit)(probs), even_shares(labels, [i.source for i in judged])
    by_power = {power: unseen_rarity(x, judged, power, config.folds) for power in POWERS}
    power = max(POWERS, key=lambda power: auc(labels, by_power[power]))
    print("AUC by power: " + ", ".join(f"{p:g}: {auc(labels, by_power[p]):.3f}" for p in POWERS))
    gain, bias = likelihood(by_power[power], labels, share)
    unseen = expit(bias + gain * by_power[power])
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
    reals = dict(zip(voters, ordinary(x[labels == 0]), strict=True))
    return Combination(reals, power, gain, bias, threshold, round(real_below, 3))


def unseen_rarity(x: np.ndarray, judged: Sequence[Item], power: float, folds: int) -> np.ndarray:
    """(N,) `joined` of each medium's logits (N,V), among reals of other sources.

    Args:
        x: logits.
        judged: the N media.
        power: of the norm.
        folds: of sources.
    """
    return ways.in_folds(
        x, judged, folds, lambda x, media, left: joined(left, ordinary(x[ways.real(media)]), power)
    )


def ordinary(x: np.ndarray) -> list[tuple[float, float]]:
    """Of logits of real media (N,V): the median and what one in twenty exceeds, of each voter."""
    low, high = np.quantile(x, (0.5, ONE_IN_TWENTY), axis=0)
    return list(zip(low.tolist(), np.maximum(high, low + 1e-3).tolist(), strict=True))


def joined(x: np.ndarray, reals: Sequence[tuple[float, float]], power: float) -> np.ndarray:
    """(N,) norm of the `log_rarity` of each medium's logits (N,V)."""
    return np.array(
        [norm([log_rarity(v, *points) for v, points in zip(row, reals, strict=True)], power) for row in x]
    )


def likelihood(rarity: np.ndarray, labels: np.ndarray, share: np.ndarray) -> tuple[float, float]:
    """Gain, not negative, and bias of a logistic regression.

    Args:
        rarity: (N,) `joined`.
        labels: (N,) 0 or 1.
        share: (N,) weights of the examples.
    """
    fitted = LogisticRegression(C=100.0).fit(rarity[:, None], labels, share * len(share))
    return max(float(fitted.coef_[0, 0]), 0.0), float(fitted.intercept_[0])


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
