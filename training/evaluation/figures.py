"""From scores to figures: what `evaluate.py` writes into manifest, cards and README.

A clip that was not judged counts as 0.5 for rankings and as "not flagged" for rates; the coverage says how often. Intervals
are 95 %: sources are resampled whole, because the media of a page stand or fall together; a rate's is Wilson's where that is
wider, as for a rate of nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score

from tbd_app.known import Family, KnownPerformance, Measured, MeasuredKind
from training.engine.metrics import (
    auc,
    auc_by_ranks,
    draws_by_source,
    ece,
    eer,
    interval,
    mean_by_source,
    wilson,
)
from training.faces.index import Item

# Least AUC on val of a family that a model sees; it is blind to a family below it, whatever the interval. A coin has 0.5, and
# a family is warned of rather than trusted when the few clips there are do not lift a model well above one.
SEEN_FROM_AUC = 0.60
# Which figures a report shows for a kind of media, the first that was measured, and what their media are called. Those with
# the views of a stability check are for the cards: views are asked only where a user wants them.
_SHOWN: dict[MeasuredKind, dict[str, str]] = {
    "video": {"val_clips": "val clips"},
    "image": {"val_pictures": "val pictures", "real_pictures": "real val pictures"},
}
_FAMILY_FIGURES: dict[MeasuredKind, str] = {"video": "val_{}_clips", "image": "val_{}_pictures"}
# Pictures that stand for a family where its own were not measured. The first were made here and the others' generator was
# trained on, so they show that a family goes unseen and never that it is seen.
_INSTEAD: dict[MeasuredKind, dict[Family, str]] = {
    "video": {},
    "image": {"blending": "self_blends", "synthesis": "stylegan2_pictures"},
}


def known(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What reports show of a model or a vote, by kind of media, from its figures: `known_performance` of the manifest."""
    out = {}
    for kind, shown in _SHOWN.items():
        key = next((key for key in shown if key in metrics), None)
        if key is None:
            continue
        figures = metrics[key]
        seen = _families(metrics, kind)
        out[kind] = KnownPerformance(
            data=shown[key],
            n_real=figures["n_real"],
            n_fake=figures.get("n_fake", 0),
            flagged_real=_measured(figures, "fpr"),
            found_fake=_measured(figures, "tpr"),
            called_real_fake=_measured(figures, "missed_as_real"),
            auc=_measured(figures, "auc"),
            sees=tuple(family for family, sees in seen.items() if sees),
            blind_to=tuple(family for family, sees in seen.items() if not sees),
        ).to_dict()
    return out


def _families(metrics: dict[str, Any], kind: MeasuredKind) -> dict[Family, bool]:
    """Each family that was measured on a kind of media, and whether it is seen."""
    out: dict[Family, bool] = {}
    for family in get_args(Family):
        own = _measured(metrics.get(_FAMILY_FIGURES[kind].format(family), {}), "auc")
        other = _measured(metrics.get(_INSTEAD[kind].get(family, ""), {}), "auc")
        if own is not None:
            out[family] = own.value >= SEEN_FROM_AUC
        elif other is not None and other.value < SEEN_FROM_AUC:
            out[family] = False
    return out


def _measured(figures: dict[str, Any], key: str) -> Measured | None:
    """A figure with its interval; None where it was not measured or is no number, as for want of one class."""
    value = figures.get(key)
    return None if value is None or np.isnan(value) else Measured(value, *figures[f"{key}_ci"])


def video_figures(clips: Sequence[Item], probs: np.ndarray, votes: Sequence[str]) -> dict[str, Any]:
    """Video-level figures of clips.

    Args:
        clips: N clips.
        probs: (N,) fake_prob, NaN where a clip could not be judged.
        votes: N answers: "fake", "real", or anything else where none was given.
    """
    labels, sources = np.array([c.label for c in clips]), np.array([c.source for c in clips])
    scores = np.nan_to_num(probs, nan=0.5)
    flagged, cleared = (np.array(votes) == answer for answer in ("fake", "real"))
    decided = flagged | cleared
    out = {
        "level": "video",
        "n_real": int((labels == 0).sum()),
        "n_fake": int((labels == 1).sum()),
        "n_sources": len(set(sources)),
        "coverage": round(float(np.isfinite(probs).mean()), 4),
        **ranking(labels, scores, sources),
        **at_threshold(labels, flagged, sources),
        **rate("missed_as_real", cleared[labels == 1], sources[labels == 1]),
        "abstained": round(float((~decided).mean()), 4),
        "ece": round(ece(labels, scores), 4),
    }
    if decided.any():
        out |= rate("error_where_decided", flagged[decided] != labels[decided], sources[decided])
    return out


def by_family(clips: Sequence[Item], probs: np.ndarray, votes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The same per family of fakes that there are, each against all real clips."""
    out = {}
    for name in get_args(Family):
        part = [k for k, c in enumerate(clips) if not c.label or c.family == name]
        if any(clips[k].label for k in part):
            out[name] = video_figures([clips[k] for k in part], probs[part], [votes[k] for k in part])
    return out


def by_generator(clips: Sequence[Item], probs: np.ndarray, votes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Per generator of fakes: clips, AUC against all real clips, share flagged."""
    scores, labels = np.nan_to_num(probs, nan=0.5), np.array([c.label for c in clips])
    out = {}
    for name in sorted({c.generator for c in clips if c.label}):
        mine = np.array([c.generator == name for c in clips])
        keep = mine | (labels == 0)
        sources = np.array([c.source for c in clips])[mine]
        out[name] = {
            "n_fake": int(mine.sum()),
            "auc": round(auc(labels[keep], scores[keep]), 4),
            **rate("tpr", np.array(votes)[mine] == "fake", sources),
        }
    return out


def image_figures(
    labels: np.ndarray, probs: np.ndarray, threshold: float, sources: np.ndarray | None = None
) -> dict[str, Any]:
    """Image-level figures; without sources each picture is its own."""
    return {
        "level": "image",
        "n_real": int((labels == 0).sum()),
        "n_fake": int((labels == 1).sum()),
        **ranking(labels, probs, sources),
        **at_threshold(labels, probs >= threshold, sources),
    }


def picture_figures(
    pictures: Sequence[Item], probs: np.ndarray, bounds: tuple[float, float]
) -> dict[str, dict[str, Any]]:
    """Image-level figures of val pictures, all together and per family of fakes, each against all real ones.

    Args:
        pictures: N files.
        probs: (N,) fake_prob.
        bounds: below what is voted real, and from what fake.
    """
    real_below, threshold = bounds
    labels, families, sources = (
        np.array([getattr(p, name) for p in pictures]) for name in ("label", "family", "source")
    )
    out = {}
    for name in ("", *get_args(Family)):
        fakes = (labels == 1) & ((families == name) | (name == ""))
        if not fakes.any() or labels.all():
            continue
        keep = fakes | (labels == 0)
        missed = rate("missed_as_real", probs[fakes] < real_below, sources[fakes])
        key = _FAMILY_FIGURES["image"].format(name) if name else "val_pictures"
        out[key] = image_figures(labels[keep], probs[keep], threshold, sources[keep]) | missed
    return out


def ranking(labels: np.ndarray, scores: np.ndarray, sources: np.ndarray | None = None) -> dict[str, Any]:
    """What does not depend on a threshold: AUC with interval, EER, average precision."""
    samples = draws_by_source(labels, (_each(labels) if sources is None else sources).tolist())
    return {
        "auc": round(auc(labels, scores), 4),
        "auc_ci": _rounded(interval([auc_by_ranks(labels[rows], scores[rows]) for rows in samples])),
        "eer": round(eer(labels, scores), 4),
        "ap": round(float(average_precision_score(labels, scores)), 4),
    }


def at_threshold(
    labels: np.ndarray, flagged: np.ndarray, sources: np.ndarray | None = None
) -> dict[str, Any]:
    """What the shipped threshold makes of it: rates, balanced accuracy, F1 of both classes."""
    sources = _each(labels) if sources is None else sources
    real, fake = labels == 0, labels == 1
    return {
        **rate("fpr", flagged[real], sources[real]),
        **rate("tpr", flagged[fake], sources[fake]),
        "balanced_accuracy": round(float(balanced_accuracy_score(labels, flagged)), 4),
        "f1_fake": round(float(f1_score(labels, flagged, pos_label=1, zero_division=0)), 4),  # pyright: ignore[reportArgumentType]
        "f1_real": round(float(f1_score(labels, flagged, pos_label=0, zero_division=0)), 4),  # pyright: ignore[reportArgumentType]
    }


def rate(name: str, hits: np.ndarray, sources: np.ndarray) -> dict[str, Any]:
    """The share of N yes-or-no answers with its interval; `sources` says where each comes from."""
    low, high = wilson(int(hits.sum()), len(hits))
    if len(hits):
        _, lower, upper = mean_by_source(hits, sources.tolist())
        low, high = min(low, lower), max(high, upper)
    return {name: round(float(hits.mean()) if len(hits) else 0.0, 4), f"{name}_ci": _rounded((low, high))}


def _each(labels: np.ndarray) -> np.ndarray:
    return np.arange(len(labels)).astype(str)


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(v, 4) for v in pair]
