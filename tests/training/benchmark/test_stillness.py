"""How much people move, and the table of thirds."""

from __future__ import annotations

import numpy as np
import pytest

from tbd_app.types import FaceTrack, TrackQuality
from training.benchmark.stillness import motion, share, table


def track(steps_px: list[float]) -> FaceTrack:
    """A face of 100 px whose landmarks go to the right by so many pixels from frame to frame."""
    at = np.cumsum([0.0, *steps_px])
    n = len(at)
    box = np.tile(np.array([0, 0, 80, 100], np.float32), (n, 1))
    landmarks = np.stack([at, np.zeros(n)], axis=-1)[:, None].repeat(5, axis=1)
    return FaceTrack(0, np.arange(n), box, landmarks, TrackQuality(100, 1, 1))


def test_motion_is_the_median_step_in_sides_of_the_face() -> None:
    assert motion(track([1, 2, 50])) == pytest.approx(0.02)
    assert motion(track([])) == 0


def test_thirds_are_those_of_the_real_clips_and_fakes_fall_into_them() -> None:
    labels = np.array([0] * 6 + [1] * 3)
    moved = np.array([1, 2, 3, 4, 5, 6, 0.5, 3.5, 9])
    flagged = np.array([True] + [False] * 5 + [True, False, True])
    sources = np.array([str(n) for n in range(9)])
    lines = list(table(labels, moved, flagged, sources))
    cells = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert [(c[0], c[1], c[3]) for c in cells] == [
        ("still", "2", "1"),
        ("between", "2", "1"),
        ("moving", "2", "1"),
    ]
    assert [c[2].split()[0] for c in cells] == ["50%", "0%", "0%"]
    assert [c[4].split()[0] for c in cells] == ["100%", "0%", "100%"]


def test_a_share_of_nothing_is_a_dash() -> None:
    assert share(np.zeros(0, bool), np.array([])) == "–"
