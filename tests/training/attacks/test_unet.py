"""The U-Net attacker: size, bounds, penalties on patterns whose spectrum is known, and who learns from whom."""

from __future__ import annotations

import pytest
import torch

from tests.training.attacks.probes import EPS, SPACE, all_of, assert_unchanged, loss_of, net, pictures
from training.attacks.unet import (
    AttackerLoss,
    UNetAttacker,
    attacker_losses,
    low_frequencies,
    total_variation,
)


def attacker(eps: float = EPS, *, loud: bool = False) -> UNetAttacker:
    """With weights of a given seed; a loud one reaches its bounds."""
    torch.manual_seed(0)
    made = UNetAttacker(width=8, eps=eps)
    if loud:
        torch.nn.init.normal_(made.out.weight, std=20)
    return made


@pytest.mark.parametrize(("width", "count"), [(16, 488_739), (24, 1_097_715), (32, 1_949_763)])
def test_parameters_are_those_of_the_fact_sheet(width, count) -> None:
    assert sum(p.numel() for p in UNetAttacker(width=width).parameters()) == count


@pytest.mark.parametrize("side", [8, 16, 50])
def test_bounds_hold(side) -> None:
    x, _ = pictures(1, side=side)
    changed = attacker(loud=True).attack(x, SPACE)
    pixels = changed * torch.tensor(SPACE.std).view(3, 1, 1) + torch.tensor(SPACE.mean).view(3, 1, 1)
    moved = (pixels - SPACE.pixels(x)).abs().max()
    assert 0.9 * EPS < moved <= EPS + 1e-6
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6


def test_a_new_attacker_changes_next_to_nothing() -> None:
    x, _ = pictures(1)
    _, pattern = attacker().perturbed(x, SPACE)
    assert 0 < pattern.abs().mean() < 0.05


def test_no_room_leaves_the_input_bit_for_bit() -> None:
    x, _ = pictures(2)
    assert torch.equal(attacker(0.0, loud=True).attack(x, SPACE), x)


def test_clips_are_perturbed_frame_by_frame() -> None:
    x, _ = pictures(3, n=6)
    made = attacker(loud=True)
    clips = made.attack(x.unflatten(0, (2, 3)), SPACE)
    torch.testing.assert_close(clips.flatten(0, 1), made.attack(x, SPACE), atol=1e-5, rtol=0)


def test_the_attackers_step_leaves_the_detector_alone_and_the_other_way_round() -> None:
    model, made = net(), attacker()
    model.train()
    before = all_of(model)
    x, y = pictures(4)
    attacker_losses(made, model, x, y, SPACE, AttackerLoss())["loss"].backward()
    assert_unchanged(model, before)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters())
    was = all_of(made)
    torch.nn.functional.cross_entropy(model(made.attack(x, SPACE)), y).backward()
    assert_unchanged(made, was)
    model.zero_grad()


def taught(weigh: AttackerLoss, steps: int = 50) -> tuple[UNetAttacker, list[float]]:
    """An attacker after so many steps against the frozen probe, and its losses."""
    model, made, losses = net().eval(), attacker(), []
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    for seed in range(200, 200 + steps):
        loss = attacker_losses(made, model, *pictures(seed), SPACE, weigh)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return made, losses


def test_fifty_steps_make_the_frozen_model_worse() -> None:
    """The probe looks at brightness, which is low frequency: without the penalties that is there to be found."""
    made, _ = taught(AttackerLoss(0, 0))
    x, y = pictures(300, n=64)
    assert loss_of(net(), made.attack(x, SPACE), y) > loss_of(net(), x, y) + 0.05


def test_the_penalties_keep_a_wash_away() -> None:
    """With them the whole objective falls, and the same training ends in a pattern of far higher frequency."""
    x, _ = pictures(300, n=64)
    made, losses = taught(AttackerLoss())
    low, free = (
        low_frequencies(a.perturbed(x, SPACE)[1]).item() for a in (made, taught(AttackerLoss(0, 0))[0])
    )
    assert sum(losses[-10:]) < sum(losses[:10]) - 0.1
    assert low < free / 2


def test_one_picture_cannot_rule_the_batch() -> None:
    logits = torch.tensor([[100.0, 0.0], [0.0, 0.0]])
    parts = AttackerLoss(0, 0)(logits, torch.tensor([1, 1]), torch.zeros(2, 3, 8, 8))
    assert parts["fooled"].item() == pytest.approx((5 + 0.6931) / 2, abs=1e-3)
    assert parts["loss"] == -parts["fooled"]


def noise(sigma: float) -> torch.Tensor:
    """White noise in [-1,1], blurred, and stretched to a peak of 1; (1,3,224,224)."""
    from scipy.ndimage import gaussian_filter

    g = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 224, 224, generator=g) * 2 - 1
    return torch.from_numpy(gaussian_filter(x.numpy(), (0, 0, sigma, sigma))) if sigma else x


@pytest.mark.parametrize("side", [224, 31])
def test_a_constant_is_all_low_and_does_not_vary(side) -> None:
    wash = torch.full((2, 3, side, side), 0.7)
    assert total_variation(wash) == 0
    assert low_frequencies(wash).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("shape", [(24, 24), (24, 31), (31, 24)])
def test_low_and_high_make_up_the_whole(shape) -> None:
    """The half that rfft leaves out counts: the share equals that of the whole transform."""
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(1))
    power = torch.fft.fft2(x).abs().square()
    rho = torch.hypot(torch.fft.fftfreq(shape[0])[:, None], torch.fft.fftfreq(shape[1])[None])
    whole = ((power * (rho <= 0.2)).sum((1, 2, 3)) / power.sum((1, 2, 3))).mean()
    torch.testing.assert_close(low_frequencies(x, 0.2), whole, atol=1e-5, rtol=1e-4)
    assert low_frequencies(x, 1.0).item() == pytest.approx(1, abs=1e-4)


def test_the_penalties_rank_patterns_as_the_fact_sheet_measured() -> None:
    """Share of low frequencies of white noise .008, of blurs of 1, 2, 4 px .086, .29 and .71; mid frequency costs least."""
    low = [low_frequencies(noise(sigma)).item() for sigma in (0, 1, 2, 4)]
    assert low == pytest.approx([0.008, 0.086, 0.29, 0.71], rel=0.15)
    speckle = total_variation(noise(0)).item()
    assert speckle == pytest.approx(2 / 3, rel=0.02)  # the mean distance of two draws from a width of 2
    steps = [total_variation(noise(sigma) / noise(sigma).abs().max()).item() for sigma in (0, 1, 2, 4)]
    assert steps == sorted(steps, reverse=True)
