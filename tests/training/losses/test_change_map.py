"""The second task: where a picture was changed."""

from __future__ import annotations

import pytest
import torch

from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from training.losses.change_map import Where

N, SIDE = 4, 64


def model_and_part() -> tuple[torch.nn.Module, Where]:
    torch.manual_seed(0)
    model = registry.create_model("effnet_b0_image").eval()
    part = Where.of(model, SIDE)
    assert part is not None
    return model, part


def test_what_is_not_known_counts_for_nothing() -> None:
    model, part = model_and_part()
    with torch.no_grad():
        model(torch.randn(N, 3, SIDE, SIDE))
        changed = torch.zeros(N, 28, 28)
        learned = part.loss(model, changed)
        changed[2:] = -1
        known = part.loss(model, changed)
        model(torch.randn(N, 3, SIDE, SIDE)[:2])
        assert part.loss(model, -torch.ones(2, 28, 28)) == 0
    assert learned > 0
    assert known != learned


def test_cells_learn_where_the_change_is() -> None:
    """Half of each picture is bright, and that half is the changed one."""
    model, part = model_and_part()
    x, changed = torch.randn(N, 3, SIDE, SIDE) * 0.1, torch.zeros(N, 28, 28)
    x[::2, :, :, : SIDE // 2] += 2
    x[1::2, :, :, SIDE // 2 :] += 2
    changed[::2, :, :14] = 1
    changed[1::2, :, 14:] = 1
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(30):
        model(x)
        loss = part.loss(model, changed)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 < losses[0]


def test_the_part_leaves_no_trace() -> None:
    model, _ = model_and_part()
    Where.forget(model)
    assert model.state_dict().keys() == registry.create_model("effnet_b0_image").state_dict().keys()
    Where.forget(model)


def test_a_model_that_names_no_layer_goes_without(capsys: pytest.CaptureFixture[str]) -> None:
    class Blind(Detector):
        """A network whose layers show no place."""

    assert Where.of(Blind(), SIDE) is None
    assert "without the second task" in capsys.readouterr().out
