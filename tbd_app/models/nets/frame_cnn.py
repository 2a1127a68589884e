"""The plain CNNs of most benchmark tables, on single face crops: Xception and EfficientNet-B4, and any network of timm.

Source: Chollet, "Xception", CVPR 2017 (arXiv 1610.02357); Tan and Le, "EfficientNet", ICML 2019 (arXiv 1905.11946);
their protocol in Yan et al., "DeepfakeBench", NeurIPS 2023 (arXiv 2307.01426).
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, timm_backbone


class FrameCnn(Detector):
    """x (B,3,S,S), normalised -> logits (B,2).

    Args:
        backbone: timm's model name.
        cam_layer: path of its last layer with a spatial layout; by default the last stage that timm names.
        pretrained: fetch its ImageNet weights.
        dropout: before the head.
        freeze_bn: see `Detector`.
    """

    def __init__(
        self,
        *,
        backbone: str,
        cam_layer: str = "",
        pretrained: bool = False,
        dropout: float = 0.2,
        freeze_bn: bool = False,
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        net: Any = timm_backbone(backbone, pretrained=pretrained)
        self.backbone = net
        self._cam_layer = cam_layer
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(net.head_hidden_size, 2)

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,S,S) -> pooled features (B,C)."""
        return self.backbone(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))

    def cam_layer(self) -> nn.Module:
        if self._cam_layer:
            return self.backbone.get_submodule(self._cam_layer)
        stages: Any = self.backbone.feature_info
        return self.backbone.get_submodule(stages[-1]["module"])


class Xception(FrameCnn):
    """2048 features."""

    def __init__(self, **options: Any) -> None:
        super().__init__(backbone="legacy_xception", cam_layer="act4", **options)


class EffNetB4(FrameCnn):
    """1792 features."""

    def __init__(self, **options: Any) -> None:
        super().__init__(backbone="efficientnet_b4", cam_layer="bn2", **options)


class TimmFrame(FrameCnn):
    """Any timm network, registered as `timm:NAME` by its file; its layers may hold tokens or have the channels last.

    Args:
        network: timm's model name.
        options: see `FrameCnn`.
    """

    def __init__(self, network: str, **options: Any) -> None:
        super().__init__(backbone=network, **options)

    def cam_tokens(self, activation: Tensor) -> Tensor:
        if activation.ndim == 3:  # tokens of patches
            cells = activation[:, getattr(self.backbone, "num_prefix_tokens", 0) :]
            side = math.isqrt(cells.shape[1])
            return cells.transpose(1, 2).unflatten(2, (side, side))
        stages: Any = self.backbone.feature_info
        width = stages[-1]["num_chs"]
        return activation if activation.shape[1] == width else activation.permute(0, 3, 1, 2)
