"""A head that begins where frozen features end: a logistic regression on what the tower says before anything is tuned.

Tuning from a random head first spoils features that were good ("linear probing, then fine-tuning").
Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022
(arXiv 2202.10054).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from torch import Tensor, nn
from tqdm import tqdm

from tbd_app.models.nets.clip_ln import ClipLayerNorm

STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)  # inverse regularisation, chosen by folds of pairs


def fit_head(
    model: ClipLayerNorm, batches: Iterable[dict[str, Tensor]], n_batches: int, scale: float
) -> float:
    """Fit the head, in place, on the features of the first batches.

    Args:
        model: with a linear head.
        batches: {"x": (B,2,3,S,S), "y": (B,2)} pairs.
        n_batches: how many of them.
        scale: what the loss multiplies the head's logits with.

    Returns:
        Accuracy on pairs that a fold's fit did not see.

    Raises:
        SystemExit: the head has more than one layer.
    """
    if not isinstance(model.head, nn.Linear):
        raise SystemExit("--head-batches is for models with a linear head.")
    model.eval()
    found: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with torch.no_grad():
        for batch in tqdm(islice(batches, n_batches), desc="head", unit="batch", total=n_batches):
            found.append(model.features(batch["x"].flatten(0, 1)).numpy())
            labels.append(batch["y"].flatten().numpy())
    x, y = np.concatenate(found), np.concatenate(labels)
    mean = x.mean(axis=0)
    pairs = np.arange(len(y)) // 2
    right = {
        strength: float(
            np.mean(cross_val_score(_logistic(strength), x - mean, y, groups=pairs, cv=GroupKFold(5)))
        )
        for strength in STRENGTHS
    }
    best = max(right, key=lambda strength: right[strength])
    fitted = _logistic(best).fit(x - mean, y)
    weight = torch.from_numpy(fitted.coef_[0]).float() / scale
    bias = float(fitted.intercept_[0]) / scale - float(weight @ torch.from_numpy(mean))
    with torch.no_grad():
        for row, sign in ((0, -0.5), (1, 0.5)):
            model.head.weight[row] = sign * weight
            model.head.bias[row] = sign * bias
    return right[best]


def _logistic(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=2000)
