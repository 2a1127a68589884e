"""Projected gradient descent in the L-infinity ball: the strongest small perturbation that the model's own gradient finds.

Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018 (arXiv 1706.06083); the
numbers are those of fact sheet F.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.attacks.space import PixelSpace, bounded, held_still


@dataclass(frozen=True, slots=True)
class PgdConfig:
    """How strong the attack is; sizes are shares of full scale in pixel space.

    Attributes:
        eps: largest change of a pixel.
        step_size: change of a pixel in one step.
        n_steps: steps from each start.
        random_start: begin anywhere in the ball; without it at the picture itself.
        restarts: starts; of each picture the one counts that ends with the highest loss.
    """

    eps: float = 8 / 255
    step_size: float = 2 / 255
    n_steps: int = 10
    random_start: bool = True
    restarts: int = 1


# Many steps and starts: a model that withstands ten steps, but not these, hides its gradient and is not robust.
STRONG = PgdConfig(n_steps=50, restarts=3)


def attack(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    space: PixelSpace,
    config: PgdConfig | None = None,
    *,
    arguments: Sequence[Tensor] = (),
) -> Tensor:
    """Inputs near x of which the model says least what they are.

    The model comes back as it was: weights, gradients, modes. What is drawn comes from torch's own generator.

    Args:
        model: attacked white box; logits (B,2).
        x: (B,3,S,S) or (B,T,3,S,S), normalised.
        y: (B,) labels, int64.
        space: of x.
        config: the default is the reference's.
        arguments: what the model takes besides, such as a clip's mask.

    Returns:
        Like x, normalised, without gradient.
    """
    config = config or PgdConfig()
    pixels = space.pixels(x.detach())
    best, worst = torch.zeros_like(pixels), x.new_full((len(x),), -torch.inf, dtype=torch.float32)
    with torch.inference_mode(False), held_still(model):
        for _ in range(config.restarts):
            delta = torch.zeros_like(pixels)
            if config.random_start:
                delta = bounded(delta.uniform_(-config.eps, config.eps), pixels, config.eps)
            for _ in range(config.n_steps):
                slope = _slope(model, space.changed(x, delta), y, arguments)
                delta = bounded(delta + config.step_size * slope.sign(), pixels, config.eps)
            if config.restarts == 1:
                return space.changed(x, delta).detach()
            with torch.no_grad():
                loss = losses(model(space.changed(x, delta), *arguments), y)
            better = loss > worst
            best[better], worst[better] = delta[better], loss[better]
    return space.changed(x, best).detach()


def losses(logits: Tensor, y: Tensor) -> Tensor:
    """(B,) cross entropy in float32."""
    return F.cross_entropy(logits.float(), y, reduction="none")


def _slope(model: nn.Module, x: Tensor, y: Tensor, arguments: Sequence[Tensor]) -> Tensor:
    """The gradient of the loss by x; a positive scale of each channel, as between spaces, keeps its sign."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        # The sum, so that a picture's gradient is as large in a batch of any size.
        loss = losses(model(x, *arguments), y).sum()
        return torch.autograd.grad(loss, x)[0]
