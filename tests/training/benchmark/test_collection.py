"""Faces that were cut beforehand are scored as serving scores the clip that they were cut from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app.medium import Runs
from tbd_app.pipeline import neighbours
from tests.training.faces.test_shards import cut_face, medium
from training.benchmark.collection import open_collections
from training.collect.cut import CutMedium
from training.collect.store import FaceWriter

GAP_S = 0.15


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 6 s, two people in it, a face each every 0.15 s."""
    root = tmp_path_factory.mktemp("faces")
    faces = [
        replace(cut_face(track, k % 8), frame=4 * k, time_s=GAP_S * k)
        for track in range(2)
        for k in range(40)
    ]
    with FaceWriter(root, "shards") as writer:
        writer.add(medium("clip.mp4", 1, "test"), CutMedium(tuple(faces), fps=25.0, n_frames=160))
    return root


@pytest.mark.parametrize(
    ("runs", "step", "count"),
    [
        (Runs(10, 0.3, 5), 2, 2),  # DFD-FCG: clips of 3 s, of every other face
        (Runs(8, 0.2, 4), 1, 4),  # a step that falls between the faces: neighbours, as training takes them
        (Runs(8, 0.0, 4), 1, 4),
    ],
)
def test_a_model_on_neighbours_sees_them_as_far_apart_as_it_was_trained(
    root: Path, runs: Runs, step: int, count: int
) -> None:
    (part,) = open_collections(root, "test")
    seen = part.look(0)
    assert len(seen.tracks) == 2
    for track in seen.tracks:
        clips = neighbours.clips_of(runs, seen.frames, track)
        assert len(clips) == count
        for frames, clip in clips:
            assert len(clip) == runs.length
            assert np.diff(frames.times_s[clip.positions]) == pytest.approx(step * GAP_S)
