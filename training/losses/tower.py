"""Losses of the detectors on CLIP. Features are (B,d) of unit length; labels (B,) int64, fake = 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def alignment(z: Tensor, y: Tensor) -> Tensor:
    """Mean squared distance of two examples of one class; 0 where no class has two.

    Source: Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity",
    ICML 2020 (arXiv 2005.10242), with the labels as GenD has them (arXiv 2508.06248).
    """
    distances, first, second = _pairs(z)
    same = y[first] == y[second]
    # Not the mean of a selection, whose gradient is not a number where nothing is selected.
    return (distances * same).sum() / same.sum().clamp(min=1)


def uniformity(z: Tensor) -> Tensor:
    """Log of the mean Gaussian likeness (exp of -2 squared distance) of any two examples: small when all are apart."""
    distances, _, _ = _pairs(z)
    return (-2 * distances).exp().mean().clamp(min=1e-6).log()


def _pairs(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Squared distance of every two examples, and which two; float32, because bfloat16 cannot tell near ones apart."""
    z = z.float()
    first, second = torch.triu_indices(len(z), len(z), offset=1, device=z.device)
    return (z[first] - z[second]).square().sum(-1), first, second


def focal(logits: Tensor, y: Tensor, gamma: float = 4.0) -> Tensor:
    """Cross entropy that looks away from what is right already: mean of -(1-p)^gamma log p of the true class.

    log p is held in [-5, -0.01], as in the code of DFD-FCG.

    Args:
        logits: (B,2).
        y: (B,).
        gamma: how much it looks away.

    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017 (arXiv 1708.02002).
    """
    log_p = logits.float().log_softmax(-1).gather(1, y[:, None]).squeeze(1).clamp(-5.0, -0.01)
    return -((1 - log_p.exp()) ** gamma * log_p).mean()


def facial_components(queries: Tensor, prototypes: Tensor, tau: float = 0.07) -> Tensor:
    """Keeps each part's query nearer to its own prototype than to those of other parts, in every layer.

    No picture enters it. Cross entropy over cosines divided by `tau`.

    Args:
        queries: (L,N,d).
        prototypes: (L,N,d), on any device, in the same order of parts.
        tau: 0.07 as in the paper's text; its code has 1/30.
    """
    prototypes = F.normalize(prototypes.to(queries), dim=-1)
    likeness = F.normalize(queries, dim=-1) @ prototypes.transpose(-1, -2) / tau  # (L,N,N)
    own = torch.arange(queries.shape[1], device=queries.device).expand(len(queries), -1)
    return F.cross_entropy(likeness.float().flatten(0, 1), own.flatten())


class Tap:
    """What a layer read and gave in the last pass, also where the model is wrapped for several processes.

    Args:
        layer: called once in a forward pass.

    Attributes:
        read: its first argument.
        gave: its result.
    """

    read: Tensor
    gave: Tensor

    def __init__(self, layer: nn.Module) -> None:
        layer.register_forward_hook(self._keep)

    def _keep(self, _layer: nn.Module, arguments: tuple[Tensor, ...], result: Tensor) -> None:
        self.read, self.gave = arguments[0], result
