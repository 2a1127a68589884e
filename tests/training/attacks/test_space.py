"""Pixels and normalised inputs, bounds, and a model that is lent and given back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tbd_app.models import registry
from tests.training.attacks.probes import EPS, SPACE, all_of, assert_unchanged, pictures
from training.attacks.space import PixelSpace, bounded, held_still


def test_pixels_and_inputs_are_two_ways_of_one_picture() -> None:
    x, _ = pictures(0)
    pixels = SPACE.pixels(x)
    assert pixels.min() == 0
    assert pixels.max() == 1
    torch.testing.assert_close(SPACE.normalised(pixels), x, atol=1e-5, rtol=0)


def test_the_space_of_a_model_is_that_of_its_spec() -> None:
    assert PixelSpace.of(registry.spec("xception")) == PixelSpace((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_a_change_is_measured_in_pixels() -> None:
    x = torch.zeros(1, 3, 2, 2)
    changed = SPACE.changed(x, torch.full_like(x, 0.1))
    torch.testing.assert_close(SPACE.pixels(changed) - SPACE.pixels(x), torch.full_like(x, 0.1))
    assert torch.equal(SPACE.changed(x, torch.zeros_like(x)), x)


def test_bounds_hold_at_the_edges_of_the_scale() -> None:
    pixels = torch.tensor([0.0, 0.01, 0.5, 0.99, 1.0])
    up, down = bounded(torch.ones(5), pixels, EPS), bounded(-torch.ones(5), pixels, EPS)
    torch.testing.assert_close(up, torch.tensor([EPS, EPS, EPS, 0.01, 0.0]))
    torch.testing.assert_close(down, -torch.tensor([0.0, 0.01, EPS, EPS, EPS]))
    inside = torch.tensor([0.0, 0.001, -0.001, 0.001, 0.0])
    assert torch.equal(bounded(inside, pixels, EPS), inside)


def test_a_model_is_given_back_as_it_was_even_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    model[0].bias.requires_grad_(False)
    model(torch.ones(3, 2)).sum().backward()
    before = all_of(model)
    with held_still(model):
        assert not any(m.training for m in model.modules())
        assert not any(p.requires_grad for p in model.parameters())
    assert_unchanged(model, before)
    with pytest.raises(RuntimeError, match="shapes"), held_still(model):
        model(torch.ones(3, 5))
    assert_unchanged(model, before)
