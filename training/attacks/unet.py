"""A U-Net that learns to perturb: one pass per picture, no gradient of the attacked model when it is used.

It is trained against a model to raise its loss, while two penalties keep the perturbation from looking like speckle (total
variation) and like a broad wash (energy in low frequencies); what is left is mid frequency.

Source: fact sheet F, whose numbers these are; Ronneberger et al., "U-Net", MICCAI 2015 (arXiv 1505.04597) for the shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.attacks.pgd import losses
from training.attacks.space import PixelSpace, bounded, held_still

MOST_LOSS = 5.0  # of one picture: further on it would rule the batch
LOW_BAND = 0.05  # cycles per pixel


@dataclass(frozen=True, slots=True)
class AttackerLoss:
    """What the attacker minimises.

    Attributes:
        variation: weight of the total variation of the perturbation over eps.
        low: weight of its share of energy in low frequencies.
    """

    variation: float = 0.5
    low: float = 1.0

    def __call__(self, logits: Tensor, y: Tensor, pattern: Tensor) -> dict[str, Tensor]:
        """The parts and their sum, "loss".

        Args:
            logits: (B,2) of the attacked model on the perturbed pictures.
            y: (B,) true labels.
            pattern: (B,3,S,S) perturbation over eps, in [-1,1].
        """
        fooled = losses(logits, y).clamp(max=MOST_LOSS).mean()
        variation, low = total_variation(pattern), low_frequencies(pattern)
        loss = -fooled + self.variation * variation + self.low * low
        return {"loss": loss, "fooled": fooled, "variation": variation, "low": low}


class UNetAttacker(nn.Module):
    """Pixels (N,3,S,S) in [0,1] -> pattern (N,3,S,S) in (-1,1), to be multiplied by eps.

    It starts near zero. S may be anything from 8 on.

    Args:
        width: channels at full size; each of the three halvings doubles them.
        eps: largest change of a pixel, as a share of full scale.
    """

    def __init__(self, *, width: int = 16, eps: float = 8 / 255) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        sizes = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(_block(a, b) for a, b in zip([3, *sizes], sizes, strict=False))
        self.up = nn.ModuleList(_block(sizes[k + 1] + sizes[k], sizes[k]) for k in (2, 1, 0))
        self.out = nn.Conv2d(width, 3, 1)
        nn.init.normal_(self.out.weight, std=1e-2)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        x, skips = pixels, []
        for k, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if k else x)
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        return self.out(x).tanh()

    def perturbed(self, x: Tensor, space: PixelSpace) -> tuple[Tensor, Tensor]:
        """Normalised input (N,3,S,S) or (B,T,3,S,S) -> the same, perturbed within bounds, and the pattern."""
        pixels = space.pixels(x)
        pattern = self(pixels.flatten(0, -4)).float().view_as(pixels)
        return space.changed(x, bounded(self.eps * pattern, pixels, self.eps)), pattern

    @torch.no_grad()
    def attack(self, x: Tensor, space: PixelSpace) -> Tensor:
        """`perturbed`, as the attacker is now, without gradient."""
        with held_still(self):
            return self.perturbed(x, space)[0]


def attacker_losses(
    attacker: UNetAttacker, model: nn.Module, x: Tensor, y: Tensor, space: PixelSpace, weigh: AttackerLoss
) -> dict[str, Tensor]:
    """Losses of the attacker against a model that is held still; their gradient reaches the attacker alone."""
    with held_still(model):
        changed, pattern = attacker.perturbed(x.detach(), space)
        return weigh(model(changed), y, pattern.flatten(0, -4))


def total_variation(pattern: Tensor) -> Tensor:
    """Mean step between neighbours of (N,C,H,W), rows and columns averaged: 0 for one value all over."""
    down, across = (pattern.float().diff(dim=d).abs().mean() for d in (-2, -1))
    return (down + across) / 2


def low_frequencies(pattern: Tensor, band: float = LOW_BAND) -> Tensor:
    """Share of the energy of (N,C,H,W) below `band` cycles per pixel, the mean over pictures; 1 for one value all over."""
    x = pattern.float()
    height, width = x.shape[-2:]
    power = torch.fft.rfft2(x, norm="ortho").abs().square()
    columns = torch.fft.rfftfreq(width, device=x.device)
    rows = torch.fft.fftfreq(height, device=x.device)
    # rfft leaves out the mirrored half: every column stands for two, but the first and, of an even width, the last.
    twice = torch.full_like(columns, 2.0)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    power = power * twice
    low = torch.hypot(rows[:, None], columns[None]) <= band
    parts = (-3, -2, -1)
    n_values = x[0].numel()
    return ((power * low).sum(parts) / (power.sum(parts) + 1e-6 * n_values)).mean()


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_convolved(inputs, outputs), *_convolved(outputs, outputs))


def _convolved(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU()
