"""EfficientNet-B0 on a face, then a small transformer over the 7 x 7 cells of its map.

`effnet_vit_base` and `effnet_vit_robust` are one network: the first is trained on clean faces, the second on attacked
ones, too (training/train_robust.py). timm's `efficientvit_*` is another network.

Source: the idea is of Coccomini et al., "Combining EfficientNet and Vision Transformers for Video Deepfake Detection", ICIAP
2022 (arXiv 2107.02612), whose own network makes one token of the whole map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.nets.base import Detector, timm_backbone

DROPOUT = 0.1


class EffNetVit(Detector):
    """x (B,3,S,S), normalised -> logits (B,2).

    Positions are learned for the cells of one input size, 224 px; for another one they are interpolated.

    Args:
        depth: layers of the transformer.
        small: a tiny backbone and narrow layers with positions for 64 px, for tests and toys.
        pretrained: fetch ImageNet weights of the backbone.
        freeze_bn: see `Detector`.
    """

    def __init__(
        self, *, depth: int = 4, small: bool = False, pretrained: bool = False, freeze_bn: bool = False
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        name = "test_efficientnet" if small else "efficientnet_b0"
        width, hidden, self.side = (64, 32, 2) if small else (256, 128, 7)
        net: Any = timm_backbone(name, pretrained=pretrained, global_pool="")
        self.backbone = net
        self.project = nn.Linear(net.num_features, width)
        self.class_token = nn.Parameter(torch.empty(width))
        self.positions = nn.Parameter(torch.empty(1 + self.side**2, width))
        for parameter in (self.class_token, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)
        self.layers = nn.ModuleList(_layer(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(hidden, 2)
        )

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,S,S) -> the class token after the transformer (B,256)."""
        maps = self.backbone(x)  # not pooled
        cells = self.project(maps.flatten(2).transpose(1, 2))
        one = self.class_token.expand(len(x), 1, -1)
        tokens = torch.cat([one, cells], dim=1) + self.positions_of(*maps.shape[-2:])
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens[:, 0])

    def positions_of(self, rows: int, columns: int) -> Tensor:
        """Positions of the class token and of the cells of a map, row by row (1 + rows * columns, d)."""
        if (rows, columns) == (self.side, self.side):
            return self.positions
        table = self.positions[1:].T.unflatten(1, (self.side, self.side))
        table = F.interpolate(table[None], (rows, columns), mode="bilinear", align_corners=False)
        return torch.cat([self.positions[:1], table[0].flatten(1).T])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")


def _layer(width: int) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        width, 4, 4 * width, DROPOUT, activation="gelu", batch_first=True, norm_first=True
    )
