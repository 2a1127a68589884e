"""How many pictures go through a model at once, and that memory which runs out costs one repetition, not the answer."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tbd_app.pipeline import batches, score
from tbd_app.pipeline.crops import for_spec
from tests.pipeline.conftest import CLIP_MODEL, FRAME_MODEL, media_of

GIB = 2**30


class Small(nn.Module):
    """Says the mean of each picture, of at most so many at once."""

    def __init__(self, holds: int) -> None:
        super().__init__()
        self.holds = holds
        self.asked: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(len(x))
        if len(x) > self.holds:
            raise torch.OutOfMemoryError("no memory")
        return x.flatten(1).mean(1, keepdim=True)


@pytest.fixture
def gpu(monkeypatch) -> SimpleNamespace:
    """Stands in for a GPU's memory: what is free, what PyTorch holds and uses, and what a pass took."""
    memory = SimpleNamespace(free=8 * GIB, reserved=0, allocated=0, peak=0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (memory.free, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: memory.reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: memory.allocated)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: memory.peak)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    return memory


def on_gpu(n: int) -> Tensor:
    """Numbers of a batch that lies elsewhere: PyTorch's device without memory."""
    return torch.zeros(n, 3, 4, 4, device="meta")


def test_a_cpu_is_given_the_same_number_whatever_is_known(gpu) -> None:
    model = Small(99)
    assert batches.at_once(model, "cpu") == batches.BATCH
    batches.ask(model, on_gpu(4))
    assert batches.at_once(model, "cpu") == batches.BATCH


def test_a_gpu_is_given_what_half_of_its_free_memory_holds(gpu) -> None:
    model = Small(99)
    assert batches.at_once(model, "cuda") == batches.BATCH
    gpu.peak = 4 * 40 * 2**20  # four pictures took 40 MiB each
    batches.ask(model, on_gpu(4))
    assert batches.at_once(model, "cuda") == int(4 * GIB / (40 * 2**20))
    gpu.reserved, gpu.allocated = 2 * GIB, GIB  # PyTorch holds one that nothing uses
    assert batches.at_once(model, "cuda") == int(4.5 * GIB / (40 * 2**20))
    gpu.free = 800 * GIB
    assert batches.at_once(model, "cuda") == batches.MOST
    gpu.free, gpu.reserved = 0, GIB
    assert batches.at_once(model, "cuda") == 1


def test_a_picture_counts_with_the_most_that_it_took_and_a_frame_of_a_clip_is_one(gpu) -> None:
    model = Small(99)
    gpu.peak = 60 * 2**20
    batches.ask(model, torch.zeros(1, 6, 3, 4, 4, device="meta"))  # 10 MiB each
    gpu.peak = 10 * 2**20
    batches.ask(model, on_gpu(10))
    assert batches.at_once(model, "cuda") == int(4 * GIB / (10 * 2**20))


def test_where_memory_runs_out_the_batch_is_halved_once_and_the_log_says_so(gpu, caplog) -> None:
    model, x = Small(3), torch.randn(5, 3, 4, 4)
    with caplog.at_level(logging.WARNING):
        found = batches.ask(model, x)
    torch.testing.assert_close(found, x.flatten(1).mean(1, keepdim=True))
    assert model.asked == [5, 3, 2]
    assert [r.getMessage() for r in caplog.records] == [
        "The GPU's memory did not hold 5 pictures at once; going on with 3."
    ]
    gpu.peak = 1
    batches.ask(model, on_gpu(2))
    assert batches.at_once(model, "cuda") == 3  # and not more from then on, however much is free


@pytest.mark.parametrize(("holds", "n", "asked"), [(1, 4, [4, 2]), (0, 1, [1])])
def test_it_is_halved_once_only(holds: int, n: int, asked: list[int]) -> None:
    model = Small(holds)
    with pytest.raises(torch.OutOfMemoryError):
        batches.ask(model, torch.zeros(n, 3, 4, 4))
    assert model.asked == asked


def test_a_gpu_fetches_from_pinned_memory_while_the_cpu_goes_on(monkeypatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda x: calls.append("pinned") or x)
    monkeypatch.setattr(
        Tensor, "to", lambda x, device, non_blocking: calls.append((device, non_blocking)) or x
    )
    x = torch.ones(2)
    assert batches.on_device(x, "cpu") is x
    assert calls == []
    batches.on_device(x, "cuda")
    assert calls == ["pinned", ("cuda", True)]


@pytest.mark.parametrize("name", [FRAME_MODEL, CLIP_MODEL])
def test_a_track_has_the_same_logits_after_memory_ran_out(
    name: str, random_weights, weights_dir, monkeypatch
) -> None:
    monkeypatch.setattr(score, "has_bf16", lambda device: False)  # in which another batch is another rounding
    weights_dir(random_weights)
    frames = media_of(8)
    spec, model = score.registry.spec(name), score.loaded(name, "cpu")
    boxes = np.tile(np.array([100, 20, 200, 150], np.float32), (8, 1))
    x = for_spec(spec).tensor(for_spec(spec).crops(list(frames.images), boxes))
    part = model if spec.task == "frame" else model.frame_features
    whole = score.run(part, x)
    tried: list[int] = []

    def tight(x: Tensor) -> Tensor:
        tried.append(len(x))
        if len(tried) == 1:
            raise torch.OutOfMemoryError("no memory")
        return part(x)

    torch.testing.assert_close(score.run(tight, x), whole, atol=1e-4, rtol=1e-4)
    assert tried == [8, 4, 4]
