"""Losses of the detectors on CLIP, against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.losses.tower import Tap, alignment, facial_components, focal, uniformity

Z = F.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
Y = torch.tensor([0, 1, 0, 1, 1, 0])


def test_alignment_is_the_mean_squared_distance_within_a_class() -> None:
    each = [(Z[i] - Z[j]).square().sum() for i in range(6) for j in range(i) if Y[i] == Y[j]]
    torch.testing.assert_close(alignment(Z, Y), torch.stack(each).mean())
    assert alignment(torch.eye(3)[Y], Y) == 0


def test_uniformity_is_the_log_of_the_mean_likeness() -> None:
    each = [(-2 * (Z[i] - Z[j]).square().sum()).exp() for i in range(6) for j in range(i)]
    torch.testing.assert_close(uniformity(Z), torch.stack(each).mean().log())
    assert uniformity(torch.ones(3, 1)) == 0  # all alike
    # two opposite points: exp(-8), above the floor
    assert uniformity(torch.tensor([[1.0], [-1.0]])).item() == pytest.approx(-8)
    assert uniformity(torch.tensor([[9.0], [-9.0]])).item() == pytest.approx(math.log(1e-6))


def test_both_have_gradients_that_pull_and_push() -> None:
    z = Z.clone().requires_grad_(True)
    alignment(z, Y).backward()
    closer = (Z - 0.1 * z.grad).detach()
    assert alignment(closer, Y) < alignment(Z, Y)
    z.grad = None
    uniformity(z).backward()
    assert uniformity((Z - 0.1 * z.grad).detach()) < uniformity(Z)


def test_a_batch_without_two_of_a_class_has_a_gradient_all_the_same() -> None:
    z = Z[:2].clone().requires_grad_(True)
    loss = alignment(z, Y[:2])
    loss.backward()
    assert loss == 0
    assert torch.equal(z.grad, torch.zeros(2, 5))


def test_focal_loss_of_the_sheet() -> None:
    logits = torch.tensor([[0.3, 1.2], [2.0, -1.0]])
    p = logits.softmax(-1)[torch.arange(2), [1, 1]]
    torch.testing.assert_close(focal(logits, torch.tensor([1, 1])), (-((1 - p) ** 4) * p.log()).mean())
    torch.testing.assert_close(
        focal(logits, torch.tensor([1, 1]), gamma=0), F.cross_entropy(logits, torch.tensor([1, 1]))
    )


def test_focal_loss_is_bounded_on_both_sides() -> None:
    y = torch.tensor([1])
    worst, best = (focal(torch.tensor([[0.0, z]]), y) for z in (-100.0, 100.0))
    assert worst.item() == pytest.approx(5 * (1 - math.exp(-5)) ** 4)
    assert best.item() == pytest.approx(0.01 * (1 - math.exp(-0.01)) ** 4)


@pytest.mark.parametrize("tau", [0.07, 1 / 30])
def test_queries_at_their_prototypes_are_where_they_should_be(tau) -> None:
    prototypes = torch.randn(3, 4, 64, generator=torch.Generator().manual_seed(1))
    home = facial_components(5 * prototypes, prototypes, tau)  # length does not count
    swapped = facial_components(prototypes.flip(1), prototypes, tau)
    assert home < 0.01 < 5 < swapped
    cosines = F.cosine_similarity(prototypes[:, :, None], prototypes[:, None], dim=-1) / tau
    each = [F.cross_entropy(cosines[layer], torch.arange(4)) for layer in range(3)]
    torch.testing.assert_close(home, torch.stack(each).mean())


def test_prototypes_pull_drifting_queries_back() -> None:
    prototypes = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(1))
    queries = (
        prototypes + 0.9 * torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(2))
    ).requires_grad_()
    before = facial_components(queries, prototypes)
    before.backward()
    assert facial_components(queries - 0.05 * queries.grad, prototypes) < before


def test_a_tap_keeps_what_went_through_and_its_graph() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    tap = Tap(model[1])
    x = torch.randn(5, 3)
    out = model(x)
    torch.testing.assert_close(tap.read, model[0](x))
    torch.testing.assert_close(tap.gave, out)
    tap.read.sum().backward()
    assert model[0].weight.grad is not None
