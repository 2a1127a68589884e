"""A frozen CLIP whose LayerNorms are tuned, and a small head on the unit-length feature of one face crop.

Source: Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks" (GenD), WACV 2026 (arXiv
2508.06248); the reference report's "CLIP LayerNorm tuning" with one and with two layers in the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.backbones import CLIP_B16_INT8, CLIP_L14
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.types import Backbone


class ClipLayerNorm(ClipDetector):
    """x (B,3,224,224), normalised by CLIP's mean and deviation -> logits (B,2).

    Args:
        backbone: which tower.
        head_layers: 1 (linear) or 2 (512 hidden).
        norms_from: the first block whose norms are tuned; 0 tunes all, that before the first block included.
        pretrained: fetch the public weights of the tower.
        small: see `build_tower`.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        head_layers: int,
        norms_from: int = 0,
        pretrained: bool = False,
        small: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=backbone, pretrained=pretrained, small=small)
        if head_layers not in (1, 2):
            raise ValueError(f"the head has 1 or 2 layers, not {head_layers}")
        below = {m for block in self.blocks[:norms_from] for m in block.modules()}
        below |= {self.backbone.ln_pre} if norms_from else set()
        for module in self.backbone.modules():
            if isinstance(module, nn.LayerNorm) and module not in below:
                module.requires_grad_(True)
        linear = nn.Linear(self.width, 2)
        two = (nn.Linear(self.width, 512), nn.ReLU(), nn.Linear(512, 2))
        self.head = linear if head_layers == 1 else nn.Sequential(*two)
        self._settle()

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,224,224) -> unit-length features (B,d): the class token behind the last norm."""
        return F.normalize(self.backbone(x.to(self.held)).float(), dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class ClipB16Ln1(ClipLayerNorm):
    """ViT-B/16, one linear layer."""

    def __init__(self, *, public: Backbone = CLIP_B16_INT8, **options: Any) -> None:
        super().__init__(backbone=public, head_layers=1, **options)


class ClipB16Ln2(ClipLayerNorm):
    """ViT-B/16, two layers."""

    def __init__(self, *, public: Backbone = CLIP_B16_INT8, **options: Any) -> None:
        super().__init__(backbone=public, head_layers=2, **options)


class ClipL14Ln1(ClipLayerNorm):
    """ViT-L/14, one linear layer."""

    def __init__(self, *, public: Backbone = CLIP_L14, **options: Any) -> None:
        super().__init__(backbone=public, head_layers=1, **options)


class ClipL14Ln2(ClipLayerNorm):
    """ViT-L/14, two layers."""

    def __init__(self, *, public: Backbone = CLIP_L14, **options: Any) -> None:
        super().__init__(backbone=public, head_layers=2, **options)
