"""Losses that several recipes share. Logits are (B,2) in the order real, fake; labels (B,) int64, fake = 1."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn


def class_weights(labels: Iterable[int]) -> Tensor:
    """w_c = (N_total/2)/N_c of the real and the fake class, (2,) float32, so that both weigh the same in all.

    Raises:
        SystemExit: a class is absent.
    """
    counts = np.bincount(np.fromiter(labels, np.int64), minlength=2)
    if not counts.all():
        raise SystemExit(
            f"The split holds {counts[0]} real and {counts[1]} fake files: both classes are needed."
        )
    return torch.tensor(counts.sum() / 2 / counts, dtype=torch.float32)


def cross_entropy(
    logits: Tensor, y: Tensor, *, weights: Tensor | None = None, smoothing: float = 0.0
) -> dict[str, Tensor]:
    """Loss in float32 and accuracy of a batch: {"loss": (), "accuracy": ()}.

    Args:
        logits: (B,2).
        y: (B,).
        weights: (2,) of the classes, as of `class_weights`.
        smoothing: of the labels.
    """
    if weights is not None:
        weights = weights.to(logits.device)
    loss = nn.functional.cross_entropy(logits.float(), y, weight=weights, label_smoothing=smoothing)
    return {"loss": loss, "accuracy": accuracy(logits, y)}


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of right labels, a scalar without gradient."""
    return (logits.detach().argmax(-1) == y).float().mean()


def distillation(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Cross entropy to a teacher's soft labels, times T^2 to keep the gradients' scale.

    Args:
        logits: (B,2) of the student.
        soft: (B,2) of the teacher, probabilities at the same temperature.
        temperature: T.

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv 1503.02531).
    """
    return nn.functional.cross_entropy(logits.float() / temperature, soft.float()) * temperature**2
