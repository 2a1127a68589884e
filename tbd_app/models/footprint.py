"""Memory of a training step, counted without taking it: the step is rehearsed on tensors that have shapes and no data."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tbd_app.models import registry
from tbd_app.models.recipes import Load, Recipe

CARD = (
    7 * 2**30
)  # of the 8 GiB of a small card; the rest is for CUDA itself and for what fragmentation wastes
_NUMBER = 4  # bytes of a float32


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of one training step in full precision; bfloat16 takes less.

    Attributes:
        weights: parameters and buffers, twice where their average is kept.
        gradients: of what is trained.
        optimiser: its state.
        activations: the most that is alive at once besides: what the backward pass reads, and what passes by.
        batch: pictures or clips.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    batch: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimiser + self.activations

    @property
    def largest_batch(self) -> int:
        """How many pictures or clips a card of 8 GB holds; 0 where not one fits."""
        free = CARD - (self.total - self.activations)
        return max(free * self.batch // self.activations, 0)


def of(name: str, recipe: Recipe, load: Load) -> Footprint:
    """The memory of a step of a model's recipe.

    Args:
        name: a registered model.
        recipe: length of a clip, optimiser.
        load: how much passes at once.
    """
    spec = registry.spec(name)
    with torch.device("meta"):
        model = registry.create_model(name, **recipe.options).train()
        side = spec.input_size
        shape = (load.batch, recipe.clip_len, 3, side, side)
        x = torch.empty(shape if spec.task == "clip" else (load.batch, 3, side, side))
        y = torch.zeros(load.batch, dtype=torch.long)
    if load.checkpointing:
        model.backbone.set_grad_checkpointing(True)  # type: ignore[operator]
    trained = [p for p in model.parameters() if p.requires_grad]
    for parameter in trained:  # as in every step but the first, where they are added to
        parameter.grad = torch.zeros_like(parameter)
    weights = sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
    gradients = sum(p.nbytes for p in trained)
    return Footprint(
        weights=weights * (2 if recipe.averaged else 1),
        gradients=gradients,
        optimiser=gradients * recipe.moments,
        activations=_most_alive(model, x, y),
        batch=load.batch,
    )


def _most_alive(model: nn.Module, x: Tensor, y: Tensor) -> int:
    """Bytes of the input and of all that a step makes on its way, when they are most."""
    known = [
        *model.parameters(),
        *model.buffers(),
        *(p.grad for p in model.parameters() if p.grad is not None),
    ]
    with _Alive(known) as alive, _fused_attention():
        alive.take(x)
        F.cross_entropy(model(x), y).backward()
    return alive.most


class _Alive(TorchDispatchMode):
    """Follows every storage from the operation that makes it until nothing holds it any more."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._seen = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.take(leaf)
        return out

    def take(self, tensor: Tensor) -> None:
        """Counts a tensor's storage, unless it is counted already."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


@contextmanager
def _fused_attention() -> Iterator[None]:
    """Attention that keeps no map of all pairs, as devices compute it; without data torch takes the other kind.

    The function itself is exchanged: layers that are computed again in the backward pass run in another thread, where no
    mode of torch holds.
    """
    with mock.patch.object(F, "scaled_dot_product_attention", _fused):
        yield


def _fused(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, **_: Any,
) -> Tensor:  # fmt: skip
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    if q.ndim == 3:  # one head
        return flash(q[:, None], k[:, None], v[:, None], dropout_p, is_causal)[0][:, 0]
    return flash(q, k, v, dropout_p, is_causal, attn_mask=attn_mask)[0]
