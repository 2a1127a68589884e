"""The state of a run in one file, `last.pt`: all that makes a resumed run equal to an unbroken one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        step: optimiser steps done.
        running: smoothed losses and figures of training.
        best: best monitored figure so far.
        best_step: where it was reached.
        stale: validations since then.
        minutes: spent training and validating, all sessions together.
        due: the validation of this step is still to come.
    """

    step: int = 0
    running: dict[str, float] = field(default_factory=dict)
    best: float = float("-inf")
    best_step: int = 0
    stale: int = 0
    minutes: float = 0.0
    due: bool = False


class Stateful(Protocol):
    """Whatever can say what it needs to go on: a module, an optimiser, both together."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


@dataclass(frozen=True, slots=True)
class State:
    """What `last.pt` holds. Frozen parameters are left out: they come back with the model.

    Attributes:
        path: of the file.
        accelerator: of the run.
        model: without the wrapper of several processes.
        ema: averaged weights, or None.
        optimizer: with its moments.
        beside: what else learns, by name.
    """

    path: Path
    accelerator: Accelerator
    model: nn.Module
    ema: nn.Module | None
    optimizer: Any
    beside: Mapping[str, Stateful] = field(default_factory=dict)

    def save(self, progress: Progress) -> None:
        """Write the state, whole or not at all; every process of a run calls it, the main one writes."""
        scaler = self.accelerator.scaler
        state = {
            "model": trained_state(self.model),
            "ema": trained_state(self.ema) if self.ema else {},
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
            "beside": {name: part.state_dict() for name, part in self.beside.items()},
            "progress": asdict(progress),
            "generators": gather_object([generator_states()]),
        }
        if self.accelerator.is_main_process:
            write(self.path, state)
        self.accelerator.wait_for_everyone()

    def load(self) -> Progress:
        """Bring back what `save` wrote.

        Raises:
            SystemExit: there is no saved state, or it belongs to another model or recipe.
        """
        if not self.path.is_file():
            raise SystemExit(f"There is nothing to resume: {self.path} does not exist.")
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        load_trained(self.model, state["model"], self.path)
        if self.ema:
            load_trained(self.ema, state["ema"], self.path)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        kept = state.get("beside", {})
        if wrong := sorted(kept.keys() ^ self.beside.keys()):
            raise SystemExit(
                f"{self.path} is of another recipe: {', '.join(wrong)} is in one of the two only."
            )
        for name, part in self.beside.items():
            part.load_state_dict(kept[name])
        if (own := self.accelerator.process_index) < len(state["generators"]):
            set_generator_states(state["generators"][own])
        return Progress(**state["progress"])


def write(path: Path, state: dict[str, Any]) -> None:
    """Save a file that a kill leaves old or new, never torn."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.rename(path)


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of a module without its frozen parameters."""
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def load_trained(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load what `trained_state` gave, strictly.

    Raises:
        SystemExit: keys are missing or unexpected.
    """
    wrong = sorted(trained_state(model).keys() ^ state.keys())
    if wrong:
        raise SystemExit(
            f"{path} belongs to another model: {', '.join(wrong[:5])} are in one of the two only."
        )
    model.load_state_dict(state, strict=False)


def generator_states() -> dict[str, Any]:
    """The random states of Python, NumPy and torch, in types that load without pickle."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002  libraries still draw from it
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),  # pyright: ignore[reportAttributeAccessIssue]
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_generator_states(states: dict[str, Any]) -> None:
    """Bring back what `generator_states` gave."""
    version, inner, gauss = states["python"]
    random.setstate((version, tuple(inner), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


@contextmanager
def same_generators() -> Iterator[None]:
    """What is drawn inside leaves no trace, so that a validation changes no training."""
    states = generator_states()
    try:
        yield
    finally:
        set_generator_states(states)
