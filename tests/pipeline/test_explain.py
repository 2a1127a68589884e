"""Which frames are explained, for whom, and on which scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline import explain, score, tracks
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import Faces, Frames, ModelScore
from tests import media_factory
from tests.pipeline.conftest import CLIP_MODEL, FRAME_MODEL

T = 5
BOX = np.array([100, 20, 200, 150], np.float32)


@pytest.fixture(autouse=True)
def installed(random_weights: Path, weights_dir: Callable[[Path], Path]) -> Path:
    return weights_dir(random_weights)


def media_of(n: int) -> Frames:
    images = tuple(media_factory.portrait_frame(5 * i) for i in range(n))
    return Frames(images, np.arange(n), np.arange(n) / 4, requested=n)


def judged(frames: Frames, name: str, people: int = 1) -> tuple[list, list[ModelScore]]:
    """Tracks of `people` non-overlapping windows and a model's scores on them."""
    side = 320 // people
    boxes = np.array([[side * p + 2, 20, side * (p + 1) - 2, 16 + side] for p in range(people)], np.float32)
    boxes = BOX[None] if people == 1 else boxes
    n = len(boxes)
    faces = Faces(boxes, np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32), np.ones(n, bool))
    found = tracks.link(frames, [faces] * len(frames), min_face_px=32)
    return found, score.score_tracks(name, frames, found)


def test_the_most_and_the_least_suspicious_frames_are_explained() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    highest, lowest = explain.explain(frames, people, scores, "cpu")
    by_frame = np.array(scores[0].frame_fake_prob)
    assert (highest.role, lowest.role) == ("highest", "lowest")
    assert highest.position == int(by_frame.argmax()) != lowest.position == int(by_frame.argmin())
    assert (highest.fake_prob, lowest.fake_prob) == (by_frame.max(), by_frame.min())
    for one in (highest, lowest):
        assert (one.model, one.track_id, one.time_s) == (FRAME_MODEL, 0, frames.times_s[one.position])
        assert (one.crop.shape, one.crop.dtype) == ((explain.CROP_PX, explain.CROP_PX, 3), np.uint8)
        assert one.overlay.shape == one.crop.shape
        assert one.heat.shape == one.crop.shape[:2]
        assert one.heat.min() >= 0


def test_the_shown_crop_is_what_the_model_saw() -> None:
    frames = media_of(T)
    people, scores = judged(frames, CLIP_MODEL)  # its input is as large as what is shown
    preprocess = for_spec(registry.spec(CLIP_MODEL))
    for one in explain.explain(frames, people, scores, "cpu"):
        seen = preprocess.crops([frames.images[one.position]], people[0].boxes[one.position][None])
        np.testing.assert_array_equal(one.crop, seen[0])
        assert one.fake_prob == scores[0].fake_prob


def test_one_frame_is_explained_once() -> None:
    frames = media_of(1)
    for name in (FRAME_MODEL, CLIP_MODEL):
        people, scores = judged(frames, name)
        (one,) = explain.explain(frames, people, scores, "cpu")
        assert (one.role, one.position) == ("highest", 0)


def test_only_the_largest_people_are_explained() -> None:
    frames = media_of(2)
    people, scores = judged(frames, FRAME_MODEL, people=5)
    assert len(people) == 5
    explained = explain.explain(frames, people, scores, "cpu")
    assert [e.track_id for e in explained] == [0, 0, 1, 1, 2, 2]


def test_one_scale_holds_for_the_whole_report() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    explained = explain.explain(frames, people, scores, "cpu")
    assert max(e.heat.max() for e in explained) <= 1
    # Were each map stretched to its own maximum, all would reach 1.
    peaks = sorted(float(e.heat.max()) for e in explained)
    assert peaks[0] < peaks[1]


def test_who_was_not_judged_is_not_explained() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    unjudged = [ModelScore(FRAME_MODEL, s.track_id, "failed", "weights_corrupt") for s in scores]
    assert explain.explain(frames, people, unjudged, "cpu") == ()
    assert explain.explain(frames, [], [], "cpu") == ()


def test_explaining_leaves_the_scores_as_they_were() -> None:
    frames = media_of(T)
    people, before = judged(frames, FRAME_MODEL)
    explain.explain(frames, people, before, "cpu")
    assert score.score_tracks(FRAME_MODEL, frames, people) == before
