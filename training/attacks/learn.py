"""A U-Net attacker while it learns: one step a batch against a model as it is at that moment, and its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training.attacks.space import PixelSpace
from training.attacks.unet import AttackerLoss, UNetAttacker, attacker_losses


@dataclass(frozen=True, slots=True)
class AttackerConfig:
    """The attacker and how it learns.

    Attributes:
        width: see `UNetAttacker`.
        eps: likewise.
        lr: of Adam with betas .5 and .999.
        clip_norm: largest norm of its gradient.
        weigh: its penalties.
    """

    width: int = 16
    eps: float = 8 / 255
    lr: float = 1e-4
    clip_norm: float = 1.0
    weigh: AttackerLoss = field(default_factory=AttackerLoss)


class Learner:
    """An attacker with its optimiser; `state_dict` holds both, so that a resumed run equals an unbroken one.

    Args:
        config: of the attacker.
        space: of the inputs.
        device: where the attacked model is.
        fp16: autocast is fp16, so the loss is scaled.
    """

    def __init__(
        self, config: AttackerConfig, space: PixelSpace, device: torch.device, *, fp16: bool = False
    ) -> None:
        self.config, self.space = config, space
        self.attacker = UNetAttacker(width=config.width, eps=config.eps).to(device)
        self.optimizer = torch.optim.Adam(self.attacker.parameters(), lr=config.lr, betas=(0.5, 0.999))
        self.scaler = torch.amp.GradScaler(device.type, enabled=fp16 and device.type == "cuda")

    def step(self, model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """One step on a batch of normalised pictures and true labels; a gradient that is not finite is passed over.

        Of several processes each gives its batch, and all take the same step.
        """
        self.attacker.train()
        self.optimizer.zero_grad(set_to_none=True)
        losses = attacker_losses(self.attacker, model, x, y, self.space, self.config.weigh)
        self.scaler.scale(losses["loss"]).backward()
        _average([p.grad for p in self.attacker.parameters() if p.grad is not None])
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.attacker.parameters(), self.config.clip_norm)
        if self.scaler.is_enabled() or norm.isfinite():  # the scaler looks itself
            self.scaler.step(self.optimizer)
        self.scaler.update()
        return {name: value.detach() for name, value in losses.items()}

    def attack(self, x: Tensor) -> Tensor:
        """What the attacker makes of normalised pictures now, without gradient."""
        return self.attacker.attack(x, self.space)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on."""
        parts = {"attacker": self.attacker, "optimizer": self.optimizer, "scaler": self.scaler}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring back what `state_dict` gave."""
        self.attacker.load_state_dict(state["attacker"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])


def _average(gradients: list[Tensor]) -> None:
    """Put the mean over all processes in place of what each has."""
    if PartialState().num_processes > 1:
        mean: Any = reduce(nn.utils.parameters_to_vector(gradients), reduction="mean")
        nn.utils.vector_to_parameters(mean, gradients)


def save_attacker(attacker: UNetAttacker, path: Path) -> None:
    """Write the weights, with width and eps in the header."""
    state = {key: value.detach().cpu().contiguous() for key, value in attacker.state_dict().items()}
    save_file(state, path, metadata={"width": str(attacker.width), "eps": repr(attacker.eps)})


def load_attacker(path: Path) -> UNetAttacker:
    """What `save_attacker` wrote.

    Raises:
        SystemExit: the file is missing, or holds no attacker.
    """
    if not path.is_file():
        raise SystemExit(f"There is no attacker at {path}.")
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  no mapping
    if not {"width", "eps"} <= header.keys():
        raise SystemExit(f"{path} holds no attacker: its header names no width and eps.")
    attacker = UNetAttacker(width=int(header["width"]), eps=float(header["eps"]))
    attacker.load_state_dict(state)
    return attacker
