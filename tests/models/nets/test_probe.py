"""The kernel on a frozen tower: what it reads, which head answers, that it is fitted in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbd_app.models import registry
from tbd_app.models.nets.probe import ClipProbe, KernelHead, over_time
from tests.models import small


@pytest.fixture
def model() -> ClipProbe:
    torch.manual_seed(0)
    return small.create("clip_b16_probe").eval()


def clips(n: int = 2, length: int = 4) -> torch.Tensor:
    return torch.randn(n, length, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def test_over_time_is_mean_deviation_and_change_of_the_frames_that_are_seen() -> None:
    frames = torch.tensor([[[1.0], [3.0], [2.0], [99.0]]])
    seen = torch.tensor([[True, True, True, False]])
    mean, deviation, change = over_time(frames, seen)[0].tolist()
    assert mean == pytest.approx(2)
    assert deviation == pytest.approx(np.std([1, 3, 2]))
    assert change == pytest.approx((2 + 1) / 2)


def test_a_still_clip_does_not_change(model: ClipProbe) -> None:
    still = clips(1, 1).expand(1, 4, 3, 32, 32)
    frames = model.components(model.statistics(still[0]))[None]
    _, deviation, change = over_time(frames, torch.ones(1, 4, dtype=torch.bool)).chunk(3, dim=1)
    assert float(deviation.max()) < 1e-3
    assert float(change.max()) < 1e-4


def test_a_masked_frame_changes_nothing(model: ClipProbe) -> None:
    x, mask = clips(), torch.tensor([[True, True, True, False]] * 2)
    with torch.inference_mode():
        before = model(x, mask)
        x[:, 3] = torch.randn(2, 3, 32, 32)
        torch.testing.assert_close(model(x, mask), before)


def test_a_single_frame_is_judged_by_the_head_for_pictures(model: ClipProbe) -> None:
    with torch.inference_mode():
        x, mask = clips(), torch.tensor([[True, False, False, False]] * 2)
        before = model(x, mask)
        model.clip_head.weights += 1
        torch.testing.assert_close(model(x, mask), before)
        model.picture_head.weights += 1
        assert not torch.allclose(model(x, mask), before)


def test_logits_are_those_of_two_classes_that_share_one_number(model: ClipProbe) -> None:
    with torch.inference_mode():
        logits = model(clips())
    torch.testing.assert_close(logits[:, 0], -logits[:, 1])


def test_likeness_falls_with_distance() -> None:
    head = KernelHead(2, 2, 1)
    with torch.no_grad():
        for parameter, value in (
            (head.reduce, torch.eye(2)), (head.supports, torch.zeros(1, 2)), (head.weights, torch.ones(1)),
        ):  # fmt: skip
            parameter.copy_(value)
        found = head(torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([0.0, -1.0, -4.0]).exp())


def test_nothing_of_the_tower_is_stored(model: ClipProbe) -> None:
    assert not any(key.startswith("backbone.") for key in model.stored_state())
    assert (
        registry.spec("clip_b16_probe").n_trainable == registry.spec("clip_b16_probe").n_params - 85_799_424
    )
