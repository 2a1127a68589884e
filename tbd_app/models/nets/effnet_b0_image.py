"""EfficientNet-B0 on one aligned face of 128 px: whole faces made by StyleGAN against photographs.

Trained on FFHQ-style pictures that show hair, chin and background, so its crops are wide (margin 1.8).

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for CNNs", ICML 2019 (arXiv 1905.11946); the
course report "Truth Behind DeepFakes", phase 1.
"""

from __future__ import annotations

from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, timm_backbone


class EffNetB0Image(Detector):
    """x (B,3,128,128), normalised -> logits (B,2)."""

    def __init__(self, *, pretrained: bool = False, freeze_bn: bool = False) -> None:
        super().__init__(freeze_bn=freeze_bn)
        self.backbone = timm_backbone("efficientnet_b0", pretrained=pretrained)
        self.head = nn.Linear(1280, 2)

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,128,128) -> pooled features (B,1280)."""
        return self.backbone(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")
