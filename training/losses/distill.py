"""A trained frame model as teacher: its soft labels on the very crops that the student sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tbd_app.models import registry, weights
from tbd_app.models.nets.base import Detector, masked_mean
from tbd_app.types import ModelSpec
from training.losses.classify import distillation
from training.networks.softened import AgainstReduced


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """The teacher, and how much it counts.

    Attributes:
        checkpoint: of a registered frame model whose soft labels the student learns too; none by default.
        weight: of that loss; the labels keep 1 - weight.
        temperature: softens teacher and student.
    """

    checkpoint: Path | None = None
    weight: float = 0.5
    temperature: float = 2.0


class Teacher:
    """Soft labels of a frame model; for a clip the mean over its frames.

    Args:
        config: names the checkpoint.
        student: whose crops it will see; they must be squares at least as wide as the teacher's.

    Raises:
        WeightsMissing, WeightsCorrupt: the checkpoint is not there or not usable.
        SystemExit: it is no frame model, or sees more of the surroundings than the student.
    """

    def __init__(self, config: TeacherConfig, student: ModelSpec) -> None:
        assert config.checkpoint is not None
        self.config, self.student = config, student
        name = weights.read_header(config.checkpoint)["name"]
        self.spec = registry.spec(name, config.checkpoint)
        if self.spec.task != "frame":
            raise SystemExit(f"{name} is no frame model and cannot teach.")
        crops = self.spec.crop, student.crop
        if crops[0].kind != crops[1].kind or crops[0].margin > crops[1].margin:
            raise SystemExit(f"{name} sees {crops[0]}, which the student's crop ({crops[1]}) does not hold.")
        self.model: Detector = registry.load(name, path=config.checkpoint)

    @torch.no_grad()
    def soft_labels(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Probabilities (B,2) at the configured temperature.

        Args:
            x: (B,3,S,S) or (B,T,3,S,S), normalised for the student.
            mask: (B,T) of clips.
        """
        frames = x.flatten(0, -4)
        teacher = AgainstReduced(self.model.to(x.device), self.spec.calibration.softened_share)
        logits = teacher(self.as_own(frames)).float()
        soft = (logits / self.config.temperature).softmax(-1)
        return soft if x.ndim == 4 else masked_mean(soft.unflatten(0, x.shape[:2]), mask)

    def as_own(self, x: Tensor) -> Tensor:
        """Crops (N,3,S,S) of the student as the teacher takes them: its part of the square, size and normalisation."""
        inner = round(x.shape[-1] * self.spec.crop.margin / self.student.crop.margin)
        start = (x.shape[-1] - inner) // 2
        x = x[..., start : start + inner, start : start + inner]
        size = (self.spec.input_size, self.spec.input_size)
        if x.shape[-2:] != size:
            x = nn.functional.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        if (self.spec.mean, self.spec.std) != (self.student.mean, self.student.std):
            was, now = (
                [torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (spec.mean, spec.std)]
                for spec in (self.student, self.spec)
            )
            x = (x * was[1] + was[0] - now[0]) / now[1]
        return x.contiguous(memory_format=torch.channels_last)

    def join(
        self, losses: dict[str, Tensor], logits: Tensor, x: Tensor, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Losses of the labels, with the teacher's mixed in.

        Args:
            losses: with "loss" from the labels.
            logits: (B,2) of the student for x.
            x: as of `soft_labels`.
            mask: as of `soft_labels`.
        """
        taught = distillation(logits, self.soft_labels(x, mask), self.config.temperature)
        share = self.config.weight
        return losses | {
            "loss": (1 - share) * losses["loss"] + share * taught,
            "teacher_loss": taught.detach(),
        }
