"""Heads that begin where frozen features end: a logistic regression on what the tower says before anything is tuned.

Tuning from a random head first spoils features that were good ("linear probing, then fine-tuning").
Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022
(arXiv 2202.10054).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from tqdm import tqdm

# Inverse regularisation for features of length 1, chosen by folds of pairs.
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)


def fit_heads(
    model: nn.Module,
    heads: Sequence[nn.Module],
    batches: Iterable[dict[str, Tensor]],
    n_batches: int,
    scale: float = 1.0,
) -> list[float]:
    """Fit linear heads, in place, on what they read of the first batches.

    Args:
        model: takes "x", and "mask" where there is one, of pairs in a row.
        heads: layers of it with two outputs, real and fake, each called once in a pass.
        batches: {"x": (B,2,...), "y": (B,2)} pairs, perhaps with "mask": (B,2,T).
        n_batches: how many of them.
        scale: what the loss multiplies the heads' logits with.

    Returns:
        Of each head the accuracy on pairs that a fold's fit did not see.

    Raises:
        SystemExit: a head has more than one layer.
    """
    linear = [head for head in heads if isinstance(head, nn.Linear)]
    if len(linear) < len(heads):
        raise SystemExit("--head-batches is for models with a linear head.")
    model.eval()
    found: list[list[np.ndarray]] = [[] for _ in linear]
    labels: list[np.ndarray] = []

    def listen(head: nn.Linear, parts: list[np.ndarray]) -> RemovableHandle:
        return head.register_forward_pre_hook(lambda _, read: parts.append(read[0].float().numpy()))

    ears = [listen(head, parts) for head, parts in zip(linear, found, strict=True)]
    with torch.no_grad():
        for batch in tqdm(islice(batches, n_batches), desc="head", unit="batch", total=n_batches):
            model(*(batch[key].flatten(0, 1) for key in ("x", "mask") if key in batch))
            labels.append(batch["y"].flatten().numpy())
    for ear in ears:
        ear.remove()
    y = np.concatenate(labels)
    return [_fit(head, np.concatenate(parts), y, scale) for head, parts in zip(linear, found, strict=True)]


def _fit(head: nn.Linear, x: np.ndarray, y: np.ndarray, scale: float) -> float:
    """Set a head to a logistic regression on features (N,d) of pairs in a row, and return how often it is right."""
    mean, length = x.mean(axis=0), float(np.linalg.norm(x, axis=1).mean())
    unit = (x - mean) / length
    pairs = np.arange(len(y)) // 2
    right = {
        strength: float(
            np.mean(cross_val_score(_logistic(strength), unit, y, groups=pairs, cv=GroupKFold(5)))
        )
        for strength in STRENGTHS
    }
    best = max(right, key=lambda strength: right[strength])
    fitted = _logistic(best).fit(unit, y)
    weight = torch.from_numpy(fitted.coef_[0] / length).float() / scale
    bias = float(fitted.intercept_[0]) / scale - float(weight @ torch.from_numpy(mean))
    with torch.no_grad():
        for row, sign in ((0, -0.5), (1, 0.5)):
            head.weight[row] = sign * weight
            head.bias[row] = sign * bias
    return right[best]


def _logistic(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=2000)
