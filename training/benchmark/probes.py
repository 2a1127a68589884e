"""Probes for data leaks: how well simple measures alone tell the real from the fake of train pairs.

A network takes the easiest way. Where the sharpness, the light or the place of a crop tells the two apart, it learns that and
not the manipulation. An area under the curve near .5 says that a measure tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from training.engine.metrics import auc, auc_by_ranks, draws_by_source, interval

FOLDS = 5
GRID_PX = 8  # of JPEG and of most codecs' transforms
BANDS = 6


def sharpness(image: np.ndarray) -> list[float]:
    """Energy per band of frequency (log of the mean power), from coarse to fine, of an (S,S,3) uint8 crop."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    window = np.hanning(len(grey))
    power = np.abs(np.fft.fftshift(np.fft.fft2((grey - grey.mean()) * np.outer(window, window)))) ** 2
    half = len(grey) / 2
    y, x = np.indices(power.shape) - half
    band = np.minimum((np.hypot(x, y) / half * BANDS).astype(int), BANDS)
    return [float(np.log(power[band == b].mean() + 1e-3)) for b in range(BANDS)]


def blocks(image: np.ndarray) -> list[float]:
    """How much stronger the steps across each column and row of a grid of 8 px are than the others (log of the ratio)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    out = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        phases = [steps[p::GRID_PX].mean() for p in range(GRID_PX)]
        out += [float(np.log((max(phases) + 0.05) / (np.median(phases) + 0.05)))]
    return out


def colour(image: np.ndarray) -> list[float]:
    """Mean and deviation of lightness and of the two colour axes of Lab, and the mean saturation."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    saturation = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1]
    return [*lab.mean(axis=0).tolist(), *lab.std(axis=0).tolist(), float(saturation.mean())]


PICTURE_PROBES: dict[str, Callable[[np.ndarray], list[float]]] = {
    "sharpness": sharpness,
    "blocks of a codec": blocks,
    "colour and light": colour,
}


def place(box: np.ndarray, width: int, height: int) -> list[float]:
    """Where a face lies in its picture: the size of its box in px (log), its centre and its shape."""
    x0, y0, x1, y1 = (float(v) for v in box)
    side = max(x1 - x0, y1 - y0, 1.0)
    middle = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
    return [float(np.log(side)), *middle, (x1 - x0) / max(y1 - y0, 1.0)]


def told_apart(
    measures: Sequence[Sequence[float]], labels: np.ndarray, sources: Sequence[str]
) -> tuple[float, float, float]:
    """AUC of boosted trees on the measures, on sources that they did not learn from, and its 95 % interval.

    Args:
        measures: (N,k).
        labels: (N,) 0 real, 1 fake.
        sources: (N,) where each comes from; folds and the bootstrap keep one together.
    """
    x = np.asarray(measures, np.float32)
    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
    said = np.asarray(
        cross_val_predict(
            trees, x, labels, groups=np.asarray(sources), cv=GroupKFold(FOLDS), method="predict_proba"
        )
    )[:, 1]
    drawn = [auc_by_ranks(labels[rows], said[rows]) for rows in draws_by_source(labels, sources)]
    return auc(labels, said), *interval(drawn)
