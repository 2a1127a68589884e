"""Sharpness-aware minimisation: where the gradient is taken, what the second pass leaves, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.training.engine.test_loop import CONFIG, assert_same, run, tiny_model
from training.engine.config import RunConfig
from training.engine.loop import fit
from training.engine.run import Run
from training.engine.sharpness import uphill


def test_the_gradient_is_taken_where_the_loss_is_worst_nearby(tmp_path) -> None:
    """Two steps on f(w) = |w|^4 / 4 against the formula of the paper, w <- w - lr f'(w + rho f'(w) / |f'(w)|)."""
    config = replace(CONFIG, steps=2, warmup_steps=0, schedule="constant", optimizer="sgd", clip_norm=0)
    config = replace(config, weight_decay=0, precision="no", ema_decay=0, sharpness=0.1)
    expected, speed = torch.tensor([[3.0, 4.0]]) / 5, torch.zeros(1, 2)
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(expected)
    record = Run(RunConfig(out=tmp_path, loop=config), "test")

    def quartic(model: nn.Module, batch: int) -> dict[str, Tensor]:
        return {"loss": model.weight.square().sum().square() / 4}

    kept = fit(model, lambda start: iter(range(start, 2)), quartic, lambda m: {}, config, record)
    for _ in range(2):
        above = expected + 0.1 * expected / expected.norm()
        speed = 0.9 * speed + above * above.square().sum()
        expected = expected - config.lr * speed
    torch.testing.assert_close(kept.weight.data, expected)


def test_the_second_pass_leaves_weights_and_running_statistics() -> None:
    torch.manual_seed(0)
    model, x = tiny_model(), torch.randn(4, 3, 8, 8)
    model(x).square().sum().backward()
    first, before = model[0].weight.grad, {k: v.clone() for k, v in model.state_dict().items()}
    with uphill(model, 0.5):
        assert model[0].weight.grad is None
        assert not torch.equal(model[0].weight, before["0.weight"])
        model(x + 1).square().sum().backward()
    after = model.state_dict()
    del before["1.num_batches_tracked"], after["1.num_batches_tracked"]
    assert_same(after, before)
    assert not torch.equal(model[0].weight.grad, first)
    assert model[1].momentum == 0.1


@pytest.mark.parametrize("change", [{"accumulate": 2}, {"precision": "fp16"}])
def test_sharpness_refuses_what_it_cannot_do(tmp_path, change) -> None:
    with pytest.raises(SystemExit, match="sharpness needs"):
        run(tmp_path, config=replace(CONFIG, sharpness=0.1, **change))
