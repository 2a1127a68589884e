"""A teacher's maps as hints: a student on another backbone learns how each place looks to the teacher, stage by stage.

Every cell of every map is a target, so a network without public features learns from far fewer pictures than labels ask for.

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015 (arXiv 1412.6550).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.nets.base import Detector
from training.losses.tower import Tap

_NAME = "hints"
STRIDES = (8, 16, 32)


class Hints:
    """1x1 convolutions from the student's stages and pooled features to the teacher's; a part of the student while it trains.

    Args:
        student: a frame model on a backbone of timm.
        teacher: another one.
        size_px: side of the student's input; the teacher's may differ.
    """

    def __init__(self, student: Detector, teacher: Detector, size_px: int) -> None:
        self.taps = list(zip(_taps(student), _taps(teacher), strict=True))
        with torch.no_grad():
            x = torch.zeros(1, 3, size_px, size_px)
            student.eval()(x)
            teacher(x)
        layers = (nn.Conv2d(s.shape[1], t.shape[1], 1) for s, t in self._maps())
        student.add_module(_NAME, nn.ModuleList(layers))

    def loss(self, student: nn.Module) -> Tensor:
        """Mean squared error over the stages, after both have seen the same crops.

        A channel of the teacher counts by its standard deviation over the batch.

        Args:
            student: with this part in it, wrapped or not.
        """
        layers: Any = getattr(getattr(student, "module", student), _NAME)
        losses = []
        for layer, (own, taught) in zip(layers, self._maps(), strict=True):
            wanted = F.batch_norm(taught.float(), None, None, training=True)
            wanted = F.adaptive_avg_pool2d(wanted, own.shape[-2:])  # pyright: ignore[reportArgumentType]
            losses.append(F.mse_loss(layer(own).float(), wanted))
        return torch.stack(losses).mean()

    def _maps(self) -> list[tuple[Tensor, Tensor]]:
        """What student and teacher have at each stage, (N,C,h,w) each; pooled features have one cell."""
        return [(_as_map(*student), _as_map(*teacher)) for student, teacher in self.taps]

    @staticmethod
    def forget(student: nn.Module) -> None:
        """Take the part out of a student, if it has it."""
        if hasattr(student, _NAME):
            delattr(student, _NAME)


def _taps(model: Detector) -> list[tuple[Tap, bool]]:
    """A tap for each of `STRIDES` and for the pooled features, and whether its channels come last."""
    net: Any = model.backbone
    stages = {stage["reduction"]: stage["module"] for stage in net.feature_info}
    last = getattr(net, "output_fmt", "NCHW") == "NHWC"
    return [*((Tap(net.get_submodule(stages[s])), last) for s in STRIDES), (Tap(net), False)]


def _as_map(tap: Tap, channels_last: bool) -> Tensor:
    x = tap.gave.movedim(-1, 1) if channels_last else tap.gave
    return x if x.ndim == 4 else x[..., None, None]
