"""M2TR: patches of several sizes and the spectrum of a feature map, fused inside an EfficientNet-B4, on single face crops.

Source: Wang et al., "M2TR: Multi-modal Multi-scale Transformers for Deepfake Detection", ICMR 2022 (arXiv
2104.09770); the reference report's variants 1b and 1c. The mask decoder is left out, as in the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.nets.base import Detector, timm_backbone

_TINY = "test_efficientnet"  # timm's own, of five blocks

Freeze = Literal["none", "paper10m"]


class PatchAttention(nn.Module):
    """x (B,C,S,S) -> the same: as many attentions as patch sizes, each over its own share of the channels.

    Args:
        channels: C.
        side: S.
        patch_sizes: sides of the patches; a patch with all its channels is one token.

    Raises:
        ValueError: a patch size does not divide the side, or the channels cannot be shared out.
    """

    def __init__(self, channels: int, side: int, patch_sizes: Sequence[int]) -> None:
        super().__init__()
        for size in patch_sizes:
            if side % size:
                raise ValueError(f"patches of {size} do not divide a map of {side}")
        if channels % len(patch_sizes):
            raise ValueError(f"{channels} channels cannot be shared out among {len(patch_sizes)} patch sizes")
        self.patch_sizes = tuple(patch_sizes)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), *_norm_act(channels))

    def forward(self, x: Tensor) -> Tensor:
        shares = [t.chunk(len(self.patch_sizes), dim=1) for t in self.qkv(x).chunk(3, dim=1)]
        chunks = zip(self.patch_sizes, *shares, strict=True)
        attended = [self._attend(q, k, v, size) for size, q, k, v in chunks]
        return self.out(torch.cat(attended, dim=1))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
        q, k, v = (to_tokens(t, size) for t in (q, k, v))
        return from_tokens(F.scaled_dot_product_attention(q, k, v), size)


class SpectralFilter(nn.Module):
    """x (B,C,S,S) -> the same: every frequency of every channel times a learned complex number.

    In float32 even under autocast: in half precision CUDA only knows transforms of sizes that are powers of two.
    The weight is bound to S.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(side, side // 2 + 1, channels, 2) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        # A network in channels_last has laid out the weight as if it were a picture.
        weight = torch.view_as_complex(self.weight.contiguous()).permute(2, 0, 1)
        spectrum = torch.fft.rfft2(x.float(), norm="ortho") * weight
        return torch.fft.irfft2(spectrum, s=x.shape[-2:], norm="ortho").to(x.dtype)


class CrossModality(nn.Module):
    """rgb, freq (B,C,S,S) -> rgb with what it asked for among all places of freq."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv = nn.Conv2d(channels, 2 * channels, 1)
        self.out = nn.Sequential(nn.Conv2d(channels, channels, 1), *_norm_act(channels))

    def forward(self, rgb: Tensor, freq: Tensor) -> Tensor:
        # With a dimension for its one head torch takes the fused kernel: the matrix of all pairs, 41 million values at
        # 320 px, is never stored.
        q, k, v = (to_tokens(t, 1)[:, None] for t in (self.q(rgb), *self.kv(freq).chunk(2, dim=1)))
        return rgb + self.out(from_tokens(F.scaled_dot_product_attention(q, k, v)[:, 0], 1))


class M2trLayer(nn.Module):
    """One layer on a map (B,C,S,S): patch attention, spectral filter, fusion."""

    def __init__(self, channels: int, side: int, patch_sizes: Sequence[int]) -> None:
        super().__init__()
        self.attention = PatchAttention(channels, side, patch_sizes)
        self.feed_forward = _feed_forward(channels)
        self.filter = SpectralFilter(channels, side)
        self.freq_feed_forward = _feed_forward(channels)
        self.fusion = CrossModality(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        x = x + self.feed_forward(x)
        freq = x + self.freq_feed_forward(self.filter(x))
        return self.fusion(x, freq)


class M2TR(Detector):
    """x (B,3,S,S), normalised -> logits (B,2). The weights are bound to S.

    Args:
        backbone: timm's name of an EfficientNet.
        stages: how many of its stages come before the layers.
        patch_sizes: on the map that those stages give.
        input_size: S, px.
        depth: layers.
        freeze: "paper10m" trains the last layers of EfficientNet-B4 and all that is not backbone.
        pretrained: fetch ImageNet weights of the backbone.
        freeze_bn: see `Detector`.
    """

    def __init__(
        self,
        *,
        backbone: str,
        stages: int,
        patch_sizes: Sequence[int],
        input_size: int,
        depth: int = 4,
        freeze: Freeze = "none",
        pretrained: bool = False,
        freeze_bn: bool = False,
    ) -> None:
        super().__init__(freeze_bn=freeze_bn)
        net: Any = timm_backbone(backbone, pretrained=pretrained)
        self.backbone, self.stages, self.input_size = net, stages, input_size
        at = next(info for info in net.feature_info if info["module"] == f"blocks.{stages - 1}")
        side = input_size // at["reduction"]
        self.layers = nn.ModuleList(M2trLayer(at["num_chs"], side, patch_sizes) for _ in range(depth))
        self.n_features: int = net.num_features
        self.neck = nn.Dropout(0.5)
        self.head = nn.Linear(self.n_features, 2)
        if freeze == "paper10m":
            if backbone != "efficientnet_b4":
                raise ValueError(
                    "freeze='paper10m' counts the layers of EfficientNet-B4; a small one has others."
                )
            for part in (net.conv_stem, net.bn1, *net.blocks[:5], *net.blocks[5][:5]):
                part.requires_grad_(False)

    def features(self, x: Tensor) -> Tensor:
        """x (B,3,S,S) -> pooled features (B,1792)."""
        self.must_fit(x)
        net: Any = self.backbone
        x = net.blocks[: self.stages](net.bn1(net.conv_stem(x)))
        for layer in self.layers:
            x = layer(x)
        x = net.blocks[self.stages :](x)
        return net.global_pool(net.bn2(net.conv_head(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.neck(self.features(x)))

    def cam_layer(self) -> nn.Module:
        return self.backbone.get_submodule("bn2")


class M2trB4(M2TR):
    """Variants 1b and 1c: four layers on the 28 x 28 map of 56 channels, at 224 px.

    Args:
        small: a tiny backbone and two layers at 64 px, for tests and toys.
        options: see `M2TR`.
    """

    def __init__(self, *, small: bool = False, **options: Any) -> None:
        if small:
            shape: dict[str, Any] = {
                "backbone": _TINY,
                "patch_sizes": (1, 2, 4, 8),
                "input_size": 64,
                "depth": 2,
            }
        else:
            shape = {"backbone": "efficientnet_b4", "patch_sizes": (1, 2, 4, 7), "input_size": 224}
        super().__init__(stages=3, **(shape | options))


class M2trOfficial(M2TR):
    """The authors' layout: four layers on the map of 32 channels, a quarter of the picture's size.

    Args:
        small: a tiny backbone and two layers at 64 px, for tests and toys.
        input_size: px; 320 if not given.
        options: see `M2TR`.
    """

    def __init__(self, *, small: bool = False, input_size: int | None = None, **options: Any) -> None:
        input_size = input_size or (64 if small else 320)
        side = input_size // 4
        shape: dict[str, Any] = {"backbone": _TINY, "depth": 2} if small else {"backbone": "efficientnet_b4"}
        patch_sizes = (side, side // 2, side // 4, side // 8)
        super().__init__(stages=2, patch_sizes=patch_sizes, input_size=input_size, **(shape | options))


def to_tokens(x: Tensor, size: int) -> Tensor:
    """x (B,C,S,S) -> (B,tokens,C*size*size), patches row by row."""
    return F.pixel_unshuffle(x, size).flatten(2).transpose(1, 2)


def from_tokens(tokens: Tensor, size: int) -> Tensor:
    """The square map (B,C,S,S) that `to_tokens` took apart."""
    rows = math.isqrt(tokens.shape[1])
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, rows)), size)


def _norm_act(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)


def _feed_forward(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=2, dilation=2),
        *_norm_act(channels),
        nn.Conv2d(channels, channels, 3, padding=1),
        *_norm_act(channels),
    )
