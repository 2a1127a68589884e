"""M2TR variant 1a: Swin-T on the face crop, a small CNN on its spectrum, and a fusion of both.

Source: the reference report's first variant; Wang et al., "M2TR", ICMR 2022 (arXiv 2104.09770); Liu et al., "Swin
Transformer", ICCV 2021 (arXiv 2103.14030).
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from tbd_app.models.nets.base import Detector, timm_backbone
from tbd_app.models.nets.m2tr import Freeze
from tbd_app.models.specs import SPECS

_SMALL = {"img_size": 64, "window_size": 4, "embed_dim": 24, "depths": (1, 1, 1, 1)}


class SpectrumCnn(nn.Module):
    """rgb (B,3,S,S) in [0,1] -> (B,256): four strided convolutions on the logarithm of the amplitudes."""

    def __init__(self) -> None:
        super().__init__()
        widths = itertools.pairwise((3, 32, 64, 128, 256))
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(i, o, 3, stride=2, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True)
                )
                for i, o in widths
            )
        )

    def forward(self, rgb: Tensor) -> Tensor:
        # In float32 even under autocast: half precision has no transform for most sizes.
        spectrum = torch.fft.fft2(rgb.float())
        amplitude = torch.fft.fftshift(spectrum, dim=(-2, -1)).abs().log1p()
        mean = amplitude.mean(dim=(1, 2, 3), keepdim=True)
        std = amplitude.std(dim=(1, 2, 3), keepdim=True)
        return self.layers((amplitude - mean) / (std + 1e-6)).mean(dim=(2, 3))


class M2trSwin(Detector):
    """x (B,3,224,224), normalised by the mean and deviation of its spec -> logits (B,2).

    Args:
        freeze: "paper10m" trains the last blocks of the last two stages, the final norm and all that is not Swin-T.
        small: a few narrow blocks at 64 px, for tests and toys.
        pretrained: fetch ImageNet weights of the backbone.
        freeze_bn: see `Detector`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        freeze: Freeze = "none",
        small: bool = False,
        pretrained: bool = False,
        freeze_bn: bool = False,
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        shape = _SMALL if small else {}
        net: Any = timm_backbone("swin_tiny_patch4_window7_224", pretrained=pretrained, **shape)
        self.backbone = net
        self.input_size = 64 if small else 224
        spec = SPECS["m2tr_swin"]
        self.register_buffer("mean", torch.tensor(spec.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(3, 1, 1), persistent=False)
        self.spectrum = SpectrumCnn()
        self.n_features: int = net.num_features + 256
        self.neck = nn.Sequential(nn.Linear(self.n_features, 512), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.head = nn.Linear(512, 2)
        if freeze == "paper10m":
            net.requires_grad_(False)
            for part in (net.layers[2].blocks[-1], net.layers[3].blocks[-1], net.norm):
                part.requires_grad_(True)

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,224,224) -> pooled features of picture and spectrum (B,768+256)."""
        self.must_fit(x)
        # Normalisation moves the zero frequency; the spectrum is that of the picture itself.
        return torch.cat([self.backbone(x), self.spectrum(x * self.std + self.mean)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.neck(self.features(x)))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("norm")

    def cam_tokens(self, activation: Tensor) -> Tensor:
        # timm's Swin keeps channels last.
        return activation.permute(0, 3, 1, 2)
