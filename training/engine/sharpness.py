"""Sharpness-aware minimisation: the gradient is taken where the loss is worst nearby, so flat minima win.

Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization", ICLR 2021, arXiv 2010.01412. A step
costs two passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def uphill(model: nn.Module, radius: float) -> Iterator[None]:
    """Within, the weights lie `radius` (L2) up the gradient that was just taken, which is forgotten.

    A second backward pass belongs inside; afterwards the weights are the old ones bit for bit and the new gradient stays.
    BatchNorm's running statistics learn from the first pass only.

    Args:
        model: with gradients; parameters without one stay where they are.
        radius: rho of the paper.
    """
    moved = [p for p in model.parameters() if p.grad is not None]
    gradients = [p.grad for p in moved if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    before = [p.detach().clone() for p in moved]
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    momenta = [m.momentum for m in norms]
    with torch.no_grad():
        for p, gradient in zip(moved, gradients, strict=True):
            p.add_(gradient * (radius / (norm + 1e-12)))
            p.grad = None
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
        with torch.no_grad():
            for p, old in zip(moved, before, strict=True):
                p.copy_(old)
