"""PGD: what it must never do, what it must do, on every registered model, and against an independent implementation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchattacks
from torch import nn
from torch.nn import functional as F

from tbd_app.models import registry
from tests.models import small
from tests.training.attacks.probes import EPS, SPACE, all_of, assert_unchanged, loss_of, net, pictures
from training.attacks.pgd import STRONG, PgdConfig, attack, losses
from training.attacks.space import PixelSpace

QUICK = PgdConfig(n_steps=3)


def test_the_defaults_are_those_of_the_reference() -> None:
    assert PgdConfig() == PgdConfig(8 / 255, 2 / 255, 10, True, 1)
    assert (STRONG.n_steps, STRONG.restarts, STRONG.eps) == (50, 3, 8 / 255)


@pytest.mark.parametrize("config", [PgdConfig(), PgdConfig(restarts=2, n_steps=4), PgdConfig(step_size=1.0)])
def test_bounds_hold(config) -> None:
    x, y = pictures(1)
    changed = attack(net(), x, y, SPACE, config)
    pixels = changed * torch.tensor(SPACE.std).view(3, 1, 1) + torch.tensor(SPACE.mean).view(3, 1, 1)
    assert (pixels - SPACE.pixels(x)).abs().max() <= EPS + 1e-6
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    assert not torch.equal(changed, x)
    assert not changed.requires_grad


@pytest.mark.parametrize("restarts", [1, 2])
def test_no_room_leaves_the_input_bit_for_bit(restarts) -> None:
    x, y = pictures(2)
    assert torch.equal(attack(net(), x, y, SPACE, PgdConfig(eps=0.0, restarts=restarts)), x)


@pytest.mark.parametrize("restarts", [1, 2])
def test_the_model_stays_as_it_was(restarts) -> None:
    model = net()
    model.train()
    model[1].eval()
    model[0].bias.requires_grad_(False)
    F.cross_entropy(model(pictures(3)[0]), pictures(3)[1]).backward()
    before = all_of(model)
    attack(model, *pictures(4), SPACE, replace(QUICK, restarts=restarts))
    assert_unchanged(model, before)
    model[0].bias.requires_grad_(True)
    model.zero_grad()


def test_the_loss_rises_on_nearly_every_batch() -> None:
    model, raised, started = net().eval(), 0, 0
    for seed in range(100, 140):
        x, y = pictures(seed)
        before = loss_of(model, x, y)
        raised += loss_of(model, attack(model, x, y, SPACE), y) > before
        started += loss_of(model, attack(model, x, y, SPACE, PgdConfig(n_steps=0)), y) > before
    assert raised >= 38  # 95 %
    assert started < 38, "a random start alone raises it, too: the test says nothing"


def test_of_several_starts_each_picture_keeps_its_worst() -> None:
    model, (x, y) = net().eval(), pictures(5)
    config = PgdConfig(n_steps=1)
    torch.manual_seed(3)
    alone = torch.stack([losses(model(attack(model, x, y, SPACE, config)), y) for _ in range(3)])
    torch.manual_seed(3)
    together = losses(model(attack(model, x, y, SPACE, replace(config, restarts=3))), y)
    torch.testing.assert_close(together, alone.max(0).values, atol=1e-5, rtol=1e-4)
    assert len(alone.argmax(0).unique()) > 1, "one start is best for all: the test says nothing"


@pytest.mark.parametrize("name", registry.list_models())
def test_any_registered_model_can_be_attacked(name) -> None:
    torch.manual_seed(0)
    model, spec = small.create(name), small.spec(name)
    for module in model.modules():
        # timm starts residual branches at zero: what is left of the picture is then what strides happen to hit
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.weight.any():
            nn.init.ones_(module.weight)
    size = (2, 3, 3) if spec.task == "clip" else (2, 3)
    space = PixelSpace.of(spec)
    x = space.normalised(torch.rand(*size, spec.input_size, spec.input_size))
    y = torch.tensor([0, 1])
    arguments = (torch.tensor([[True, True, False], [True, True, True]]),) if spec.task == "clip" else ()
    modes = [m.training for m in model.modules()]
    changed = attack(model, x, y, space, PgdConfig(n_steps=1, random_start=False), arguments=arguments)
    moved = (space.pixels(changed) - space.pixels(x)).abs()
    assert changed.shape == x.shape
    assert moved.max() <= 2 / 255 + 1e-6
    seen = moved[arguments[0]] if arguments else moved  # (frames,3,S,S)
    assert ((seen > 1e-3).flatten(1).float().mean(1) > 0.05).all(), "a frame that counts got no gradient"
    assert [m.training for m in model.modules()] == modes


class Normalised(nn.Module):
    """A model on pixels, as torchattacks wants it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model(SPACE.normalised(pixels))


@pytest.mark.parametrize("which", ["probe", "effnet_vit_robust"])
@pytest.mark.parametrize("random_start", [False, True])
def test_losses_are_those_of_torchattacks(which, random_start) -> None:
    """The same net, and the same start: both draw it from torch's generator."""
    torch.manual_seed(0)
    model = (net() if which == "probe" else small.create(which)).eval()
    x, y = pictures(6, side=16 if which == "probe" else 64)
    other = torchattacks.PGD(Normalised(model), eps=EPS, alpha=2 / 255, steps=10, random_start=random_start)
    torch.manual_seed(1)
    theirs = loss_of(model, SPACE.normalised(other(SPACE.pixels(x), y)), y)
    torch.manual_seed(1)
    ours = loss_of(model, attack(model, x, y, SPACE, PgdConfig(random_start=random_start)), y)
    assert ours > loss_of(model, x, y)
    assert ours == pytest.approx(theirs, rel=0.05)
