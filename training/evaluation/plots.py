"""Pictures of figures: ROC curves per family and the confusion at the shipped bounds, `docs/figures/<model>.png`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import matplotlib

matplotlib.use("Agg")  # no screen needed

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from tbd_app.known import Family
from training.engine.metrics import auc
from training.faces.index import Item

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"


def curves(name: str, clips: Sequence[Item], probs: np.ndarray, votes: Sequence[str]) -> Path:
    """Draw what a model makes of N clips; arguments as of `figures.video_figures`. Returns the picture's path."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    figure.suptitle(f"{name}, val clips, video level")
    _roc(left, clips, np.nan_to_num(probs, nan=0.5))
    _confusion(right, np.array([c.label for c in clips]), probs, np.array(votes))
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.png"
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path


def _roc(axes: Axes, clips: Sequence[Item], scores: np.ndarray) -> None:
    labels = np.array([c.label for c in clips])
    families = np.array([c.family for c in clips])
    for name in ("all", *get_args(Family)):
        keep = (labels == 0) | (name == "all") | (families == name)
        if 0 < labels[keep].sum() < keep.sum():
            fpr, tpr, _ = roc_curve(labels[keep], scores[keep], drop_intermediate=False)
            axes.plot(fpr, tpr, label=f"{name}: AUC {auc(labels[keep], scores[keep]):.2f}")
    axes.plot([0, 1], [0, 1], "k:", linewidth=0.8)
    axes.set(xlabel="real clips called fake", ylabel="fakes found", title="every threshold")
    axes.legend(loc="lower right")


def _confusion(axes: Axes, labels: np.ndarray, probs: np.ndarray, votes: np.ndarray) -> None:
    said = np.select([np.isnan(probs), votes == "fake", votes == "real"], [3, 2, 0], default=1)
    counts = np.array(
        [[int(((labels == truth) & (said == answer)).sum()) for answer in range(4)] for truth in (0, 1)]
    )
    axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, str(count), ha="center", va="center")
    axes.set(title="at the shipped bounds", ylabel="truth", xlabel="answer")
    axes.set_xticks(range(4), ["real", "cannot tell", "fake", "cannot judge"])
    axes.set_yticks(range(2), ["real", "fake"])


def benchmark(
    path: Path,
    title: str,
    labels: np.ndarray,
    probs: Mapping[str, np.ndarray],
    figures: Mapping[str, Mapping[str, Any]],
) -> None:
    """ROC curves of all models on one data set, and the confusion of each at its shipped bound, or at 0.5 where it has none.

    Args:
        path: of the picture.
        title: above it.
        labels: (N,) 0 or 1.
        probs: (N,) fake_prob by model.
        figures: by model, as `measure.figures` gives them.
    """
    figure, axes = plt.subplots(1, 1 + len(probs), figsize=(5 * (1 + len(probs)), 4.5), layout="constrained")
    figure.suptitle(f"{title}, video level")
    if 0 < labels.sum() < len(labels):
        for name, scores in probs.items():
            fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
            axes[0].plot(fpr, tpr, label=f"{name}: AUC {auc(labels, scores):.3f}")
        axes[0].legend(loc="lower right", fontsize="small")
    axes[0].plot([0, 1], [0, 1], "k:", linewidth=0.8)
    axes[0].set(xlabel="real media called fake", ylabel="fakes found", title="every threshold")
    for axis, name in zip(axes[1:], probs, strict=True):
        bound, at = next(iter(figures[name]["at"].items()))
        counts = np.array(at["confusion"])
        axis.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            axis.text(column, row, str(count), ha="center", va="center")
        axis.set(title=f"{name}, bound {bound}", ylabel="truth", xlabel="answer")
        axis.set_xticks(range(2), ["real", "fake"])
        axis.set_yticks(range(2), ["real", "fake"])
    figure.savefig(path, dpi=90)
    plt.close(figure)
