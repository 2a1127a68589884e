"""A model that was trained on neighbouring frames is served on them, and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tbd_app import types
from tbd_app.medium import Runs
from tbd_app.model_spec import FramesAt
from tbd_app.models import registry, weights
from tbd_app.models.specs import SPECS
from tbd_app.pipeline import analyze, neighbours, people, score, stability, tracks
from tbd_app.pipeline.crops import for_spec
from tbd_app.pipeline.views import VIEWS
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Faces, Frames
from tests.media_factory import portrait_clip
from tests.pipeline.conftest import media_of

NAME, OTHER = "clip_b16_stan", "clip_b16_ln1"
TOWER = {"layers": 2, "width": 128, "patch_size": 16, "image_size": 32}
AT = FramesAt("consecutive", 0.08, 2)
RUNS = Runs(4, 0.08, 2)
BOX = np.array([100, 20, 200, 150], np.float32)


def spec_of(name: str) -> types.ModelSpec:
    at = {"clip_len": 4, "frames_at": AT} if name == NAME else {}
    return replace(SPECS[name], input_size=32, options={"small": TOWER} | ({"depth": 2} if at else {}), **at)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a model on runs and of one on spread frames, listed with where their frames lie."""
    folder, entries = tmp_path_factory.mktemp("neighbours"), []
    for name in (NAME, OTHER):
        torch.manual_seed(0)
        spec = spec_of(name)
        model = registry.create_model(name, **spec.options)
        spec = replace(spec, backbone=model.standing_on())
        digest = weights.save_checkpoint(model, path := folder / f"{name}.safetensors", spec)
        header = weights.read_header(path)
        kept = {k: header[k] for k in ("input_size", "clip_len", "options", "calibration", "backbone")}
        kept |= {"frames_at": header["frames_at"]} if name == NAME else {}
        entries.append(
            {
                "name": name,
                "file": path.name,
                "sha256": digest,
                "bytes": path.stat().st_size,
                "licence": "none",
            }
            | kept
        )
    (folder / "manifest.json").write_text(json.dumps({"schema": 2, "models": entries}))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return portrait_clip(tmp_path_factory.mktemp("clip") / "a.mp4", n_frames=50)


@pytest.fixture
def installed(folder: Path, weights_dir: Callable[[Path], Path]) -> None:
    weights_dir(folder)


def settings(*names: str) -> AnalysisSettings:
    return AnalysisSettings(n_frames=8, models=names, explain=False, device="cpu")


def test_a_model_on_spread_frames_asks_for_no_runs(clip: Path, installed: None) -> None:
    media, frames = people.read(clip, settings(OTHER))
    assert frames.runs == {}
    assert neighbours.with_runs(media, frames, [registry.spec(OTHER)], settings(OTHER).limits) is frames


def test_its_frames_are_neighbours_and_the_others_stay(clip: Path, installed: None) -> None:
    _, alone = people.read(clip, settings(OTHER))
    _, both = people.read(clip, settings(OTHER, NAME))
    np.testing.assert_array_equal(both.images, alone.images)
    assert list(both.runs) == [RUNS]
    for run in both.runs[RUNS]:
        assert np.diff(run.times_s) == pytest.approx(0.08)


def test_a_report_averages_the_clips_and_leaves_other_models_alone(clip: Path, installed: None) -> None:
    alone, both = (analyze.analyze(clip, settings(*names)) for names in ((OTHER,), (OTHER, NAME)))
    assert both.people[0].scores[0] == alone.people[0].scores[0]
    asked = both.people[0].scores[1]
    assert asked.status == "ok"

    found = people.find(clip, settings(NAME))
    detector = people.detector("cpu", 64)
    sights = neighbours.sights(found.frames, found.tracks, detector, 0.9)
    spec, model = registry.spec(NAME), score.loaded(NAME, "cpu")
    probs = []
    for sight in sights[RUNS]:
        track = sight.people[0]
        assert len(track) == 4
        x = for_spec(spec).tensor(for_spec(spec).crops(sight.frames.images, track.boxes, track.landmarks))
        probs.append(1 / (1 + np.exp(-score.forward(model, x[None])[0])))
    assert len(probs) == 2
    assert asked.fake_prob == pytest.approx(np.mean(probs), abs=2e-6)


def test_each_face_of_a_run_goes_to_the_person_who_was_there() -> None:
    frames = media_of(8)
    boxes = np.array([[10, 20, 110, 140], [190, 20, 290, 140]], np.float32)
    faces = Faces(boxes, np.ones(2, np.float32), np.zeros((2, 5, 2), np.float32), np.ones(2, bool))
    linked = tracks.link(frames, [faces] * 8, min_face_px=32)
    run = Frames(frames.images[3:6], np.arange(30, 33), np.array([0.8, 0.84, 0.88]), 3)
    swapped = Faces(boxes[::-1] + 3, faces.scores, faces.landmarks, faces.verified)

    class Found:
        def detect(self, images: tuple[np.ndarray, ...], _: float) -> list[Faces]:
            return [swapped] * len(images)

    frames = replace(frames, runs={Runs(3): (run,)})
    (sight,) = neighbours.sights(frames, linked, Found(), 0.9)[Runs(3)]  # pyright: ignore[reportArgumentType]
    assert set(sight.people) == {0, 1}
    for track in linked:
        mine = sight.people[track.track_id]
        assert (mine.track_id, len(mine)) == (track.track_id, 3)
        np.testing.assert_allclose(mine.boxes[1], track.boxes[0] + 3)


def test_who_is_in_no_run_is_judged_by_the_nearest_of_the_sampled_frames() -> None:
    frames = media_of(12)  # four a second
    faces = Faces(BOX[None], np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32), np.ones(1, bool))
    (track,) = tracks.link(frames, [faces] * 12, min_face_px=32)
    (clip_,) = neighbours.clips_of(Runs(4), frames, track)
    assert clip_[1].positions.tolist() == [4, 5, 6, 7]
    two = neighbours.clips_of(Runs(3, 0.5, 2), frames, track)
    assert [t.positions.tolist() for _, t in two] == [[0, 2, 4], [6, 8, 10]]
    zipped = replace(frames, times_s=frames.indices.astype(float))
    (clip_,) = neighbours.clips_of(Runs(4, 0.3), zipped, track)
    assert clip_[1].positions.tolist() == [4, 5, 6, 7]


def test_a_view_is_asked_of_one_of_the_clips_and_moves_all(
    clip: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With views that change nothing, the scores are those of the verdict, clip by clip."""
    monkeypatch.setattr(score, "has_bf16", lambda device: False)  # in which another batch is another rounding
    found = people.find(clip, settings(NAME))
    seen = neighbours.sights(found.frames, found.tracks, people.detector("cpu", 64), 0.9)
    spec, model, parts = registry.spec(NAME), score.loaded(NAME, "cpu"), score.Parts()
    served = neighbours.track_logits(model, spec, found.frames, found.tracks, "cpu", parts, seen=seen)
    assert served[0].shape == (2,)
    between = abs(served[0][0] - served[0][1])
    assert between > 1e-3
    of_clips = []
    with monkeypatch.context() as patch:
        for view in VIEWS:
            patch.setitem(VIEWS, view, lambda face, _: of_clips.append(face) or face)
        for kept in (parts, None):
            same = stability.view_logits(NAME, found.frames, found.tracks, "cpu", kept, seen, min_face_px=10)
            assert same.keys() == {(0, view) for view in VIEWS}
            for logits in same.values():
                # A view is cut from a part of the frame, on other pixels: it is not the same, and near its own clip.
                assert np.abs(logits - served[0]).max() < between / 2
    assert len(of_clips) == 2 * len(VIEWS) * RUNS.length
    (turned,) = (
        v
        for (_, view), v in stability.view_logits(
            NAME, found.frames, found.tracks, "cpu", parts, seen, min_face_px=10
        ).items()
        if view == "mirrored"
    )
    moved = turned - served[0]
    assert moved[0] == pytest.approx(moved[1])
    assert abs(moved[0]) > 1e-6


def test_the_explained_frames_are_those_of_a_clip(
    clip: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    monkeypatch.setattr(stability, "check", lambda *args, **_: told.append(args[7]))
    report = analyze.analyze(clip, replace(settings(NAME), explain=True, stability=True))
    assert [set(seen) for seen in told if isinstance(seen, dict)] == [{RUNS}]
    _, frames = people.read(clip, settings(NAME))
    times = {round(float(t), 6) for run in frames.runs[RUNS] for t in run.times_s}
    assert report.explanations
    assert {round(e.time_s, 6) for e in report.explanations} <= times
    assert all(0 <= e.position < len(frames) for e in report.explanations)
