"""Pixel space, where perturbations live: bounds are shares of full scale, whatever mean and deviation a model wants.

A perturbation of 8/255 of a normalised tensor would be another one in each channel, and about four times too weak.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tbd_app.types import ModelSpec


@dataclass(frozen=True, slots=True)
class PixelSpace:
    """The way between normalised inputs (...,3,S,S) and pixels in [0,1].

    Attributes:
        mean: per channel, of pixels in [0,1].
        std: likewise.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, spec: ModelSpec) -> PixelSpace:
        """The space of a model's inputs."""
        return cls(spec.mean, spec.std)

    def pixels(self, x: Tensor) -> Tensor:
        """Normalised input -> float32 pixels, within [0,1] exactly."""
        return (x.float() * _column(self.std, x) + _column(self.mean, x)).clamp(0, 1)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels in [0,1] -> what the model takes."""
        return (pixels - _column(self.mean, pixels)) / _column(self.std, pixels)

    def changed(self, x: Tensor, delta: Tensor) -> Tensor:
        """x plus a perturbation that is given in pixels; one of zeros leaves x as it is, bit for bit."""
        return x + delta / _column(self.std, x)


def bounded(delta: Tensor, pixels: Tensor, eps: float) -> Tensor:
    """The nearest perturbation that is nowhere larger than eps and leaves no pixel outside [0,1]."""
    low, high = (-pixels).clamp(min=-eps), (1 - pixels).clamp(max=eps)
    return torch.minimum(torch.maximum(delta, low), high)


@contextmanager
def held_still(model: nn.Module) -> Iterator[None]:
    """Within, a model only passes gradients on: eval mode, no parameter asks for one; then all is as it was.

    BatchNorm takes no statistics and dropout drops nothing, so an attack leaves no trace. cuDNN has no backward for recurrent
    layers in eval mode (pytorch#15788), so it is off where there are any.
    """
    modes = [(module, module.training) for module in model.modules()]
    asking = [p for p in model.parameters() if p.requires_grad]
    recurrent = any(isinstance(module, nn.RNNBase) for module, _ in modes)
    for parameter in asking:
        parameter.requires_grad_(False)
    model.eval()
    try:
        with torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled and not recurrent):
            yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)
        for module, mode in modes:
            module.training = mode


def _column(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=like.device).view(3, 1, 1)
