"""Batches by number: batch k is the same whatever the workers and wherever a run was resumed.

A training data set is an endless row of numbered items, item i a function of the seed and i alone (as `PairDataset`).
`Shuffled` and `Balanced` make one of a finite set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
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
    return DataLoader(
        dataset,
        batch_sampler=numbers,  # pyright: ignore[reportArgumentType]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        # A forked worker inherits the locks of OpenCV's and OpenMP's threads and may hang.
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
        # Its own: starting a loader must draw nothing from the generator that training uses.
        generator=torch.Generator(),
    )


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)


def steps_per_epoch(n: int, batch: int, accumulate: int = 1) -> int:
    """Optimiser steps in which `n` examples are seen once, at least 1."""
    return max(n // (batch * accumulate * PartialState().num_processes), 1)
