"""DFD-FCG: small decoders read a frozen CLIP behind every layer, along time and at the parts of the face.

Each layer gives a map of how much every patch changes over time and a vector of what four learned queries (lips, skin, eyes,
nose) see; both are summed over the layers and judged by three heads. Only decoders and heads are trained.

Source: Han et al., "Towards More General Video-based Deepfake Detection through Facial Component Guided Adaptation for
Foundation Model" (DFD-FCG), CVPR 2025 (arXiv 2404.05583).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tbd_app.models.backbones import CLIP_B16_INT8, CLIP_B32, CLIP_L14
from tbd_app.models.nets.tower import ClipDetector, attend
from tbd_app.types import Backbone

PARTS = ("lips", "skin", "eyes", "nose")
Layout = Literal["official", "wide"]
_SHARPNESS = 100.0  # of the softmax over cosines
_EPS = 1e-4


class TemporalDecoder(nn.Module):
    """How much each patch changes: its likeness to itself between any two frames, read by two convolutions.

    Args:
        heads: of CLIP.
        n_frames: T.
        layout: "official" reads every head's likeness of queries, keys and values; "wide" their mean, with a
            wider layer between the convolutions.
    """

    def __init__(self, heads: int, n_frames: int, layout: Layout) -> None:
        super().__init__()
        pairs = n_frames * n_frames
        self.averages = layout == "wide"
        self.over_time = nn.Conv2d(1 if self.averages else 3 * heads, 1, 5, padding=2)
        self.norm = nn.Identity() if self.averages else nn.LayerNorm(pairs)
        hidden = pairs if self.averages else n_frames
        self.mlp = nn.Sequential(nn.Linear(pairs, hidden), nn.GELU(), nn.Linear(hidden, pairs))
        self.over_space = nn.Conv2d(1 if self.averages else pairs, 1, 5, padding=2)
        for conv in (self.over_time, self.over_space):
            nn.init.normal_(conv.weight, std=0.001)
            nn.init.zeros_(conv.get_parameter("bias"))

    def forward(self, attributes: tuple[Tensor, Tensor, Tensor], grid: tuple[int, int]) -> Tensor:
        """Queries, keys and values of the patches, each (B,T,P,h,c) -> one value for each patch (B,P)."""
        batch = len(attributes[0])
        maps = torch.cat([self._likeness(a) for a in attributes], dim=2).flatten(0, 1)  # (B*P,3h,T,T)
        if self.averages:
            maps = maps.mean(dim=1, keepdim=True)
        pairs = self.over_time(maps).flatten(1)  # (B*P,T*T)
        pairs = pairs + self.mlp(self.norm(pairs))
        plane = pairs.unflatten(0, (batch, *grid)).permute(0, 3, 1, 2)  # (B,T*T,g,g)
        if self.averages:
            plane = plane.mean(dim=1, keepdim=True)
        return self.over_space(plane).flatten(1)

    @staticmethod
    def _likeness(a: Tensor) -> Tensor:
        """(B,T,P,h,c) -> (B,P,h,T,T), each row a distribution over frames."""
        a = a.permute(0, 2, 3, 1, 4)
        return (a @ a.transpose(-1, -2) / math.sqrt(a.shape[-1])).softmax(dim=-1)


class SpatialDecoder(nn.Module):
    """What each part of the face looks like: patches whose keys resemble its query, averaged over parts and frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(PARTS), width) * width**-0.5)

    def forward(self, keys: Tensor, values: Tensor) -> Tensor:
        """keys and values of the patches, each (B,T,P,d) -> (B,d)."""
        look = self.attention(keys).mean(dim=2)  # over parts
        return torch.einsum("btp,btpd->btd", look, values).mean(dim=1)

    def attention(self, keys: Tensor) -> Tensor:
        """keys (B,T,P,d) -> (B,T,N,P), where each part's query looks."""
        unit_keys = keys / (keys.norm(dim=-1, keepdim=True) + _EPS)
        unit_queries = self.queries / (self.queries.norm(dim=-1, keepdim=True) + _EPS)
        return (_SHARPNESS * unit_queries @ unit_keys.transpose(-1, -2)).softmax(dim=-1)


class Heads(nn.Module):
    """Three linear judges: of the spatial vector, of the temporal map, and of both."""

    def __init__(self, width: int, n_patches: int, layout: Layout) -> None:
        super().__init__()
        official = layout == "official"
        self.norm_spatial = nn.LayerNorm(width) if official else nn.Identity()
        self.norm_temporal = nn.LayerNorm(n_patches) if official else nn.Identity()
        self.spatial = nn.Linear(width, 2)
        self.temporal = nn.Linear(n_patches, 2)
        self.both = nn.Linear(width + n_patches, 2)

    @property
    def judges(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """In the order of their logits."""
        return self.spatial, self.temporal, self.both

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """spatial (B,d), temporal (B,P) -> logits of the three judges (3,B,2)."""
        s, t = self.norm_spatial(spatial), self.norm_temporal(temporal)
        return torch.stack([self.spatial(s), self.temporal(t), self.both(torch.cat([s, t], dim=-1))])


class DfdFcg(ClipDetector):
    """x (B,T,3,224,224), mask (B,T) bool or None -> logits (B,2), the log of the judges' mean probability.

    Any T is brought to `n_frames`, spread evenly over the frames with a face; a short clip repeats frames.

    Args:
        backbone: which tower.
        n_frames: frames that the decoders compare.
        layout: "official" is the published code's; "wide" the one whose count (283,162 on B/32) is that of the
            reference report, found by arithmetic alone.
        pretrained: fetch the public weights of the tower.
        small: see `build_tower`.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        n_frames: int = 10,
        layout: Layout = "official",
        pretrained: bool = False,
        small: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=backbone, pretrained=pretrained, small=small)
        self.n_frames = n_frames
        self.temporal = nn.ModuleList(TemporalDecoder(self.n_heads, n_frames, layout) for _ in self.blocks)
        self.spatial = nn.ModuleList(SpatialDecoder(self.width) for _ in self.blocks)
        self.head = Heads(self.width, math.prod(self.grid), layout)
        self._settle()

    def queries(self) -> Tensor:
        """What the parts look for: (L,N,d)."""
        return torch.stack([decoder.get_parameter("queries") for decoder in self.spatial])

    @torch.no_grad()
    def set_queries(self, prototypes: Tensor) -> None:
        """Start from prototypes (L,N,d) of the parts, in the order of `PARTS`.

        Raises:
            ValueError: another shape: they were made with another tower.
        """
        own = self.queries()
        if prototypes.shape != own.shape:
            raise ValueError(f"prototypes are {tuple(prototypes.shape)}, the queries {tuple(own.shape)}")
        for decoder, prototype in zip(self.spatial, prototypes, strict=True):
            decoder.get_parameter("queries").copy_(prototype)

    def branch_logits(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B,T,3,224,224), mask (B,T) -> logits of the three judges (3,B,2)."""
        batch, length = x.shape[:2]
        seen = mask if mask is not None else x.new_ones(batch, length, dtype=torch.bool)
        rows = even_rows(seen, self.n_frames)
        clip = torch.arange(batch, device=rows.device).unsqueeze(1)

        def patches(tokens: Tensor) -> Tensor:
            """(B*T,1+P,...) -> (B,n_frames,P,...) of the chosen frames, float32 as the decoders are."""
            return tokens.unflatten(0, (batch, length))[clip, rows, 1:].float()

        tokens = self.embed(x.flatten(0, 1))
        spatial, temporal = x.new_zeros(()), x.new_zeros(())
        for block, over_time, at_parts in zip(self.blocks, self.temporal, self.spatial, strict=True):
            tokens, q, k, v = attend(block, tokens)
            q, k, v = patches(q), patches(k), patches(v)
            spatial = spatial + at_parts(k.flatten(-2), patches(tokens))
            temporal = temporal + over_time((q, k, v), self.grid)
        # A clip without a face leaves the heads nothing but their bias.
        face = seen.any(1, keepdim=True)
        return self.head(torch.where(face, spatial, 0), torch.where(face, temporal, 0))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return (self.branch_logits(x, mask).softmax(dim=-1).mean(dim=0) + _EPS).log()


def even_rows(seen: Tensor, n: int) -> Tensor:
    """Which frames a clip is judged by: n of those that are seen, spread evenly, some twice where there are fewer.

    Args:
        seen: (B,T) bool; where a row has none, all its frames count.
        n: how many.

    Returns:
        (B,n) int64 on the device of `seen`, increasing in each row, all in [0,T).
    """
    seen = seen | ~seen.any(1, keepdim=True)
    in_order = (~seen).to(torch.uint8).argsort(dim=1, stable=True)  # the seen ones first
    last = seen.sum(dim=1, keepdim=True) - 1
    ranks = (last * torch.linspace(0, 1, n, device=seen.device)).round().long()
    return in_order.gather(1, ranks)


class DfdFcgB32(DfdFcg):
    """ViT-B/32."""

    def __init__(self, *, public: Backbone = CLIP_B32, **options: Any) -> None:
        super().__init__(backbone=public, **options)


class DfdFcgB16(DfdFcg):
    """ViT-B/16."""

    def __init__(self, *, public: Backbone = CLIP_B16_INT8, **options: Any) -> None:
        super().__init__(backbone=public, **options)


class DfdFcgL14(DfdFcg):
    """ViT-L/14."""

    def __init__(self, *, public: Backbone = CLIP_L14, **options: Any) -> None:
        super().__init__(backbone=public, **options)
