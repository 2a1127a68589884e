"""CLIP-STAN: beside the last layers of CLIP a branch that sees all frames, first along time, then within each frame.

One token order throughout: frames by patches, in tensors (B,T,P,d); nothing is flattened over both.

Source: Liu et al., "Revisiting Temporal Modeling for CLIP-based Image-to-Video Knowledge Transferring" (STAN),
CVPR 2023 (arXiv 2301.11116); the reference report's CLIP-STAN detector.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from tbd_app.models.backbones import CLIP_B16_INT8
from tbd_app.models.nets.base import masked_mean
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.models.tensors import Stored
from tbd_app.types import Backbone

MAX_FRAMES = 64


class TemporalLayer(nn.Module):
    """Each patch attends to itself over time; the last layer starts at zero, so the branch starts as CLIP."""

    def __init__(self, width: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.drop_path = DropPath(drop_path)

    def forward(self, patches: Tensor, unseen: Tensor) -> Tensor:
        """patches (B,T,P,d), unseen (B,T) bool, True for frames to leave out -> (B,T,P,d)."""
        batch, _, n_patches, _ = patches.shape
        h = self.norm(patches).transpose(1, 2).flatten(0, 1)  # (B*P,T,d)
        left_out = unseen.repeat_interleave(n_patches, dim=0)
        h, _ = self.attn(h, h, h, key_padding_mask=left_out, need_weights=False)
        h = self.out(h).unflatten(0, (batch, n_patches)).transpose(1, 2)
        return patches + self.drop_path(h)


class ClipStan(ClipDetector):
    """x (B,T,3,224,224), T up to 64, mask (B,T) bool or None -> logits (B,2).

    Trained are every LayerNorm, the temporal layers, the embeddings of the branch, CLIP's class embedding and
    the head. The spatial layers of the branch are copies of CLIP's last ones and frozen.

    Args:
        public: which tower, and whose weights.
        depth: layers of the branch, beside as many of CLIP's last ones.
        train_spatial: train the spatial layers as well (28.4 M more).
        pretrained: fetch the public weights of the tower.
        small: see `build_tower`.
    """

    def __init__(
        self,
        *,
        public: Backbone = CLIP_B16_INT8,
        depth: int = 4,
        train_spatial: bool = False,
        pretrained: bool = False,
        small: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=public, pretrained=pretrained, small=small)
        if not 1 <= depth <= len(self.blocks):
            raise ValueError(f"the branch has 1 to {len(self.blocks)} layers, not {depth}")
        self.depth = depth
        rates = torch.linspace(0, 0.1, depth, device="cpu").tolist()
        self.temporal = nn.ModuleList(TemporalLayer(self.width, self.n_heads, rate) for rate in rates)
        self.spatial = nn.ModuleList(copy.deepcopy(block) for block in self.blocks[-depth:])
        self.spatial.requires_grad_(train_spatial)
        self.drop_path = nn.ModuleList(DropPath(rate) for rate in rates)
        self.time_embedding = nn.Embedding(MAX_FRAMES, self.width)
        nn.init.normal_(self.time_embedding.weight, std=0.02)
        # The reference carries a class token of this size and never uses it; here it is what the branch's class
        # token differs by from CLIP's.
        self.class_shift = nn.Parameter(torch.zeros(self.width))
        self.backbone.class_embedding.requires_grad_(True)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(True)
        self.head = nn.Linear(self.width, 2)
        self._settle()

    def load_backbone(self, state: Stored, file: str, tag: str | None = None) -> None:
        super().load_backbone(state, file, tag)
        for copied, block in zip(self.spatial, self.blocks[-self.depth :], strict=True):
            copied.load_state_dict(block.state_dict())

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,224,224), mask (B,T) -> unit-length clip features (B,d); zeros where no frame has a face."""
        batch, length = x.shape[:2]
        if length > MAX_FRAMES:
            raise ValueError(f"a clip has {MAX_FRAMES} frames at most, not {length}")
        seen = mask if mask is not None else x.new_ones(batch, length, dtype=torch.bool)
        # Attention over nothing is not a number; such a clip is dropped by the mean at the end.
        unseen = ~(seen | ~seen.any(1, keepdim=True))
        tokens = self.embed(x.flatten(0, 1))
        first = len(self.blocks) - self.depth
        branch_class, branch = x.new_zeros(()), x.new_zeros(())
        for i, block in enumerate(self.blocks):
            tokens = self._run(block, tokens)
            if i < first:
                continue
            by_frame = tokens.float().unflatten(0, (batch, length))
            class_now, patches = masked_mean(by_frame[:, :, 0], ~unseen), by_frame[:, :, 1:]
            if i == first:
                branch_class, branch = self._start(class_now, patches)
            else:
                branch_class, branch = branch_class + class_now, branch + patches
            branch = self.temporal[i - first](branch, unseen)
            branch_class, branch = self._within_frames(i - first, branch_class, branch, ~unseen)
        by_frame = tokens[:, 0].float().unflatten(0, (batch, length)) + branch_class.unsqueeze(1)
        return F.normalize(masked_mean(self.backbone.ln_post(by_frame), seen), dim=-1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.features(x, mask))

    def _start(self, class_now: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """What enters the branch: class_now (B,d), patches (B,T,P,d), both with their embeddings."""
        places = self.backbone.positional_embedding
        own_class = self.backbone.class_embedding + self.class_shift + places[0]
        times = self.time_embedding.weight[: patches.shape[1]]
        return (class_now + own_class) / 2, patches + places[1:] + times[:, None]

    def _within_frames(self, i: int, one: Tensor, patches: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """CLIP's own layer on each frame; the class token (B,d) goes to every frame and is averaged after."""
        batch, length = patches.shape[:2]
        copied = one[:, None, None].expand(-1, length, -1, -1)
        before = torch.cat([copied, patches], dim=2).flatten(0, 1)
        change = self._run(self.spatial[i], before.to(self.held)).float() - before
        after = (before + self.drop_path[i](change)).unflatten(0, (batch, length))
        return masked_mean(after[:, :, 0], seen), after[:, :, 1:]

    def _run(self, block: nn.Module, tokens: Tensor) -> Tensor:
        if self.backbone.transformer.grad_checkpointing and torch.is_grad_enabled():
            return checkpoint(block, tokens, use_reentrant=False)
        return block(tokens)
