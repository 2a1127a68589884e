"""Whether the memory of a server that works grows: taken where it holds no frames, with an interval."""

from __future__ import annotations

import numpy as np

from training.engine.metrics import interval

WINDOW_S = 15.0  # the least of each is taken: in between frames of a file are held


def at_rest(memory: np.ndarray) -> np.ndarray:
    """Of (N,2) minutes and MiB the least of each window, (W,2)."""
    windows = (memory[:, 0] * 60 // WINDOW_S).astype(int)
    parts = [memory[windows == w] for w in np.unique(windows)]
    return np.array([part[part[:, 1].argmin()] for part in parts])


def growth(memory: np.ndarray) -> tuple[float, float, float, float]:
    """Of (N,2) minutes and MiB: MiB at the start, MiB a minute by least squares, and its 95 % interval over drawn windows."""
    rest = at_rest(memory)
    if len(rest) < 3:
        return float(rest[0, 1]), 0.0, 0.0, 0.0
    rng = np.random.default_rng(0)
    chosen = [rest, *(rest[rng.integers(0, len(rest), len(rest))] for _ in range(1000))]
    slopes = [np.polyfit(m[:, 0], m[:, 1], 1)[0] for m in chosen if np.ptp(m[:, 0]) > 0]
    return float(rest[0, 1]), float(slopes[0]), *interval(slopes[1:])
