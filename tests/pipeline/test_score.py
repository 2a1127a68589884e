"""Models over tracks: the same probabilities in any batch and precision, and every way to have none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tbd_app.errors import DeviceMissing
from tbd_app.models import registry
from tbd_app.models.nets.base import reduced
from tbd_app.models.specs import SPECS
from tbd_app.pipeline import batches, score, tracks
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import Calibration, Faces, FaceTrack, Frames
from tests.pipeline.conftest import ABSENT_MODEL, CLIP_MODEL, FRAME_MODEL, media_of
from training.networks.towers import TOY_TOWER

T = 7
TOLERANCE = 0.02
BOXES = np.array([[100, 20, 200, 150], [20, 60, 110, 160], [200, 30, 290, 120]], np.float32)


@pytest.fixture(scope="module")
def frames() -> Frames:
    return media_of(T)


@pytest.fixture(scope="module")
def people(frames: Frames) -> list[FaceTrack]:
    """Three windows on the moving portrait; the last one appears for a part of the time."""
    faces = []
    for i in range(T):
        boxes = BOXES if i >= 3 else BOXES[:2]
        n = len(boxes)
        faces.append(Faces(boxes, np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32), np.ones(n, bool)))
    return tracks.link(frames, faces)


@pytest.fixture
def installed(random_weights: Path, weights_dir: Callable[[Path], Path]) -> Path:
    return weights_dir(random_weights)


def probs(scores: list) -> np.ndarray:
    return np.array([s.fake_prob for s in scores])


def test_a_frame_model_gives_one_probability_per_frame_and_their_mean(installed, frames, people) -> None:
    scores = score.score_tracks(FRAME_MODEL, frames, people)
    assert [s.track_id for s in scores] == [0, 1, 2]
    assert [len(s.frame_fake_prob) for s in scores] == [T, T, T - 3]
    for s in scores:
        assert (s.status, s.reason, s.threshold) == ("ok", None, 0.6)
        assert s.fake_prob == pytest.approx(np.mean(s.frame_fake_prob), abs=1e-6)
        assert all(0 <= p <= 1 for p in s.frame_fake_prob)
        assert s.vote == ("fake" if s.fake_prob >= 0.6 else "real" if s.fake_prob < 0.4 else "abstain")
    assert np.ptp(np.concatenate([s.frame_fake_prob for s in scores])) > 0.1


def test_a_clip_model_gives_one_probability_per_person(installed, frames, people) -> None:
    scores = score.score_tracks(CLIP_MODEL, frames, people)
    assert [s.status for s in scores] == ["ok"] * 3
    assert [s.frame_fake_prob for s in scores] == [None] * 3
    assert np.ptp(probs(scores)) > 0.05


@pytest.mark.parametrize("name", [FRAME_MODEL, CLIP_MODEL])
def test_together_or_one_by_one_is_the_same(installed, frames, people, name, monkeypatch) -> None:
    together = score.score_tracks(name, frames, people)
    monkeypatch.setattr(batches, "BATCH", 4)
    alone = [s for t in reversed(people) for s in score.score_tracks(name, frames, [t])][::-1]
    np.testing.assert_allclose(probs(together), probs(alone), atol=TOLERANCE)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.frame_fake_prob or 0, b.frame_fake_prob or 0, atol=TOLERANCE)


@pytest.mark.skipif(not score.has_bf16("cpu"), reason="this processor has no bfloat16")
@pytest.mark.parametrize("name", [FRAME_MODEL, CLIP_MODEL])
def test_bfloat16_and_float32_agree(installed, frames, people, name, monkeypatch) -> None:
    half = score.score_tracks(name, frames, people)
    monkeypatch.setattr(score, "has_bf16", lambda device: False)
    full = score.score_tracks(name, frames, people)
    np.testing.assert_allclose(probs(half), probs(full), atol=TOLERANCE)
    assert (probs(half) != probs(full)).any()


def test_the_temperature_divides_the_logit(installed, frames, people) -> None:
    spec = registry.spec(FRAME_MODEL)
    logits = score.track_logits(score.loaded(FRAME_MODEL, "cpu"), spec, frames, people, "cpu")
    for s in score.score_tracks(FRAME_MODEL, frames, people):
        expected = 1 / (1 + np.exp(-logits[s.track_id] / 1.25))
        np.testing.assert_allclose(s.frame_fake_prob, expected, atol=1e-5)


def test_what_a_few_frames_say_without_detail_is_taken_off_all(
    installed, frames, people, monkeypatch
) -> None:
    monkeypatch.setattr(score, "has_bf16", lambda device: False)
    spec, model = registry.spec(FRAME_MODEL), score.loaded(FRAME_MODEL, "cpu")
    less = replace(spec, calibration=replace(spec.calibration, softened_share=0.5))
    served = score.track_logits(model, less, frames, people, "cpu")
    preprocess, person = for_spec(spec), people[0]
    x = preprocess.tensor(preprocess.crops([frames.images[p] for p in person.positions], person.boxes))
    with torch.inference_mode():
        plain, soft = model(x), model(reduced(x))
    expected = (plain - 0.5 * soft[2::4].mean(0)).diff(dim=1)[:, 0]
    alone = score.of_pictures(model, less, x)
    np.testing.assert_allclose(alone, (plain - 0.5 * soft).diff(dim=1)[:, 0], atol=1e-3)
    np.testing.assert_allclose(served[person.track_id], expected, atol=1e-3)
    assert np.abs(served[person.track_id] - plain.diff(dim=1)[:, 0].numpy()).max() > 0.2


def test_a_clip_is_spread_evenly_and_never_repeats_a_frame(frames, people) -> None:
    spec = replace(registry.spec(CLIP_MODEL), clip_len=30)
    assert score.clip_rows(spec, people[0]).tolist() == list(range(T))
    long = FaceTrack(0, np.arange(64), np.zeros((64, 4)), np.zeros((64, 5, 2)), people[0].quality)
    rows = score.clip_rows(spec, long)
    assert len(rows) == spec.clip_len
    assert (rows[0], rows[-1]) == (0, 63)
    assert set(np.diff(rows)) == {2, 3}
    single = FaceTrack(0, np.arange(1), np.zeros((1, 4)), np.zeros((1, 5, 2)), people[0].quality)
    assert score.clip_rows(spec, single).tolist() == [0]


def test_people_who_cannot_be_judged_are_not_given_to_the_model(installed, frames) -> None:
    boxes = [BOXES[0], BOXES[0] / 3 + 200]
    faces = [
        Faces(np.stack(boxes), np.ones(2, np.float32), np.zeros((2, 5, 2), np.float32), np.ones(2, bool))
        for _ in range(T)
    ]
    judged, small = score.score_tracks(FRAME_MODEL, frames, tracks.link(frames, faces))
    assert judged.status == "ok"
    assert (small.status, small.reason) == ("not_applicable", "face_too_small")
    assert (small.fake_prob, small.vote, small.frame_fake_prob) == (None, None, None)


def test_nobody_to_judge_needs_no_model(weights_dir, no_weights, frames) -> None:
    weights_dir(no_weights)
    assert score.score_tracks(ABSENT_MODEL, frames, []) == []


def test_absent_weights_are_a_state_and_no_error(weights_dir, no_weights, frames, people) -> None:
    weights_dir(no_weights)
    scores = score.score_tracks(ABSENT_MODEL, frames, people)
    assert {(s.status, s.reason, s.fake_prob, s.vote) for s in scores} == {
        ("not_installed", "weights_missing", None, None)
    }


def test_why_a_face_cannot_be_judged_does_not_depend_on_the_weights(
    weights_dir, no_weights, frames, people
) -> None:
    weights_dir(no_weights)
    brief = tracks.link(
        frames, [Faces(BOXES[:1], np.ones(1), np.zeros((1, 5, 2)), np.array([i == 0])) for i in range(T)]
    )
    scores = score.score_tracks(ABSENT_MODEL, frames, [people[0], *brief])
    assert [(s.status, s.reason) for s in scores] == [
        ("not_installed", "weights_missing"),
        ("not_applicable", "too_brief"),
    ]


@pytest.mark.parametrize("damage", ["flipped byte", "cut short", "empty"])
def test_damaged_weights_fail_the_model_and_nothing_else(
    random_weights, weights_dir, tmp_path, frames, people, damage
) -> None:
    folder = weights_dir(Path(shutil.copytree(random_weights, tmp_path / "weights")))
    path = folder / f"{FRAME_MODEL}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes({"flipped byte": content, "cut short": content[:-5000], "empty": b""}[damage])
    scores = score.score_tracks(FRAME_MODEL, frames, people)
    assert {(s.status, s.reason, s.fake_prob, s.vote) for s in scores} == {
        ("failed", "weights_corrupt", None, None)
    }


def test_a_probability_that_is_no_number_is_a_failure_and_never_one_half(
    installed, frames, people, monkeypatch
) -> None:
    def broken(model, x: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(x), 2)
        logits[0] = torch.nan
        return logits

    monkeypatch.setattr(score, "run", broken)
    scores = score.score_tracks(FRAME_MODEL, frames, people)
    assert [(s.status, s.reason) for s in scores] == [("failed", "not_finite"), ("ok", None), ("ok", None)]


def test_a_model_is_loaded_once(installed) -> None:
    assert score.loaded(FRAME_MODEL, "cpu") is score.loaded(FRAME_MODEL, "cpu")


def test_the_device_is_what_is_there() -> None:
    assert score.pick_device("cpu") == "cpu"
    assert score.pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_device_that_is_not_there_is_an_error(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceMissing, match="no GPU"):
        score.pick_device("cuda")


@pytest.mark.parametrize(("n_frames", "expected"), [(1, 0.9), (7, 0.9), (8, 0.6), (32, 0.6)])
def test_few_frames_may_have_bounds_of_their_own(n_frames, expected) -> None:
    same = Calibration(real_below=0.3, threshold=0.6)
    one, both = (
        replace(same, few_frames_threshold=0.9),
        replace(same, few_frames_threshold=0.9, few_frames_real_below=0.7),
    )
    found = [
        score.bounds_for(replace(SPECS[FRAME_MODEL], calibration=calibration), n_frames)
        for calibration in (same, one, both)
    ]
    assert found == [(0.3, 0.6), (0.3, expected), (0.7, 0.9) if n_frames < 8 else (0.3, 0.6)]


@pytest.mark.weights
@pytest.mark.skipif(not score.has_bf16("cpu"), reason="this processor has no bfloat16")
def test_the_bundled_model_scores_alike_in_bfloat16_and_float32(frames, people, monkeypatch) -> None:
    short = score.score_tracks("effnetv2_b0_frame", frames, people)
    monkeypatch.setattr(score, "has_bf16", lambda _: False)
    full = score.score_tracks("effnetv2_b0_frame", frames, people)
    for a, b in zip(short, full, strict=True):  # the softened one is rounded, too, and its temperature is low
        assert a.fake_prob == pytest.approx(b.fake_prob, abs=1.5 * TOLERANCE)


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (8, 8), (9, 5), (16, 8), (32, 8), (33, 4), (64, 8)])
def test_a_model_on_a_tower_scores_few_frames_and_those_of_the_softened_share_among_them(n, expected) -> None:
    tower = registry.create_model("clip_b16_ln1", small=TOY_TOWER)
    rows = score.scored_rows(tower, n)
    assert len(rows) == expected
    assert len(set(np.diff(rows))) <= 1
    assert n <= 2 or n > 32 or set(score.softened_rows(n)) <= set(rows)
    assert len(score.scored_rows(torch.nn.Identity(), n)) == n


def test_frames_that_a_tower_does_not_score_lie_between_their_neighbours(monkeypatch) -> None:
    many = media_of(4)
    track = tracks.link(
        many,
        [Faces(BOXES[:1], np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32), np.ones(1, bool))] * 4,
    )
    monkeypatch.setattr(score, "TOWER_FRAMES", 2)
    tower = registry.create_model("clip_b16_ln1", small=TOY_TOWER).eval()
    spec = replace(SPECS["clip_b16_ln1"], input_size=TOY_TOWER["image_size"])
    (logits,) = score.track_logits(tower, spec, many, track, "cpu").values()
    monkeypatch.setattr(score, "TOWER_FRAMES", 4)
    (every,) = score.track_logits(tower, spec, many, track, "cpu").values()
    np.testing.assert_allclose(logits[[0, 2]], every[[0, 2]], atol=TOLERANCE)
    assert logits[1] == pytest.approx((logits[0] + logits[2]) / 2)
    assert np.ptp(every) > 0
