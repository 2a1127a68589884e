"""A head that begins as a logistic regression on frozen features."""

from __future__ import annotations

import pytest
import torch

from tbd_app.models import registry
from training.networks.head_start import fit_heads
from training.networks.towers import TOY_TOWER


@pytest.fixture
def model():
    torch.manual_seed(0)
    return registry.create_model("clip_b16_ln1", small=TOY_TOWER)


def pairs(n_batches: int, size: int) -> list[dict[str, torch.Tensor]]:
    """Reals of noise, and fakes that are the same a little brighter on one side."""
    rng = torch.Generator().manual_seed(1)
    out = []
    for _ in range(n_batches):
        real = torch.randn(8, 1, 3, size, size, generator=rng)
        fake = real.clone()
        fake[..., : size // 2] += 1.5
        out.append({"x": torch.cat([real, fake], dim=1), "y": torch.tensor([[0, 1]] * 8)})
    return out


def test_the_head_begins_right_on_pairs_that_it_was_not_fitted_on(model):
    made = pairs(6, 32)
    before = model.backbone.conv1.weight.clone()
    (right,) = fit_heads(model, [model.head], made, 5, scale=10.0)
    assert right > 0.9
    unseen = made[5]
    with torch.no_grad():
        logits = 10.0 * model(unseen["x"].flatten(0, 1))
    said = logits.argmax(dim=-1)
    assert (said == unseen["y"].flatten()).float().mean() > 0.9
    assert torch.equal(before, model.backbone.conv1.weight)


def test_what_cannot_be_told_apart_gives_chance(model):
    made = pairs(6, 32)
    for batch in made:
        batch["x"][:, 1] = batch["x"][:, 0]
    (right,) = fit_heads(model, [model.head], made, 6, scale=10.0)
    assert right == pytest.approx(0.5, abs=0.02)


def test_a_head_of_two_layers_is_refused():
    model = registry.create_model("clip_b16_ln2", small=TOY_TOWER)
    with pytest.raises(SystemExit, match="linear head"):
        fit_heads(model, [model.head], pairs(1, 32), 1, scale=10.0)


def test_each_judge_of_a_clip_begins_right():
    torch.manual_seed(0)
    model = registry.create_model("dfd_fcg_b16", small=TOY_TOWER, n_frames=3)
    made = [
        {
            "x": batch["x"].unsqueeze(2).repeat(1, 1, 3, 1, 1, 1),
            "mask": torch.ones(8, 2, 3, dtype=torch.bool),
            "y": batch["y"],
        }
        for batch in pairs(6, 32)
    ]
    right = fit_heads(model, model.head.judges, made, 5)
    assert len(right) == 3
    assert right[0] > 0.9
    with torch.no_grad():
        said = model.branch_logits(made[5]["x"].flatten(0, 1)).argmax(dim=-1)
    assert (said[0] == made[5]["y"].flatten()).float().mean() > 0.9
