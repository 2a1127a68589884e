"""Batches by number: batch k is the same whatever the workers and wherever a run was resumed.

A training data set is an endless row of numbered items, item i a function of the seed and i alone (as `PairDataset`).
`Shuffled` and `Balanced` make one of a finite set.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from functools import lru_cache
from multiprocessing.context import BaseContext
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from accelerate import PartialState
from torch.utils.data import DataLoader, Dataset


class Examples(Protocol):
    """A finite set whose examples are drawn anew each time: augmentations come from `rng`."""

    def __len__(self) -> int: ...

    def example(self, row: int, rng: np.random.Generator) -> Any:
        """Example of a row as tensors, or a tuple or dict of them."""
        ...


class Shuffled(Dataset[Any]):
    """Item i of an endless row: each epoch is a new order of the examples, which depends on seed and epoch alone."""

    def __init__(self, examples: Examples, seed: int) -> None:
        if not len(examples):
            raise SystemExit("The split holds nothing to train on.")
        self.examples, self.seed = examples, seed

    def __getitem__(self, number: int) -> Any:
        epoch, place = divmod(number, len(self.examples))
        row = _order(self.seed, epoch, len(self.examples))[place]
        return self.examples.example(int(row), np.random.default_rng([self.seed, number, 1]))


class Balanced(Dataset[Any]):
    """Item i of an endless row in which real and fake take turns; each class has epochs of its own, each in a new order.

    Raises:
        SystemExit: a class is absent.
    """

    def __init__(self, examples: Examples, labels: Sequence[int], seed: int) -> None:
        self.examples, self.seed = examples, seed
        self.rows = [np.flatnonzero(np.asarray(labels) == label) for label in (0, 1)]
        n_real, n_fake = map(len, self.rows)
        if not n_real or not n_fake:
            raise SystemExit(
                f"The split holds {n_real} real and {n_fake} fake faces: both classes are needed."
            )

    def __getitem__(self, number: int) -> Any:
        turn, label = divmod(number, 2)
        rows = self.rows[label]
        epoch, place = divmod(turn, len(rows))
        row = rows[_order(self.seed, epoch, len(rows))[place]]
        return self.examples.example(int(row), np.random.default_rng([self.seed, number, 1]))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(n)


def batches(dataset: Dataset[Any], size: int, start: int, stop: int, workers: int = 0) -> DataLoader[Any]:
    """Batches `start` to `stop` (exclusive) of `size` items each; several processes get a part of the items each.

    Args:
        dataset: numbered items.
        size: items a batch and process.
        start: batches that were used before.
        stop: all batches of the run, or of its phase.
        workers: loader processes.
    """
    world = PartialState()
    parts = [k * world.num_processes + world.process_index for k in range(start, stop)]
    numbers = [range(part * size, (part + 1) * size) for part in parts]
    return loader(dataset, workers, batch_sampler=numbers)


def loader(dataset: Dataset[Any], workers: int, **how: Any) -> DataLoader[Any]:
    """A loader of so many processes, none for 0.

    Args:
        dataset: goes to each of them.
        workers: their number.
        how: `batch_sampler` or `batch_size`.
    """
    return DataLoader(
        dataset,
        **how,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context=_start() if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
        # Its own: starting a loader must draw nothing from the generator that training uses.
        generator=torch.Generator(),
    )


def _start() -> BaseContext:
    """How loader processes begin.

    A fork of a training process inherits the locks of OpenCV's and OpenMP's threads and may hang. The fork server has
    imported what the script imported and computed nothing, so its forks share what imports cost: half a gigabyte each.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tbd_app", *sorted(n for n in sys.modules if n.startswith("training."))])
    return context


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)


def steps_per_epoch(n: int, batch: int, accumulate: int = 1) -> int:
    """Optimiser steps in which `n` examples are seen once, at least 1."""
    return max(n // (batch * accumulate * PartialState().num_processes), 1)
