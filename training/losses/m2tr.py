"""Losses of M2TR: real features near their centre and fake ones away from it, and the focal loss of its authors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss


class RealCentre(nn.Module):
    """Contrastive loss on cosine distances d = 1 - cos to the mean feature c of the real examples.

    With a margin m: mean of d(f,c) over reals + mean of max(0, m - d(f,c)) over fakes. Without one, as in the paper: mean
    over reals - mean over fakes. The published code has likenesses for distances, which pushes the reals apart.

    Args:
        n_features: length of a feature.
        margin: m, or 0 for the paper's form.
        momentum: of the moving average c, because a small batch has few reals; 0 takes the batch's own.

    Source: Wang et al., "M2TR", ICMR 2022 (arXiv 2104.09770).
    """

    centre: Tensor

    def __init__(self, n_features: int, margin: float = 0.5, momentum: float = 0.95) -> None:
        super().__init__()
        self.margin, self.momentum = margin, momentum
        self.register_buffer("centre", torch.zeros(n_features))

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """features (B,C), y (B,) fake = 1 -> a scalar; 0 where the batch lacks a class. No gradient reaches c."""
        features = features.float()
        real, fake = features[y == 0], features[y == 1]
        if len(real) == 0 or len(fake) == 0:
            return features.sum() * 0
        self._follow(real.detach().mean(dim=0))
        near, far = (1 - F.cosine_similarity(part, self.centre[None]) for part in (real, fake))
        return near.mean() + ((self.margin - far).clamp(min=0) if self.margin else -far).mean()

    def _follow(self, mean: Tensor) -> None:
        momentum = self.momentum if self.centre.any() else 0.0
        self.centre.mul_(momentum).add_(mean, alpha=1 - momentum)


def focal(logits: Tensor, y: Tensor, gamma: float = 2.0) -> Tensor:
    """Mean focal loss of two sigmoids against one-hot labels, as in the authors' configuration; logits (B,2), y (B,)."""
    target = F.one_hot(y, 2).float()
    return sigmoid_focal_loss(logits.float(), target, alpha=-1, gamma=gamma, reduction="mean")
