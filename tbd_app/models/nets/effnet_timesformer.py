"""EfficientNet-B0 on every frame, then attention over time and within frames, on the 7 x 7 cells of its map.

Source: Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?" (TimeSformer, divided
attention), ICML 2021 (arXiv 2102.05095); the reference report's baseline, whose layout is kept as the legacy one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, masked_mean, timm_backbone

MAX_FRAMES = 8


class SpaceTimeBlock(nn.Module):
    """Attention of each place over time, of each frame over its places, then an MLP; all residual, norms first.

    The layer behind the attention over time starts at zero, so that a block starts as one on single frames.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(width)
        self.time_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.time_out = nn.Linear(width, width)
        nn.init.zeros_(self.time_out.weight)
        nn.init.zeros_(self.time_out.bias)
        self.space_norm = nn.LayerNorm(width)
        self.space_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, one: Tensor, cells: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Class token (B,d), cells (B,T,P,d), seen (B,T) bool, True somewhere in each row -> both tokens."""
        cells = cells + self.time_out(over_time(self.time_attention, self.time_norm(cells), seen))
        # Every frame gets a copy of the class token; what the copies learn is averaged.
        frames = torch.cat([one[:, None, None].expand(-1, cells.shape[1], -1, -1), cells], dim=2)
        change = within_frames(self.space_attention, self.space_norm(frames))
        one, cells = one + masked_mean(change[:, :, 0], seen), cells + change[:, :, 1:]
        return one + self.mlp(self.mlp_norm(one)), cells + self.mlp(self.mlp_norm(cells))


class EffNetB0TimeSformer(Detector):
    """x (B,T,3,224,224), T up to 8, mask (B,T) bool or None -> logits (B,2). The weights are bound to 224 px.

    Args:
        depth: blocks.
        small: a tiny backbone and narrow blocks at 64 px, for tests and toys.
        pretrained: fetch ImageNet weights of the backbone.
        freeze_bn: see `Detector`.
    """

    def __init__(
        self, *, depth: int = 2, small: bool = False, pretrained: bool = False, freeze_bn: bool = False
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        name = "test_efficientnet" if small else "efficientnet_b0"
        width, heads, side = (64, 2, 2) if small else (512, 8, 7)
        net: Any = timm_backbone(name, pretrained=pretrained, global_pool="")
        self.backbone, self.input_size = net, 32 * side
        self.project = nn.Linear(net.num_features, width)
        self.class_token = nn.Parameter(torch.randn(width) * 0.02)
        self.places = nn.Parameter(torch.randn(1 + side * side, width) * 0.02)
        self.times = nn.Parameter(torch.randn(MAX_FRAMES, width) * 0.02)
        self.blocks = nn.ModuleList(SpaceTimeBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 2)

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,224,224), mask (B,T) -> the class token (B,512); zeros where no frame has a face."""
        self.must_fit(x)
        if x.shape[1] > MAX_FRAMES:
            raise ValueError(f"a clip has {MAX_FRAMES} frames at most, not {x.shape[1]}")
        seen, any_seen = _seen(x, mask)
        cells = self.project(_cells(self.backbone, x)) + self.places[1:] + self.times[: x.shape[1], None]
        one = (self.class_token + self.places[0]).expand(len(x), -1)
        for block in self.blocks:
            one, cells = block(one, cells, seen)
        return self.norm(one) * any_seen

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.features(x, mask))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")


class EffNetB0TimeSformerLegacy(Detector):
    """The reference's own layout, for its count: x (B,T,3,S,S), mask (B,T) bool or None -> logits (B,2).

    One attention over time and one within frames, without residuals, positions or MLP; the answer is read from the
    first cell of the first frame alone. Weak by construction.
    """

    def __init__(self, *, small: bool = False, pretrained: bool = False, freeze_bn: bool = False) -> None:
        super().__init__(freeze_bn=freeze_bn)
        name = "test_efficientnet" if small else "efficientnet_b0"
        net: Any = timm_backbone(name, pretrained=pretrained, global_pool="")
        self.backbone, width = net, net.num_features
        self.time_attention = nn.MultiheadAttention(width, 8, batch_first=True)
        self.space_attention = nn.MultiheadAttention(width, 8, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 2)

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,S,S), mask (B,T) -> (B,1280); zeros where no frame has a face."""
        seen, any_seen = _seen(x, mask)
        cells = over_time(self.time_attention, _cells(self.backbone, x), seen)
        first = seen.int().argmax(dim=1)
        frame = cells[torch.arange(len(x), device=x.device), first]
        return self.norm(within_frames(self.space_attention, frame[:, None])[:, 0, 0]) * any_seen

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.features(x, mask))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")


def over_time(attention: nn.MultiheadAttention, cells: Tensor, seen: Tensor) -> Tensor:
    """Each cell of (B,T,P,d) attends to itself in the frames that are seen (B,T) bool -> (B,T,P,d)."""
    batch, _, n_cells, _ = cells.shape
    x = cells.transpose(1, 2).flatten(0, 1)
    left_out = (~seen).repeat_interleave(n_cells, dim=0)
    x, _ = attention(x, x, x, key_padding_mask=left_out, need_weights=False)
    return x.unflatten(0, (batch, n_cells)).transpose(1, 2)


def within_frames(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Tokens (B,T,N,d) attend to those of their own frame -> (B,T,N,d)."""
    x = tokens.flatten(0, 1)
    x, _ = attention(x, x, x, need_weights=False)
    return x.unflatten(0, tokens.shape[:2])


def _cells(backbone: nn.Module, x: Tensor) -> Tensor:
    """x (B,T,3,S,S) -> the cells of its feature maps, row by row (B,T,P,C)."""
    maps = backbone(x.flatten(0, 1))  # not pooled
    return maps.flatten(2).transpose(1, 2).unflatten(0, x.shape[:2])


def _seen(x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Frames to attend to (B,T) and rows that have any (B,1); attention over none is not a number, so those see all."""
    if mask is None:
        mask = x.new_ones(x.shape[:2], dtype=torch.bool)
    any_seen = mask.any(dim=1, keepdim=True)
    return mask | ~any_seen, any_seen
