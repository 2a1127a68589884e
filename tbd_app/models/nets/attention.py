"""What a model's own attention looks at: one run with hooks, from which the shares of the face's places are worked out.

Three readings, each of what the model's answer is read from:

- a class token (CLIP with tuned norms, EfficientNet with a transformer on its cells) by rollout through all layers;
- a class token that reads all frames (CLIP-STAN's branch, TimeSformer) by rollout in space and time;
- queries (DFD-FCG), by their own softmax over the patches, averaged over the layers, as the model sums them.

Attention says where numbers came from, not what was made of them. Networks whose attention is that of a frozen public network
alone (the kernel on CLIP), or has no token to start from (M2TR, Swin), have none to show.

Source: Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020 (arXiv 2005.00928), for the rollout; the one
over time follows the divided attention of a block by the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.nets.base import Detector
from tbd_app.models.nets.clip_ln import ClipLayerNorm
from tbd_app.models.nets.clip_stan import ClipStan
from tbd_app.models.nets.dfd_fcg import PARTS, DfdFcg, SpatialDecoder, even_rows
from tbd_app.models.nets.effnet_timesformer import EffNetB0TimeSformer, EffNetB0TimeSformerLegacy
from tbd_app.models.nets.effnet_vit import EffNetVit
from tbd_app.types import FacePart, MapKind


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention of N frames.

    Attributes:
        kind: how it was read.
        maps: (N,Q,h,w) float32, row by row of the face, one map for each query; each sums to one, or is zero for a frame that
            the model left out.
        parts: (Q,) of the face, one for each query; None where there is only the class token.
        over_time: (N,) float32 shares of the frames of one clip, of sum one; None where attention keeps to its frame.
    """

    kind: MapKind
    maps: Tensor
    parts: tuple[FacePart | None, ...] = (None,)
    over_time: Tensor | None = None


def kind_of(model: Detector) -> MapKind | None:
    """How a model's own attention is read, None where it has none to show."""
    return next((kind for made, _, kind in _READINGS if isinstance(model, made)), None)


def own(model: Detector, x: Tensor) -> Attention | None:
    """A model's own attention, None where it has none to show.

    Args:
        model: its mode is left as it was. Hooks hang on it meanwhile: no other thread may run it.
        x: normalised, (N,3,S,S) for a frame model; (1,T,3,S,S), all frames of one clip, for a clip model.

    Raises:
        ValueError: several clips at once.
    """
    read = next((read for made, read, _ in _READINGS if isinstance(model, made)), None)
    if read is None:
        return None
    if x.ndim == 5 and len(x) != 1:
        raise ValueError(f"attention is read of one clip at a time, not of {len(x)}")
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return read(model, x)
    finally:
        model.train(training)


def weights(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """What each token takes of each: tokens (N,L,d) -> (N,L,L) float32, rows of sum one, mean over the heads."""
    d = x.shape[-1]
    weight = cast(Tensor, attention.in_proj_weight)[: 2 * d].float()
    bias = cast(Tensor, attention.in_proj_bias)[: 2 * d].float()
    qk = F.linear(x.float(), weight, bias)
    q, k = qk.unflatten(-1, (2, attention.num_heads, -1)).transpose(1, 3).unbind(dim=2)  # each (N,h,L,c)
    return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(dim=-1).mean(dim=1)


def rollout(layers: Sequence[Tensor]) -> Tensor:
    """How much of each token is in the first one after all layers, each of which keeps half of what a token was.

    Args:
        layers: (N,L,L) of each layer, the lowest first, rows of sum one.

    Returns:
        (N,L), rows of sum one.
    """
    row = torch.zeros_like(layers[0][:, 0])
    row[:, 0] = 1
    for layer in reversed(layers):
        row = (row + torch.einsum("nl,nlm->nm", row, layer)) / 2
    return row


def rollout_in_time(space: Sequence[Tensor], time: Sequence[Tensor]) -> Tensor:
    """How much of each place of each frame is in a clip's class token after blocks of divided attention.

    In a block each place reads itself over time; then the class token, copied to every frame and averaged after, and the
    places read their own frame.

    Args:
        space: (T,1+P,1+P) of each block, the lowest first, the class token in front.
        time: (P,T,T) of each block.

    Returns:
        (T,P); its sum is one less what stayed with the class token.
    """
    length, n_tokens = space[0].shape[:2]
    one, places = space[0].new_ones(()), space[0].new_zeros(length, n_tokens - 1)
    for within, along in zip(reversed(space), reversed(time), strict=True):
        from_one = one / length * within[:, 0, 1:]
        from_places = torch.einsum("tp,tpq->tq", places, within[:, 1:, 1:])
        kept = one * within[:, 0, 0].mean() + (places * within[:, 1:, 0]).sum()
        one, places = (one + kept) / 2, (places + from_one + from_places) / 2
        places = (places + torch.einsum("tp,ptu->up", places, along)) / 2
    return places


def _of_class_token(model: Any, x: Tensor) -> Attention:
    """CLIP with tuned norms, or the transformer on EfficientNet's cells."""
    tower = isinstance(model, ClipLayerNorm)
    layers = model.blocks if tower else [layer.self_attn for layer in model.layers]
    with _weighed(layers) as found:
        model(x)
    return Attention("rollout", _as_maps(rollout(found)[:, None, 1:]))


def _of_stan(model: ClipStan, x: Tensor) -> Attention:
    """STAN's branch: what it adds to CLIP."""
    time = [cast(nn.Module, layer.attn) for layer in model.temporal]
    with _weighed(model.spatial) as space, _weighed(time) as along:
        model(x)
    return _in_time(rollout_in_time(space, along))


def _of_timesformer(model: EffNetB0TimeSformer, x: Tensor) -> Attention:
    space = [cast(nn.Module, block.space_attention) for block in model.blocks]
    time = [cast(nn.Module, block.time_attention) for block in model.blocks]
    with _weighed(space) as within, _weighed(time) as along:
        model(x)
    return _in_time(rollout_in_time(within, along))


def _of_legacy(model: EffNetB0TimeSformerLegacy, x: Tensor) -> Attention:
    """The first cell of the first frame reads that frame, whose cells read themselves over time; nothing is kept besides."""
    with _weighed([model.space_attention]) as within, _weighed([model.time_attention]) as along:
        model(x)
    return _in_time((within[0][0, 0, :, None] * along[0][:, 0]).T)  # (P,1) * (P,T)


def _of_queries(model: DfdFcg, x: Tensor) -> Attention:
    """Each part's query over the patches of the frames that the model chose of a clip."""
    found: list[Tensor] = []

    def read(decoder: nn.Module, keys_and_values: tuple[Tensor, ...]) -> None:
        found.append(cast(SpatialDecoder, decoder).attention(keys_and_values[0])[0])

    with _hooked([decoder.register_forward_pre_hook(read) for decoder in model.spatial]):
        model(x)
    of_chosen = torch.stack(found).mean(dim=0)  # (n_frames,Q,P)
    seen = torch.ones(1, x.shape[1], dtype=torch.bool, device=x.device)
    chosen = even_rows(seen, model.n_frames)[0]
    maps = of_chosen.new_zeros(x.shape[1], *of_chosen.shape[1:]).index_add_(0, chosen, of_chosen)
    return Attention("queries", _as_maps(maps), cast(tuple[FacePart, ...], PARTS))


_READINGS: tuple[tuple[type[Detector], Callable[[Any, Tensor], Attention], MapKind], ...] = (
    (ClipLayerNorm, _of_class_token, "rollout"),
    (EffNetVit, _of_class_token, "rollout"),
    (ClipStan, _of_stan, "rollout"),
    (EffNetB0TimeSformer, _of_timesformer, "rollout"),
    (EffNetB0TimeSformerLegacy, _of_legacy, "rollout"),
    (DfdFcg, _of_queries, "queries"),
)


def _in_time(places: Tensor) -> Attention:
    """Shares (T,P) of a clip's places as maps of its frames and shares of these."""
    over_time = places.sum(dim=1)
    return Attention("rollout", _as_maps(places[:, None]), over_time=over_time / over_time.sum())


def _as_maps(shares: Tensor) -> Tensor:
    """(N,Q,P) not negative -> (N,Q,h,w), each map of sum one; what is zero everywhere stays so."""
    side = math.isqrt(shares.shape[-1])
    whole = shares.sum(dim=-1, keepdim=True)
    return (shares / torch.where(whole > 0, whole, 1)).unflatten(-1, (side, side))


@contextmanager
def _weighed(layers: Iterable[nn.Module]) -> Iterator[list[Tensor]]:
    """Fills the list with `weights` of these layers, in the order in which a model runs them.

    Args:
        layers: attentions that are called, or blocks of CLIP, whose attention is worked out without a call of it
            (`tower.attend`).
    """
    found: list[Tensor] = []

    def of_block(attention: nn.MultiheadAttention) -> Callable[..., None]:
        return lambda _norm, _before, tokens: found.append(weights(attention, tokens))

    def of_attention(attention: nn.Module, tokens: tuple[Tensor, ...]) -> None:
        found.append(weights(cast(nn.MultiheadAttention, attention), tokens[0]))

    with _hooked(
        [
            layer.ln_1.register_forward_hook(of_block(layer.attn))
            if isinstance(layer, ResidualAttentionBlock)
            else layer.register_forward_pre_hook(of_attention)
            for layer in layers
        ]
    ):
        yield found


@contextmanager
def _hooked(handles: Sequence[Any]) -> Iterator[None]:
    """Takes hooks off again, whatever happens."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
