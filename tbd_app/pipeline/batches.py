"""How many pictures a network is given at once, how they reach its device, and what happens where memory runs out there.

On a CPU `BATCH` at a time. A GPU is asked for as many first, and then for as many as half of its free memory holds, by what
those before took.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

BATCH = 32
MOST = 512
SHARE = 0.5  # of a GPU's free memory: others may use it as well
Pictures = TypeVar("Pictures", Tensor, np.ndarray)
Answers = TypeVar("Answers")

# What is known of a model on a GPU: the most bytes that one of a batch's pictures took, and how many were half of too many.
_BYTES: WeakKeyDictionary[object, float] = WeakKeyDictionary()
_HALVES: WeakKeyDictionary[object, int] = WeakKeyDictionary()


def at_once(model: nn.Module, device: torch.device | str) -> int:
    """How many pictures a model is given at once."""
    if torch.device(device).type == "cpu" or model not in _BYTES:
        return BATCH
    free = torch.cuda.mem_get_info(device)[0]
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(
        device
    )  # PyTorch's to give again
    return max(min(int(free * SHARE / _BYTES[model]), _HALVES.get(model, MOST), MOST), 1)


def on_device(x: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the CPU on a device; a GPU fetches it out of pinned memory while the CPU goes on."""
    if torch.device(device).type == "cpu":
        return x
    return x.pin_memory().to(device, non_blocking=True)


def ask(part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a model, or a method of one, says of a batch, halved where memory runs out; how much a picture takes is kept.

    Args:
        part: of the model.
        x: (B,…,3,S,S), or features (B,T,C).

    Raises:
        torch.OutOfMemoryError: as `halved`.
    """
    model = getattr(part, "__self__", part)

    def weighed(x: Tensor) -> Tensor:
        torch.cuda.reset_peak_memory_stats(x.device)
        before = torch.cuda.memory_allocated(x.device)
        answer = part(x)
        taken = (torch.cuda.max_memory_allocated(x.device) - before) / x.shape[:-3].numel()
        _BYTES[model] = max(_BYTES.get(model, 1.0), taken)
        return answer

    return halved(part if x.device.type == "cpu" else weighed, x, torch.cat, model)


def halved(
    run: Callable[[Pictures], Answers],
    batch: Pictures,
    join: Callable[[list[Answers]], Answers],
    model: object,
) -> Answers:
    """What a model says of a batch (B,…); where memory runs out, of one half, then of the other, once, and the log says so.

    Args:
        run: asks the model.
        batch: for it.
        join: makes one answer of those of the halves.
        model: is given no more than half at once from then on.

    Raises:
        torch.OutOfMemoryError: a half is too much, too, or there is one picture only.
    """
    try:
        return run(batch)
    except torch.OutOfMemoryError:
        if len(batch) < 2:
            raise
    # Behind the handler, which held what the attempt had in memory.
    half = (len(batch) + 1) // 2
    _HALVES[model] = half
    logging.getLogger(__name__).warning(
        "The GPU's memory did not hold %d pictures at once; going on with %d.", len(batch), half
    )
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return join([run(batch[:half]), run(batch[half:])])
