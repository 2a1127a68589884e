"""Batches by number: the same whatever the workers, the start and the processes; nothing drawn from training's generator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.datasets import batches as room
from training.datasets.batches import Balanced, Shuffled, batches, steps_per_epoch


class Numbers(Dataset[Tensor]):
    """Item i is i."""

    def __getitem__(self, number: int) -> Tensor:
        return torch.tensor(number)


class Drawn:
    """Examples (row, a draw)."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def example(self, row: int, rng: np.random.Generator) -> tuple[int, float]:
        return row, float(rng.random())


def listed(*args: Any) -> list[list[int]]:
    return [batch.tolist() for batch in batches(*args)]


def test_a_later_start_gives_what_is_left() -> None:
    assert listed(Numbers(), 3, 0, 4) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert listed(Numbers(), 3, 2, 4) == listed(Numbers(), 3, 0, 4)[2:]
    assert listed(Numbers(), 3, 4, 4) == []


def test_processes_share_each_batch_and_no_item_comes_twice(monkeypatch) -> None:
    parts = []
    for index in range(2):
        world = SimpleNamespace(num_processes=2, process_index=index)
        monkeypatch.setattr(room, "PartialState", lambda world=world: world)
        parts.append(listed(Numbers(), 2, 0, 3))
    assert parts == [[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]
    assert steps_per_epoch(100, 10, accumulate=2) == 2


def test_each_epoch_is_a_new_order_of_all() -> None:
    data = Shuffled(Drawn(7), seed=3)
    epochs = [[data[number][0] for number in range(start, start + 7)] for start in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_an_item_follows_from_its_number_and_the_seed() -> None:
    data = Shuffled(Drawn(7), seed=3)
    whole = [data[number] for number in range(20)]
    assert [data[number] for number in reversed(range(20))] == whole[::-1]
    assert [Shuffled(Drawn(7), seed=4)[number] for number in range(20)] != whole
    assert len({draw for _, draw in whole}) == 20


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(SystemExit, match="nothing to train on"):
        Shuffled(Drawn(0), seed=1)


def test_starting_a_loader_draws_nothing_from_the_generator_of_training() -> None:
    before = torch.get_rng_state()
    listed(Numbers(), 2, 0, 3)
    assert torch.equal(before, torch.get_rng_state())


def test_the_classes_take_turns_and_each_is_seen_whole_before_again() -> None:
    labels = [0, 1, 0, 0, 1]
    items = [Balanced(Drawn(5), labels, seed=1)[k] for k in range(12)]
    rows = [row for row, _ in items]
    assert [labels[row] for row in rows] == [0, 1] * 6
    assert sorted(rows[0:6:2]) == sorted(rows[6:12:2]) == [0, 2, 3]
    assert all(sorted(rows[k : k + 4 : 2]) == [1, 4] for k in (1, 5))
    assert len({draw for _, draw in items}) == 12
    assert items == [Balanced(Drawn(5), labels, seed=1)[k] for k in range(12)]


def test_balance_needs_both_classes() -> None:
    with pytest.raises(SystemExit, match="3 real and 0 fake"):
        Balanced(Drawn(3), [0, 0, 0], seed=1)
