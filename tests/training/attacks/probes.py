"""A network that is trained in a moment, and pictures, for the tests of attacks."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.attacks.space import PixelSpace

SPACE = PixelSpace((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
EPS = 8 / 255


def pictures(seed: int, n: int = 8, side: int = 16) -> tuple[Tensor, Tensor]:
    """Normalised x (n,3,side,side) whose pixels reach 0 and 1, and y (n,): the fakes are a little brighter."""
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    pixels = (torch.rand(n, 3, side, side, generator=g) * 1.4 - 0.25 + 0.1 * y.view(-1, 1, 1, 1)).clamp(0, 1)
    return SPACE.normalised(pixels), y


@cache
def net() -> nn.Module:
    """Trained on `pictures`; with the layers whose mode counts."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for seed in range(60):
        x, y = pictures(seed, 32)
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@torch.no_grad()
def loss_of(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Mean loss in eval mode; leaves the model in it."""
    return F.cross_entropy(model.eval()(x), y).item()


def all_of(model: nn.Module) -> tuple[dict[str, Tensor], list[Tensor | None], list[bool], list[bool]]:
    """Copies of a model's tensors and gradients, what asks for gradients, and every module's mode."""
    parameters = list(model.parameters())
    return (
        {key: value.clone() for key, value in model.state_dict().items()},
        [None if p.grad is None else p.grad.clone() for p in parameters],
        [p.requires_grad for p in parameters],
        [m.training for m in model.modules()],
    )


def assert_unchanged(model: nn.Module, before: tuple) -> None:
    """Compares with what `all_of` gave."""
    tensors, gradients, asks, modes = all_of(model)
    assert all(torch.equal(value, before[0][key]) for key, value in tensors.items())
    assert (asks, modes) == before[2:]
    for now, was in zip(gradients, before[1], strict=True):
        assert (now is None and was is None) or torch.equal(now, was)
