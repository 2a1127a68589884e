"""The contrastive loss works on distances, which the published code has the wrong way round; the authors' focal loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.losses.m2tr import RealCentre, focal

TOWARDS, AWAY = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 0.0])
LABELS = torch.tensor([0, 0, 1, 1])


def loss_of(features: Tensor, y: Tensor = LABELS, **options: float) -> Tensor:
    return RealCentre(features.shape[1], **options)(features, y)


@pytest.mark.parametrize(("margin", "least"), [(0.0, -2.0), (0.5, 0.0)])
def test_reals_at_the_centre_and_fakes_opposite_are_best(margin, least) -> None:
    best = torch.stack([TOWARDS, 5 * TOWARDS, AWAY, AWAY])
    assert loss_of(best, margin=margin).item() == pytest.approx(least, abs=1e-6)
    torch.manual_seed(0)
    assert all(loss_of(torch.randn(4, 2), margin=margin) > least for _ in range(20))


def test_fakes_at_the_centre_are_worst() -> None:
    same = torch.stack([TOWARDS] * 4)
    assert loss_of(same, margin=0.5).item() == pytest.approx(0.5, abs=1e-6)
    assert loss_of(same, margin=0.0).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_a_step_brings_reals_nearer_and_fakes_farther(margin) -> None:
    """The published code does the opposite, and takes the fakes for its centre."""
    torch.manual_seed(1)
    features = (torch.randn(4, 8) + 3).requires_grad_()  # fakes within the margin
    contrast = RealCentre(8, margin)
    contrast(features, LABELS).backward()
    centre = contrast.centre.clone()
    likeness = torch.nn.functional.cosine_similarity
    before, after = (likeness(f, centre[None]) for f in (features, features - 0.1 * features.grad))
    torch.testing.assert_close(centre, features[:2].mean(dim=0).detach())
    assert (after[:2] > before[:2]).all()
    assert (after[2:] < before[2:]).all()


def test_a_fake_beyond_the_margin_is_left_alone() -> None:
    features = torch.stack([TOWARDS, TOWARDS, AWAY, torch.tensor([1.0, 0.1])]).requires_grad_()
    loss_of(features, margin=0.5).backward()
    assert features.grad[2].abs().max() == 0
    assert features.grad[3].abs().max() > 0


@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_class_costs_nothing(label) -> None:
    features = torch.randn(3, 4, requires_grad=True)
    loss = loss_of(features, torch.full((3,), label))
    loss.backward()
    assert loss.item() == 0
    assert features.grad.abs().max() == 0


def test_the_centre_moves_slowly_after_the_first_batch() -> None:
    contrast, y = RealCentre(2, momentum=0.75), torch.tensor([0, 1])
    contrast(torch.tensor([[4.0, 0.0], [1.0, 1.0]]), y)
    assert contrast.centre.tolist() == [4.0, 0.0]
    contrast(torch.tensor([[0.0, 8.0], [1.0, 1.0]]), y)
    assert contrast.centre.tolist() == [3.0, 2.0]


def test_focal_loss_is_that_of_two_sigmoids() -> None:
    logits, y = torch.tensor([[1.0, -0.5], [0.2, 3.0]]), torch.tensor([0, 1])
    p = torch.where(torch.nn.functional.one_hot(y, 2).bool(), logits.sigmoid(), 1 - logits.sigmoid())
    assert focal(logits, y).item() == pytest.approx((-((1 - p) ** 2) * p.log()).mean().item(), rel=1e-5)
