"""A frozen CLIP read by a kernel: what its upper blocks say of a face, how that varies and how it changes over a clip.

Generated heads show in the middle of a network and in how little they change over time; the last feature of a single frame
holds neither. Nothing of the tower is trained, and the rest is fitted in closed form (training/train_probe.py).

Source: Williams and Seeger, "Using the Nystroem Method to Speed Up Kernel Machines", NeurIPS 2000, for the kernel on a few
supports; the statistics are this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tbd_app.models.backbones import CLIP_B16_INT8
from tbd_app.models.nets.base import masked_mean
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.types import Backbone

FIRST_BLOCK = 5  # counted from 0: blocks 6 to 12 of B/16
KINDS = ("class token", "mean of the patches", "spread of the patches")
OVER_TIME = ("mean", "deviation", "change")
FEW = 2  # frames, below which there is no time to speak of and the head for pictures answers


class KernelHead(nn.Module):
    """Numbers (B,D) -> how fake (B,): a weighted sum of Gaussian likenesses to supports, and a line.

    The line says how far an example lies from the mean of reals to the mean of fakes: far from all supports it still speaks.

    Args:
        n_in: D.
        reduced: length of the vectors that are compared.
        n_supports: how many.
    """

    def __init__(self, n_in: int, reduced: int, n_supports: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(n_in))
        self.scale = nn.Parameter(torch.ones(n_in))
        self.reduce = nn.Parameter(torch.randn(n_in, reduced) * n_in**-0.5)
        self.supports = nn.Parameter(torch.randn(n_supports, reduced))
        self.weights = nn.Parameter(torch.randn(n_supports) / n_supports)
        self.line = nn.Parameter(torch.zeros(reduced))
        self.bias = nn.Parameter(torch.zeros(1))

    def place(self, numbers: Tensor) -> Tensor:
        """(B,D) -> (B,R), where likeness is exp of minus the squared distance."""
        return ((numbers - self.shift) * self.scale) @ self.reduce

    def forward(self, numbers: Tensor) -> Tensor:
        at = self.place(numbers)
        squared = at.square().sum(1, keepdim=True) + self.supports.square().sum(1) - 2 * at @ self.supports.T
        return (-squared.clamp(min=0)).exp() @ self.weights + at @ self.line + self.bias


class ClipProbe(ClipDetector):
    """x (B,T,3,224,224), mask (B,T) bool or None -> logits (B,2).

    Args:
        components: to which each statistic of a block is reduced, by its own principal components.
        reduced: length of the vectors that are compared with supports.
        n_supports: of each head.
        first_block: the lowest one that is read, counted from 0.
        public: which tower, and whose weights.
        pretrained: fetch the public weights of the tower.
        small: see `build_tower`.
    """

    frame_by_frame = True

    def __init__(
        self,
        *,
        components: int = 48,
        reduced: int = 256,
        n_supports: int = 2048,
        first_block: int = FIRST_BLOCK,
        public: Backbone = CLIP_B16_INT8,
        pretrained: bool = False,
        small: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=public, pretrained=pretrained, small=small)
        self.first_block = min(first_block, len(self.blocks) - 1)
        read = len(KINDS) * (len(self.blocks) - self.first_block)
        self.centre = nn.Parameter(torch.zeros(read, self.width))
        self.basis = nn.Parameter(torch.randn(read, self.width, components) * self.width**-0.5)
        self.clip_head = KernelHead(len(OVER_TIME) * read * components, reduced, n_supports)
        self.picture_head = KernelHead(read * components, reduced, n_supports)
        self.judge = nn.Linear(1, 2)
        with torch.no_grad():
            self.judge.weight.copy_(torch.tensor([[-0.5], [0.5]]))
            self.judge.bias.zero_()
        self._settle()

    def statistics(self, frames: Tensor) -> Tensor:
        """Frames (N,3,S,S) -> (N,R,d) float32: of each block that is read its `KINDS`."""
        tokens, found = self.embed(frames), []
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            if number >= self.first_block:
                exact = tokens.float()
                found += [exact[:, 0], exact[:, 1:].mean(1), exact[:, 1:].std(1)]
        return torch.stack(found, dim=1)

    def components(self, statistics: Tensor) -> Tensor:
        """(N,R,d) -> (N,R*c): each statistic by its principal components."""
        return torch.einsum("nrd,rdc->nrc", statistics - self.centre, self.basis).flatten(1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.from_features(self.frame_features(x.flatten(0, 1)).unflatten(0, x.shape[:2]), mask)

    def frame_features(self, x: Tensor) -> Tensor:
        return self.components(self.statistics(x))

    def from_features(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        frames = features
        seen = mask if mask is not None else frames.new_ones(frames.shape[:2], dtype=torch.bool)
        still = self.picture_head(masked_mean(frames, seen))
        moving = self.clip_head(over_time(frames, seen))
        fake = torch.where(seen.sum(1) < FEW, still, moving)
        return self.judge(fake.unsqueeze(1))


def over_time(frames: Tensor, seen: Tensor) -> Tensor:
    """Frames (B,T,C) and seen (B,T) -> (B,3C): mean, deviation, mean absolute change from a seen frame to the next."""
    mean = masked_mean(frames, seen)
    variance = masked_mean((frames - mean.unsqueeze(1)).square(), seen)
    both = seen[:, 1:] & seen[:, :-1]
    change = masked_mean((frames[:, 1:] - frames[:, :-1]).abs(), both)
    return torch.cat([mean, variance.clamp(min=1e-12).sqrt(), change], dim=1)
