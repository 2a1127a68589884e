"""A CNN on every frame, an LSTM over time: EfficientNet-B0 or ResNeXt-50 with LSTM(256), at 224 px.

Source: the course report "Truth Behind DeepFakes", phase 2, whose parameter counts (5.583 M and 25.342 M) fix
one unidirectional layer of 256 with LayerNorm on its outputs; Hochreiter and Schmidhuber, "Long Short-Term
Memory", Neural Computation 1997.
"""

from __future__ import annotations

from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, clip_features, masked_mean, timm_backbone


class CnnLstm(Detector):
    """x (B,T,3,224,224), mask (B,T) bool or None -> logits (B,2).

    The mask leaves frames without a face out of the mean over time. The LSTM reads every frame: where a face
    is missing, the caller repeats the last one.

    Args:
        backbone: timm's model name.
        n_features: width of its pooled features.
        cam_layer: path of its last layer with a spatial layout.
    """

    frame_by_frame = True

    def __init__(
        self,
        *,
        backbone: str,
        n_features: int,
        cam_layer: str,
        pretrained: bool = False,
        freeze_bn: bool = False,
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        self.backbone = timm_backbone(backbone, pretrained=pretrained)
        self._cam_layer = cam_layer
        self.lstm = nn.LSTM(n_features, 256, batch_first=True)
        self.norm = nn.LayerNorm(256)
        self.activation = nn.LeakyReLU(0.01)
        self.dropout = nn.Dropout(0.4)
        self.head = nn.Linear(256, 2)

    def features(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,224,224), mask (B,T) -> clip features (B,256)."""
        return self._over_time(clip_features(self.backbone, x), mask)

    def _over_time(self, features: Tensor, mask: Tensor | None) -> Tensor:
        over_time, _ = self.lstm(features)
        return masked_mean(self.activation(self.norm(over_time)), mask)

    def frame_features(self, x: Tensor) -> Tensor:
        return self.backbone(x)

    def from_features(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.dropout(self._over_time(features, mask)))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.dropout(self.features(x, mask)))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule(self._cam_layer)


class EffNetB0Lstm(CnnLstm):
    """EfficientNet-B0 frames (1280 features)."""

    def __init__(self, *, pretrained: bool = False, freeze_bn: bool = False) -> None:
        super().__init__(
            backbone="efficientnet_b0",
            n_features=1280,
            cam_layer="bn2",
            pretrained=pretrained,
            freeze_bn=freeze_bn,
        )


class ResNeXt50Lstm(CnnLstm):
    """ResNeXt-50 32x4d frames (2048 features)."""

    def __init__(self, *, pretrained: bool = False, freeze_bn: bool = False) -> None:
        super().__init__(
            backbone="resnext50_32x4d",
            n_features=2048,
            cam_layer="layer4",
            pretrained=pretrained,
            freeze_bn=freeze_bn,
        )
