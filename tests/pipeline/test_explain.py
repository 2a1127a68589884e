"""Which frames are explained, for whom, and on which scale."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline import explain, score, tracks
from tbd_app.pipeline.crops import for_spec, square_around
from tbd_app.types import Faces, Frames, ModelScore
from tests.pipeline.conftest import CLIP_MODEL, FRAME_MODEL, media_of

T = 5
BOX = np.array([100, 20, 200, 150], np.float32)


@pytest.fixture(autouse=True)
def installed(random_weights: Path, weights_dir: Callable[[Path], Path]) -> Path:
    return weights_dir(random_weights)


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
    frames = media_of(8)
    people, scores = judged(frames, FRAME_MODEL)
    shown = explain.explain(frames, people, scores, "cpu").shown
    by_frame = np.array(scores[0].frame_fake_prob)
    order = np.argsort(-by_frame, kind="stable").tolist()
    assert [e.role for e in shown] == ["highest"] * explain.HIGHEST + ["lowest"] * explain.LOWEST
    assert [e.position for e in shown] == [*order[: explain.HIGHEST], *order[::-1][: explain.LOWEST]]
    for one in shown:
        assert one.fake_prob == by_frame[one.position]
        assert (one.model, one.track_id, one.time_s) == (FRAME_MODEL, 0, frames.times_s[one.position])
        assert (one.crop.shape, one.crop.dtype) == ((explain.CROP_PX, explain.CROP_PX, 3), np.uint8)
        assert one.overlay.shape == one.crop.shape
        assert one.heat.shape == one.crop.shape[:2]
        assert one.heat.min() >= 0


def test_every_frame_has_a_map_where_the_crop_lies_in_it() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    explained = explain.explain(frames, people, scores, "cpu")
    assert [m.position for m in explained.maps] == list(range(T))
    x0, y0, side = square_around(BOX, registry.spec(FRAME_MODEL).crop.margin, *frames.images[0].shape[:2])
    for one in explained.maps:
        np.testing.assert_allclose(one.xyxy, [x0, y0, x0 + side, y0 + side], atol=1.5)
    shown = {e.position: e.heat for e in explained.shown}
    for one in explained.maps:  # the same map as in the crop, only coarser
        small = cv2.resize(shown[one.position], one.heat.shape, interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(one.heat, small, atol=0.1)


def test_what_was_mirrored_at_the_border_is_not_shown() -> None:
    frames = media_of(T)  # 240 px high
    box = np.array([[60, 10, 280, 230]], np.float32)
    faces = Faces(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32), np.ones(1, bool))
    people = tracks.link(frames, [faces] * len(frames), min_face_px=32)
    scores = score.score_tracks(FRAME_MODEL, frames, people)
    explained = explain.explain(frames, people, scores, "cpu")
    height, width = frames.images[0].shape[:2]
    for one in explained.shown:
        assert max(one.crop.shape[:2]) < explain.CROP_PX
        assert one.crop.shape[1] / one.crop.shape[0] == pytest.approx(width / height, abs=0.02)
        assert one.overlay.shape == one.crop.shape
    assert all((m.xyxy >= 0).all() and m.xyxy[2] <= width and m.xyxy[3] <= height for m in explained.maps)


def test_the_shown_crop_is_what_the_model_saw() -> None:
    frames = media_of(T)
    people, scores = judged(frames, CLIP_MODEL)  # its input is as large as what is shown
    preprocess = for_spec(registry.spec(CLIP_MODEL))
    for one in explain.explain(frames, people, scores, "cpu").shown:
        seen = preprocess.crops([frames.images[one.position]], people[0].boxes[one.position][None])
        np.testing.assert_array_equal(one.crop, seen[0])
        assert one.fake_prob == scores[0].fake_prob


def test_one_frame_is_explained_once() -> None:
    frames = media_of(1)
    for name in (FRAME_MODEL, CLIP_MODEL):
        people, scores = judged(frames, name)
        (one,) = explain.explain(frames, people, scores, "cpu").shown
        assert (one.role, one.position) == ("highest", 0)


def test_only_the_largest_people_are_explained() -> None:
    frames = media_of(2)
    people, scores = judged(frames, FRAME_MODEL, people=5)
    assert len(people) == 5
    explained = explain.explain(frames, people, scores, "cpu").shown
    assert [e.track_id for e in explained] == [0, 0, 1, 1, 2, 2]


def test_one_scale_holds_for_the_whole_report() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    explained = explain.explain(frames, people, scores, "cpu").shown
    assert max(e.heat.max() for e in explained) <= 1
    # Were each map stretched to its own maximum, all would reach 1.
    peaks = sorted(float(e.heat.max()) for e in explained)
    assert peaks[0] < peaks[1]


def test_who_was_not_judged_is_not_explained() -> None:
    frames = media_of(T)
    people, scores = judged(frames, FRAME_MODEL)
    unjudged = [ModelScore(FRAME_MODEL, s.track_id, "failed", "weights_corrupt") for s in scores]
    assert explain.explain(frames, people, unjudged, "cpu").shown == ()
    assert explain.explain(frames, [], [], "cpu") == explain.Explained()


def test_explaining_leaves_the_scores_as_they_were() -> None:
    frames = media_of(T)
    people, before = judged(frames, FRAME_MODEL)
    explain.explain(frames, people, before, "cpu")
    assert score.score_tracks(FRAME_MODEL, frames, people) == before
