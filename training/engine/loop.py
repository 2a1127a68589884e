"""The training loop, once, in the open: any device, mixed precision, accumulation, averaged weights, clean stops.

A recipe is three functions and no class: `batches(start)` gives the batches from number `start` on, `step(model, batch)`
gives {"loss": ..., other figures}, `validate(model)` gives figures. Several GPUs or machines: `accelerate launch`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, reduce, send_to_device
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from training.engine import checkpoint
from training.engine.checkpoint import Progress
from training.engine.config import LoopConfig
from training.engine.run import Run
from training.engine.sharpness import uphill

Step = Callable[[nn.Module, Any], dict[str, Tensor]]
SMOOTHING = 0.98


def fit(
    model: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    step: Step,
    validate: Callable[[nn.Module], dict[str, float]],
    config: LoopConfig,
    run: Run,
    *,
    groups: Callable[[nn.Module, float], list[dict[str, Any]]] | None = None,
    beside: Mapping[str, checkpoint.Stateful] | None = None,
) -> nn.Module:
    """Train, log to the run folder, save its state at each validation; return the model to export.

    On a CPU a stopped and resumed run equals an unbroken one bit for bit, if batch number i is always the same.

    Args:
        model: trained in place; frozen parameters (requires_grad False) stay.
        batches: given how many batches were used before, the batches from there on; their end ends the run.
        step: losses of a batch (tensors on the model's device); "loss" is minimised, the rest is logged.
        validate: figures of a model; only the main process calls it. What it draws leaves no trace.
        config: numbers, counted in steps (`LoopConfig.in_steps`).
        run: where the run lives; with `run.resume` it goes on from `last.pt`.
        groups: (model, weight_decay) to the optimiser's groups; "lr_scale" in a group scales its learning rate.
        beside: what a step trains besides the model, by name; it is saved and resumed with it.

    Raises:
        SystemExit: the loss is no number, there is nothing to resume, or the config does not fit.
    """
    if config.unit != "step":
        raise SystemExit("--loop.unit epoch is not for this script: its data have no end, so count in steps.")
    if config.sharpness and (config.accumulate > 1 or config.precision == "fp16"):
        raise SystemExit("--loop.sharpness needs --loop.accumulate 1 and no fp16: it takes a gradient twice.")
    accelerator = Accelerator(
        mixed_precision=_precision(config), gradient_accumulation_steps=config.accumulate
    )
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(config, (groups or decay_groups)(model, config.weight_decay))
    model, optimizer = accelerator.prepare(model, optimizer)
    bare = accelerator.unwrap_model(model)
    ema = _averaged(bare, config)
    kept = ema.module if ema else bare
    state = checkpoint.State(run.path / "last.pt", accelerator, bare, ema, optimizer, beside or {})
    progress = state.load() if run.resume else Progress()
    run.begin_at(progress.step - progress.due)

    began, minutes_before = time.monotonic(), progress.minutes
    bar = tqdm(desc="train", unit="step", total=config.steps, initial=progress.step, disable=not run.writes)

    def take_figures() -> None:
        figures = _validated(accelerator, validate, kept)
        if _improves(progress, figures, config) and config.keep == "best" and run.writes:
            checkpoint.write(run.path / "best.pt", checkpoint.trained_state(kept))
        row = {"step": progress.step, **progress.running, **figures}
        bar.write(" ".join(f"{name} {value:.4g}" for name, value in row.items()))
        run.log(row | {"lr": learning_rate(config, progress.step - 1), "minutes": progress.minutes})
        progress.due = False
        state.save(progress)

    if progress.due:
        take_figures()
    stream = () if _finished(progress, config) else batches(progress.step * config.accumulate)
    of_step: list[dict[str, Tensor]] = []
    for batch in stream:
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, progress.step) * group.get("lr_scale", 1.0)
        batch = send_to_device(batch, accelerator.device)
        with accelerator.accumulate(model):
            with accelerator.autocast():
                losses = step(model, batch)
            accelerator.backward(losses["loss"])
            if config.sharpness:
                with uphill(bare, config.sharpness):
                    with accelerator.autocast():
                        again = step(model, batch)
                    accelerator.backward(again["loss"])
            if accelerator.sync_gradients and config.clip_norm:
                accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        of_step.append({name: value.detach().float() for name, value in losses.items()})
        if not accelerator.sync_gradients:
            continue
        _smooth(progress, _mean(of_step))
        of_step = []
        if ema:
            ema.update_parameters(bare)
        progress.step += 1
        bar.update()
        bar.set_postfix({name: f"{value:.3f}" for name, value in progress.running.items()})

        session = (time.monotonic() - began) / 60
        progress.minutes = minutes_before + session
        progress.due = progress.step % config.validate_every == 0 or progress.step >= config.steps
        stop = _any_process(accelerator, session > config.max_minutes)
        if progress.due or stop:
            state.save(progress)  # before it is validated: what goes wrong there costs no training
        if progress.due:
            take_figures()
        if stop or _finished(progress, config):
            break
    bar.close()
    run.close()
    accelerator.print(_end(progress, config))
    if config.keep == "best" and (best := run.path / "best.pt").is_file():
        checkpoint.load_trained(kept, torch.load(best, map_location="cpu", weights_only=True), best)
    return kept


def learning_rate(config: LoopConfig, step: int) -> float:
    """Linear warm-up, then the schedule; `step` counts from 0."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * config.decay_factor ** (step // config.decay_every)
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    height = (1 + math.cos(math.pi * min(share, 1))) / 2
    return config.lr * (config.lr_floor + (1 - config.lr_floor) * height)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and normalisation do not."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def make_optimizer(config: LoopConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser of these groups."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer](groups, lr=config.lr)


def _finished(progress: Progress, config: LoopConfig) -> bool:
    return progress.step >= config.steps or 0 < config.patience <= progress.stale


def _end(progress: Progress, config: LoopConfig) -> str:
    if not _finished(progress, config):
        return f"Stopped at step {progress.step} of {config.steps}; --resume goes on."
    best = f"; {config.monitor} was best at step {progress.best_step}" if progress.best_step else ""
    return f"Done at step {progress.step} of {config.steps}{best}."


def _precision(config: LoopConfig) -> str:
    # fp16 needs a scaled loss, which is for GPUs; a CPU then computes in full.
    return "no" if config.precision == "fp16" and not torch.cuda.is_available() else config.precision


def _averaged(model: nn.Module, config: LoopConfig) -> AveragedModel | None:
    if not config.ema_decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)


def _mean(losses: Sequence[dict[str, Tensor]]) -> dict[str, float]:
    """What a step's batches say on average, those of all processes together."""
    names = list(losses[0])
    mean = torch.stack([torch.stack([one[name] for name in names]) for one in losses]).mean(0)
    return dict(zip(names, reduce(mean, reduction="mean").tolist(), strict=True))


def _smooth(progress: Progress, losses: dict[str, float]) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            raise SystemExit(f"{name} is {value} at step {progress.step + 1}: a lower --loop.lr may help.")
        progress.running[name] = SMOOTHING * progress.running.get(name, value) + (1 - SMOOTHING) * value


def _validated(
    accelerator: Accelerator, validate: Callable[[nn.Module], dict[str, float]], model: nn.Module
) -> dict[str, float]:
    """Figures of the main process, told to all."""
    with checkpoint.same_generators():
        given = [validate(model) if accelerator.is_main_process else {}]
    return broadcast_object_list(given)[0]


def _improves(progress: Progress, figures: dict[str, float], config: LoopConfig) -> bool:
    """Take note of a validation; whether it is the best so far, which an undefined figure never is."""
    if config.monitor not in figures:
        if config.patience or config.keep == "best":
            raise SystemExit(f"--loop.monitor {config.monitor} is none of {', '.join(figures)}.")
        return False
    better = figures[config.monitor] > progress.best
    progress.stale = 0 if better else progress.stale + 1
    if better:
        progress.best, progress.best_step = figures[config.monitor], progress.step
    return better


def _any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether any process says so: clocks differ, and all must stop at the same step."""
    if flag:
        accelerator.set_trigger()
    return accelerator.check_trigger()
