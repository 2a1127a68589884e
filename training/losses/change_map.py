"""A second task for frame models while they train: which cells of their last map were changed.

Each fake then teaches a network where its trace is, not only that there is one, and it learns from fewer pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tbd_app.models.nets.base import Detector
from training.losses.tower import Tap

_NAME = "where"


class Where:
    """A 1x1 convolution over the layer that Grad-CAM looks at; a part of the model while it trains.

    Args:
        model: a frame model.
        size_px: side of its input.
    """

    def __init__(self, model: Detector, size_px: int) -> None:
        self.tokens, self.tap = model.cam_tokens, Tap(model.cam_layer())
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, size_px, size_px))
        model.add_module(_NAME, nn.Conv2d(self.tokens(self.tap.gave).shape[1], 1, 1))

    @classmethod
    def of(cls, model: Detector, size_px: int) -> Where | None:
        """This part, or None for a model that names no such layer."""
        try:
            return cls(model, size_px)
        except NotImplementedError as error:
            print(f"Trained without the second task: {error}.")
            return None

    def loss(self, model: nn.Module, changed: Tensor) -> Tensor:
        """Cross entropy per cell after a forward pass of `model`.

        Args:
            model: with this part in it, wrapped or not.
            changed: (N,g,g) in [0,1], or -1 where it is not known, which counts for nothing.
        """
        layer: nn.Module = getattr(getattr(model, "module", model), _NAME)
        cells = layer(self.tokens(self.tap.gave)).float()
        wanted = F.adaptive_avg_pool2d(changed[:, None], cells.shape[-2:])
        known = (wanted >= 0).float()
        losses = F.binary_cross_entropy_with_logits(cells, wanted.clamp(min=0), reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)

    @staticmethod
    def forget(model: nn.Module) -> None:
        """Take the part out of a model, if it has it."""
        if hasattr(model, _NAME):
            delattr(model, _NAME)
