"""EfficientNet cells as tokens: places count, sizes may differ, layers start apart, no neighbour in the batch counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tbd_app.models import registry
from tests.models import small

NAMES = ["effnet_vit_base", "effnet_vit_robust"]


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return small.create(NAMES[0]).eval()


class Maps(nn.Module):
    """In place of the backbone: maps that are given."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        return self.maps.expand(len(x), -1, -1, -1)


def test_both_names_are_one_network() -> None:
    torch.manual_seed(0)
    base = small.create(NAMES[0])
    torch.manual_seed(0)
    robust = small.create(NAMES[1])
    for key, value in base.state_dict().items():
        assert torch.equal(value, robust.state_dict()[key]), key


@torch.inference_mode()
def test_where_a_cell_lies_counts(model) -> None:
    """The same cells in another order give another answer, but only by the positions."""
    maps = torch.randn(1, model.project.in_features, 2, 2)
    x = torch.zeros(1, 3, 64, 64)
    model.backbone = Maps(maps)
    straight = model(x)
    model.backbone = Maps(maps.flip(-1))
    turned = model(x)
    assert (straight - turned).abs().max() > 1e-5
    model.positions[1:] = model.positions[1].clone()
    turned = model(x)
    model.backbone = Maps(maps)
    torch.testing.assert_close(model(x), turned)


@torch.inference_mode()
def test_positions_of_another_size_are_between_the_learned_ones(model) -> None:
    model.positions[:] = torch.arange(5.0)[:, None]  # 0 of the class token; 1 2 / 3 4
    assert model.positions_of(2, 2) is model.positions
    wide = model.positions_of(4, 4)
    assert wide.shape == (17, 64)
    table = wide[1:, 0].view(4, 4)
    assert wide[0].eq(0).all()
    assert (table[0, 0], table[0, 3], table[3, 0], table[3, 3]) == (1, 2, 3, 4)
    assert (table.diff(dim=0) > 0).all()
    assert (table.diff(dim=1) > 0).all()


@torch.inference_mode()
@pytest.mark.parametrize("side", [96, 160])
def test_any_size_is_taken(model, side) -> None:
    assert model(torch.randn(2, 3, side, side)).isfinite().all()


@torch.inference_mode()
def test_an_answer_does_not_depend_on_the_others_of_its_batch(model) -> None:
    """The reference's positions were looked up by the place in the batch, which had to be 32 at most."""
    x = torch.randn(40, 3, 64, 64)
    torch.testing.assert_close(model(x)[35:36], model(x[35:36]), atol=1e-5, rtol=1e-4)


def test_layers_start_apart(model) -> None:
    first, second = (layer.linear1.weight for layer in model.layers[:2])
    assert not torch.equal(first, second)


def test_the_full_size_is_that_of_the_fact_sheet() -> None:
    with torch.device("meta"):
        model = registry.create_model(NAMES[1])
        assert model.backbone(torch.empty(1, 3, 224, 224)).shape == (1, 1280, 7, 7)
    parts = {
        "backbone": 4_007_548, "project": 327_936, "class_token": 256, "positions": 12_800, "layers": 3_159_040,
        "norm": 512, "head": 33_154,
    }  # fmt: skip
    assert {
        name: sum(p.numel() for key, p in model.named_parameters() if key.split(".")[0] == name)
        for name in parts
    } == parts
    layer = model.layers[0]
    assert (layer.self_attn.num_heads, layer.norm_first, model.norm.normalized_shape) == (4, True, (256,))
