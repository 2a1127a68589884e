"""TimeSformer on EfficientNet cells: who attends to whom, and what the reference's layouts had wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tbd_app.models.nets.effnet_timesformer import SpaceTimeBlock, over_time, within_frames
from tests.models import small

NAMES = ["effnet_b0_timesformer", "effnet_b0_timesformer_legacy"]
PROPER, LEGACY = NAMES


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def clip(batch: int = 1, length: int = 3) -> Tensor:
    return torch.randn(batch, length, 3, 64, 64)


def changed(before: Tensor, after: Tensor) -> Tensor:
    """(B,T,P) whether a cell changed."""
    return (before - after).abs().amax(-1) > 1e-6


def test_attention_over_time_keeps_to_its_place() -> None:
    attention, cells, seen = (
        nn.MultiheadAttention(8, 2, batch_first=True),
        torch.randn(1, 4, 9, 8),
        torch.ones(1, 4),
    )
    other = cells.clone()
    other[0, 1, 3] += 1
    seen = seen.bool()
    moved = changed(over_time(attention, cells, seen), over_time(attention, other, seen))
    assert moved[0, :, 3].all()
    assert moved.sum() == 4


def test_attention_within_frames_keeps_to_its_frame() -> None:
    attention, cells = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(1, 4, 9, 8)
    other = cells.clone()
    other[0, 1, 3] += 1
    moved = changed(within_frames(attention, cells), within_frames(attention, other))
    assert moved[0, 1].all()
    assert moved.sum() == 9


def test_a_block_starts_as_one_on_single_frames() -> None:
    block, one, seen = SpaceTimeBlock(8, 2).eval(), torch.randn(1, 8), torch.ones(1, 3, dtype=torch.bool)
    cells = torch.randn(1, 3, 4, 8)
    other = cells.clone()
    other[:, 1] += torch.randn(8)
    for trained in (False, True):
        if trained:
            nn.init.normal_(block.time_out.weight)
        moved = changed(block(one, cells, seen)[1], block(one, other, seen)[1])
        assert moved[0, 1].all()
        assert moved[0, 0].any() == trained


def test_the_class_token_reads_every_cell_of_every_frame() -> None:
    """In the reference's second layout it is split off before attention, so its answer is constant."""
    model, seen = small.create(PROPER).eval(), []
    model.project.register_forward_hook(lambda _m, _i, out: (out.retain_grad(), seen.append(out))[0])
    model(clip())[0, 1].backward()
    assert (seen[0].grad.abs().sum(-1) > 0).all()


def test_the_order_of_frames_counts() -> None:
    model, x = small.create(PROPER).eval(), clip(length=4)
    with torch.inference_mode():
        assert not torch.allclose(model(x), model(x.flip(1)), atol=1e-6)


def test_the_legacy_layout_reads_the_first_cell_of_the_first_frame() -> None:
    model, x = small.create(LEGACY).eval(), clip(length=4)
    model.backbone = nn.Conv2d(3, 256, 32, 32)  # tells frames apart, as a trained one does
    with torch.inference_mode():
        torch.testing.assert_close(model(x), model(x[:, [0, 3, 2, 1]]))  # no position in time
        assert not torch.allclose(model(x), model(x[:, [1, 0, 2, 3]]), atol=1e-6)
        hidden = torch.tensor([[False, True, True, True]])
        torch.testing.assert_close(model(x, hidden), model(x[:, 1:]))


@pytest.mark.parametrize("name", NAMES)
def test_overfits_one_batch(name) -> None:
    model, x, y = small.create(name), clip(8, 2), torch.arange(8) % 2
    assert small.fit_one_batch(model, x, y) < 0.1


def test_what_does_not_fit_is_refused() -> None:
    model = small.create(PROPER)
    with pytest.raises(ValueError, match="8 frames at most, not 9"):
        model(clip(length=9))
    with pytest.raises(ValueError, match="made for pictures of 64 px, not 96 x 96"):
        model(torch.zeros(1, 2, 3, 96, 96))
