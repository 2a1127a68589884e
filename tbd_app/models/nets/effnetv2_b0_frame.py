"""EfficientNetV2-B0 on single face crops of 224 px; the scores of a track's frames are averaged.

Source: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", ICML 2021 (arXiv 2104.00298).
"""

from __future__ import annotations

from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, timm_backbone


class EffNetV2B0Frame(Detector):
    """x (B,3,224,224), normalised -> logits (B,2)."""

    def __init__(self, *, pretrained: bool = False, dropout: float = 0.2, freeze_bn: bool = False) -> None:
        super().__init__(freeze_bn=freeze_bn)
        self.backbone = timm_backbone("tf_efficientnetv2_b0", pretrained=pretrained)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1280, 2)

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,224,224) -> pooled features (B,1280)."""
        return self.backbone(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")
