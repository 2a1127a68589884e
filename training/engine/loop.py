"""The training loop, once, in the open: growing input size, a cosine learning rate, averaged weights."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

Step = Callable[[nn.Module, tuple[Tensor, ...]], Tensor]


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """What the loop needs besides data and model.

    Attributes:
        steps: optimiser steps in all.
        warmup_steps: linear warm-up of the learning rate.
        lr: peak learning rate of AdamW.
        weight_decay: of AdamW.
        ema_decay: of the averaged weights, which are the ones validated and exported.
        validate_every: steps between validations.
        max_minutes: stop cleanly after so long; `--resume` goes on.
    """

    steps: int = 4500
    warmup_steps: int = 150
    lr: float = 5e-4
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    validate_every: int = 400
    max_minutes: float = math.inf


def learning_rate(config: LoopConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * min(share, 1))) / 2)


def fit(
    model: nn.Module,
    batches: Callable[[int], Iterable[tuple[Tensor, ...]]],
    step_loss: Step,
    validate: Callable[[nn.Module], dict[str, float]],
    config: LoopConfig,
    run_dir: Path,
    *,
    resume: bool = False,
) -> nn.Module:
    """Train, keep `last.pt` for resuming and `metrics.csv`; return the averaged model.

    Args:
        model: trained in place.
        batches: given the first step, the batches from there to the last step.
        step_loss: loss of a batch.
        validate: figures of a model, logged and written to metrics.csv.
        config: numbers.
        run_dir: where the run lives.
        resume: go on from `last.pt`.
    """
    accelerator = Accelerator(mixed_precision="bf16")
    run_dir.mkdir(parents=True, exist_ok=True)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(_groups(model, config.weight_decay), lr=config.lr)
    model, optimizer = accelerator.prepare(model, optimizer)
    ema = AveragedModel(
        accelerator.unwrap_model(model),
        multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),
        use_buffers=True,
    )
    start = _load(run_dir / "last.pt", model, ema, optimizer) if resume else 0
    began, running = time.monotonic(), 0.0
    bar = tqdm(batches(start), total=config.steps, initial=start, desc="train", unit="step")
    step = start
    for step, batch in enumerate(bar, start + 1):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step - 1)
        with accelerator.autocast():
            loss = step_loss(model, tuple(part.to(accelerator.device) for part in batch))
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.update_parameters(accelerator.unwrap_model(model))
        running = loss.item() if step == start + 1 else 0.98 * running + 0.02 * loss.item()
        bar.set_postfix(loss=f"{running:.3f}")
        out_of_time = time.monotonic() - began > config.max_minutes * 60
        if step % config.validate_every == 0 or step == config.steps or out_of_time:
            _save(run_dir / "last.pt", model, ema, optimizer, step)
            figures = validate(ema.module)
            _log(run_dir / "metrics.csv", {"step": step, "loss": running, **figures})
            bar.write(
                f"step {step} loss {running:.4f} " + " ".join(f"{k} {v:.4f}" for k, v in figures.items())
            )
        if out_of_time:
            bar.write(f"Stopped after {config.max_minutes:g} minutes at step {step}; --resume goes on.")
            break
    return ema.module


def _groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weights decay; biases and normalisation do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _save(path: Path, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state = {
        "model": model.state_dict(),
        "ema": ema.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "rng": torch.get_rng_state(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.rename(path)  # a killed save leaves the old file whole


def _load(path: Path, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    ema.load_state_dict(state["ema"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    return int(state["step"])


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
