"""What a model costs to keep and to run: parameters, file size, operations and seconds per clip."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tbd_app.models import manifest, registry
from tbd_app.models.nets.base import reduced
from tbd_app.pipeline import score

FRAMES = 32
REPEATS = 5


def of(name: str) -> dict[str, Any]:
    """Cost of an installed model on this machine's CPU, face detection not counted.

    Returns:
        `{"n_params", "file_mb", "gflops", "clip_s", "frames", "threads"}`; a multiply-add counts as two operations, and both
        operations and seconds (median of a few runs) are those of one clip: of 32 frames those that serving scores for a
        frame model, `clip_len` for a clip model.
    """
    spec, model = registry.spec(name), score.loaded(name, "cpu")
    side = spec.input_size
    length = spec.clip_len if spec.task == "clip" else len(score.scored_rows(model, FRAMES))
    x = torch.zeros((1, length, 3, side, side) if spec.task == "clip" else (length, 3, side, side))
    passes = [x, reduced(x[:: score.SOFTENED_EVERY])] if spec.calibration.softened_share else [x]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        for part in passes:
            model(part)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for part in passes:
            score.forward(model, part)
        seconds.append(time.perf_counter() - start)
    return {
        "n_params": sum(p.numel() for p in model.parameters()),
        "file_mb": round(manifest.entries()[name].bytes / 1e6, 1),
        "gflops": round(counter.get_total_flops() / 1e9, 1),
        "clip_s": round(statistics.median(seconds), 3),
        "frames": length,
        "threads": torch.get_num_threads(),
    }
