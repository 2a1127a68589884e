"""Swin-T on every frame at 224 px, features averaged over time.

Source: Liu et al., "Swin Transformer", ICCV 2021 (arXiv 2103.14030); the course report "Truth Behind
DeepFakes", phase 2 ("sequence averaging").
"""

from __future__ import annotations

from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, clip_features, masked_mean, timm_backbone


class SwinTinyMean(Detector):
    """x (B,T,3,224,224), mask (B,T) bool or None -> logits (B,2)."""

    frame_by_frame = True

    def __init__(self, *, pretrained: bool = False, freeze_bn: bool = False) -> None:
        super().__init__(freeze_bn=freeze_bn)
        self.backbone = timm_backbone("swin_tiny_patch4_window7_224", pretrained=pretrained)
        self.dropout = nn.Dropout(0.4)
        self.head = nn.Linear(768, 2)

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,224,224), mask (B,T) -> clip features (B,768)."""
        return masked_mean(clip_features(self.backbone, x), mask)

    def frame_features(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def from_features(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.dropout(masked_mean(features, mask)))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.dropout(self.features(x, mask)))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("norm")

    def cam_tokens(self, activation: Tensor) -> Tensor:
        # timm's Swin keeps channels last.
        return activation.permute(0, 3, 1, 2)
