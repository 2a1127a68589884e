"""Views are compared like with like: one that changes nothing moves nothing, and one that turns an answer takes it away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.models.nets.cnn_lstm import CnnLstm
from tbd_app.pipeline import score, stability, tracks, verdict
from tbd_app.pipeline.stability import spread, view_logits, views_of
from tbd_app.pipeline.views import VIEWS
from tbd_app.steady import Steadiness, ViewAnswer
from tbd_app.types import Calibration, Faces, FaceTrack, Frames, Label, ModelScore, Verdict
from tests.pipeline.conftest import CLIP_MODEL, FRAME_MODEL, media_of

T = 11
BOXES = np.array([[110, 30, 200, 150], [10, 30, 100, 150]], np.float32)
POINTS = np.array([[35, 45], [55, 45], [45, 65], [35, 80], [55, 80]], np.float32)


@pytest.fixture(scope="module")
def frames() -> Frames:
    return media_of(T)


@pytest.fixture(scope="module")
def people(frames: Frames) -> list[FaceTrack]:
    points = np.stack([POINTS + box[:2] for box in BOXES])
    faces = [Faces(BOXES, np.ones(2, np.float32), points, np.ones(2, bool)) for _ in range(T)]
    return tracks.link(frames, faces)


@pytest.fixture
def installed(random_weights: Path, weights_dir: Callable[[Path], Path], monkeypatch) -> None:
    weights_dir(random_weights)
    monkeypatch.setattr(score, "has_bf16", lambda device: False)


@pytest.fixture
def unchanged(monkeypatch) -> None:
    """Every view leaves the face as it is."""
    for name in VIEWS:
        monkeypatch.setitem(VIEWS, name, lambda face, preprocess: face)


@pytest.mark.parametrize(
    ("how", "share"),
    [("frame", 0.0), ("frame", 0.5), ("clip, frame by frame", 0.0), ("clip as a whole", 0.0)],
)
def test_a_view_that_changes_nothing_has_the_score_of_the_verdict(
    installed, unchanged, frames, people, how, share, monkeypatch
) -> None:
    name = FRAME_MODEL if how == "frame" else CLIP_MODEL
    if how == "clip as a whole":
        monkeypatch.setattr(CnnLstm, "frame_by_frame", False)
    model, spec = score.loaded(name, "cpu"), registry.spec(name)
    less = replace(spec, calibration=replace(spec.calibration, softened_share=share))
    monkeypatch.setattr(registry, "spec", lambda *_: less)
    parts = score.Parts()
    served = score.track_logits(model, less, frames, people, "cpu", parts)
    found = view_logits(name, frames, people, "cpu", parts, min_face_px=10)
    assert found.keys() == {(t.track_id, view) for t in people for view in VIEWS}
    for (track_id, _), logits in found.items():
        np.testing.assert_allclose(logits, served[track_id], atol=2e-3)


@pytest.mark.parametrize("name", [FRAME_MODEL, CLIP_MODEL])
def test_what_was_kept_of_scoring_is_not_needed(installed, frames, people, name) -> None:
    parts = score.Parts()
    score.track_logits(score.loaded(name, "cpu"), registry.spec(name), frames, people, "cpu", parts)
    kept = view_logits(name, frames, people, "cpu", parts, min_face_px=10)
    anew = view_logits(name, frames, people, "cpu", min_face_px=10)
    assert kept.keys() == anew.keys()
    for key in kept:
        np.testing.assert_allclose(kept[key], anew[key], atol=1e-6)
    of_one = [v for (track_id, _), v in kept.items() if track_id == 0]
    assert len({tuple(np.round(v, 6)) for v in of_one}) == len(VIEWS)  # each view moves it in its own way


def test_views_share_the_timeline() -> None:
    assert [spread(view, 5) for view in VIEWS] == [0, 1, 2, 3, 4]
    assert [spread(view, 8) for view in VIEWS] == [0, 2, 4, 5, 7]
    assert [spread(view, 1) for view in VIEWS] == [0] * 5


def test_a_face_that_would_be_too_small_at_half_the_size_is_not_asked_about_there(people) -> None:
    side = people[0].quality.median_side_px
    assert views_of(people[0], int(side / 2)) == list(VIEWS)
    assert views_of(people[0], int(side / 2) + 1) == [v for v in VIEWS if v != "half_size"]


def answered(*labels: Label, answer: Label = "fake") -> Steadiness:
    views = zip(VIEWS, labels, strict=False)
    return Steadiness(0, answer, tuple(ViewAnswer(view, label, 0.5, {}) for view, label in views))


@pytest.mark.parametrize(
    ("labels", "same", "turned"),
    [
        (("fake",) * 5, 5, ()),
        (("fake", "uncertain", "fake", "uncertain", "uncertain"), 2, ()),
        (("fake", "fake", "real", "fake", "fake"), 4, ("half_size",)),
    ],
)
def test_only_the_opposite_takes_an_answer_away(labels, same, turned) -> None:
    found = answered(*labels)
    assert (found.same, found.turned) == (same, turned)
    assert found.summary == f"same answer in {same} of 5 views"
    before = Verdict("fake", 0.8, fake=2, reasons=("combined",), voters=("a", "b"))
    after = verdict.steadied(before, found)
    if turned:
        assert after == replace(before, label="uncertain", reasons=("combined", "unstable"))
    else:
        assert after == before == verdict.steadied(before, None)


def test_the_rule_is_the_same_for_real() -> None:
    before = Verdict("real", 0.1, real=1)
    assert verdict.steadied(before, answered("fake", answer="real")).label == "uncertain"
    assert verdict.steadied(before, answered("uncertain", answer="real")) == before


def test_a_view_that_lacks_the_number_of_a_voter_is_left_out(people, monkeypatch) -> None:
    spec = registry.spec(FRAME_MODEL)
    spec = replace(spec, calibration=Calibration(threshold=0.6, real_below=0.4, temperature=1.0))
    monkeypatch.setattr(registry, "spec", lambda name: replace(spec, name=name))
    scores = [ModelScore(name, 0, "ok", None, 0.9, "fake", 0.6, 0.4) for name in ("a", "b")]
    before = {0: verdict.of_track(scores, ("a", "b"))}
    assert before[0].label == "fake"
    high, low = np.full(T, 3.0), np.full(T, -3.0)
    logits = {
        "a": {(0, "jpeg_50"): high, (0, "mirrored"): low, (0, "shifted"): high, (0, "half_size"): high},
        "b": {(0, "jpeg_50"): high, (0, "mirrored"): low, (0, "shifted"): np.full(T, np.nan)},
    }
    (person,) = stability.of_logits(people[:1], before, scores, None, logits).people
    assert [(v.view, v.label) for v in person.views] == [("jpeg_50", "fake"), ("mirrored", "real")]
    assert person.turned == ("mirrored",)
    undecided = {0: replace(before[0], label="uncertain")}
    assert stability.of_logits(people[:1], undecided, scores, None, logits).people == ()
