"""Frame models that are served with a share of the softened face's logit (`Calibration.softened_share`), as they learn."""

from __future__ import annotations

from torch import Tensor, nn

from tbd_app.models.nets.base import reduced


class AgainstReduced(nn.Module):
    """A frame model's logits, less a share of what it says of the same pictures `reduced`: x (N,3,S,S) -> (N,2).

    Pictures that are soft anyway say the same twice; what remains of a score is what fine detail adds to it.

    Args:
        model: (N,3,S,S) -> (N,2); it sees x last.
        share: 0 for the model's own logits.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        super().__init__()
        self.model, self.share = model, share

    def forward(self, x: Tensor) -> Tensor:
        if not self.share:
            return self.model(x)
        softened = self.model(reduced(x))
        return self.model(x) - self.share * softened
