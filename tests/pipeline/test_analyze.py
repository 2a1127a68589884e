"""The engine as a stream: what it tells while it works, what it ends with, what it leaves behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tbd_app.errors import BadSetting, EmptyFile, FileMissing, NotMedia, TBDError, UnknownModel
from tbd_app.media import sandbox
from tbd_app.models import registry
from tbd_app.pipeline.analyze import STAGE_ENDS, THUMBNAIL_PX, analyze, analyze_events
from tbd_app.pipeline.explain import HIGHEST, LOWEST
from tbd_app.pipeline.snapshots import SNAPSHOT_SIDE_PX
from tbd_app.report.to_json import dumps
from tbd_app.settings import AnalysisSettings, Limits
from tbd_app.types import ProgressEvent, Report
from tests import media_factory
from tests.pipeline.conftest import ABSENT_MODEL, CLIP_MODEL, FRAME_MODEL

N = 8
SETTINGS = AnalysisSettings(n_frames=N, stability=True, device="cpu", limits=Limits())
PLAIN = replace(SETTINGS, explain=False, stability=False)


@pytest.fixture(autouse=True)
def installed(random_weights: Path, weights_dir: Callable[[Path], Path]) -> Path:
    return weights_dir(random_weights)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media_factory.portrait_clip(tmp_path_factory.mktemp("media") / "clip.mp4", n_frames=24)


@pytest.fixture(scope="module")
def _told() -> list[ProgressEvent | Report]:
    return []


@pytest.fixture
def stream(clip: Path, _told: list[ProgressEvent | Report]) -> list[ProgressEvent | Report]:
    """Everything that one full analysis yields; made once."""
    if not _told:
        _told.extend(analyze_events(clip, SETTINGS))
    return _told


@pytest.fixture
def report(stream: list[ProgressEvent | Report]) -> Report:
    assert isinstance(stream[-1], Report)
    return stream[-1]


def children() -> set[int]:
    """Ids of the processes that this one has started and that are still there, but for the decoder that waits."""
    sandbox.close()
    return {child.pid for child in psutil.Process().children()}


def test_progress_rises_through_the_stages_and_ends_with_the_report(stream) -> None:
    *events, last = stream
    assert isinstance(last, Report)
    assert all(isinstance(e, ProgressEvent) for e in events)
    assert list(dict.fromkeys(e.stage for e in events)) == list(STAGE_ENDS)
    fractions = [e.fraction for e in events]
    assert fractions[0] == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1
    assert all(0 <= e.done <= e.total for e in events)
    assert all(e.message for e in events)


def test_every_frame_is_told_while_faces_are_looked_for(stream) -> None:
    faces = [e for e in stream[:-1] if e.stage == "faces"]
    assert [e.done for e in faces] == list(range(N + 1))
    assert {e.total for e in faces} == {N}


def test_every_model_is_named_when_it_is_asked(stream) -> None:
    messages = [e.message for e in stream[:-1] if e.stage == "score"]
    assert [FRAME_MODEL in messages[0], CLIP_MODEL in messages[1]] == [True, True]


def test_one_person_with_every_model(report) -> None:
    (person,) = report.people
    assert [(s.model, s.status) for s in person.scores] == [(FRAME_MODEL, "ok"), (CLIP_MODEL, "ok")]
    assert person.track.positions.tolist() == list(range(N))
    assert len(person.times_s) == N
    assert person.span_s == (person.times_s[0], person.times_s[-1])
    assert person.thumbnail.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    votes = person.verdict
    assert votes.fake + votes.real + votes.abstain == 2
    assert votes.fake_prob == pytest.approx(np.mean([s.fake_prob for s in person.scores]))


def test_counts_and_times_are_those_of_the_sampled_frames(report) -> None:
    counts = report.frames
    assert (counts.requested, counts.decoded, counts.with_face, counts.verified) == (N, N, N, N)
    np.testing.assert_allclose(counts.times_s, np.rint(np.linspace(0, 23, N)) / 25, atol=1e-3)
    assert list(report.timings_s) == [*STAGE_ENDS, "report"]
    assert all(t >= 0 for t in report.timings_s.values())


def test_the_settings_that_shape_the_answer_are_told(clip, report) -> None:
    assert report.settings == {
        "n_frames": N,
        "face_confidence": 0.9,
        "asked": ["default"],
        "models": [FRAME_MODEL, CLIP_MODEL],
        "explain": True,
        "attention": False,
        "stability": True,
        "min_face_px": 64,
        "min_track_share": 0.25,
    }
    changed = replace(PLAIN, face_confidence=0.8, models=(CLIP_MODEL,), min_face_px=48, min_track_share=0.5)
    assert analyze(clip, changed).settings == {
        "n_frames": N,
        "face_confidence": 0.8,
        "asked": [CLIP_MODEL],
        "models": [CLIP_MODEL],
        "explain": False,
        "attention": False,
        "stability": False,
        "min_face_px": 48,
        "min_track_share": 0.5,
    }


def test_versions_name_the_exact_weights(report) -> None:
    assert set(report.versions["weights_sha256"]) == {FRAME_MODEL, CLIP_MODEL}
    assert report.versions["device"] == "cpu"
    assert {"torch", "facenet-pytorch", "av"} <= set(report.versions["packages"])


def test_explanations_and_snapshots_are_of_sampled_frames(report) -> None:
    shown = [(e.model, e.role) for e in report.explanations]
    assert set(shown) == {
        (name, role) for name in (FRAME_MODEL, CLIP_MODEL) for role in ("highest", "lowest")
    }
    assert shown.count((FRAME_MODEL, "highest")) == HIGHEST
    assert shown.count((FRAME_MODEL, "lowest")) == LOWEST
    times = report.frames.times_s
    assert all(e.time_s == times[e.position] for e in report.explanations)
    assert [s.position for s in report.snapshots] == list(range(N))
    for snapshot in report.snapshots:
        assert snapshot.time_s == times[snapshot.position]
        assert snapshot.track_ids == (0,)
        assert [m.model for m in snapshot.maps] == [FRAME_MODEL]  # each frame has a map, of one model
        np.testing.assert_allclose(snapshot.boxes[0], report.people[0].track.boxes[snapshot.position])


def test_snapshots_of_large_pictures_are_small_and_their_boxes_with_them(tmp_path) -> None:
    path = media_factory.portrait_image(tmp_path / "large.jpg", size=(1920, 1440))
    (snapshot,) = analyze(path, PLAIN).snapshots
    height, width = snapshot.image.shape[:2]
    assert (width, height) == (SNAPSHOT_SIDE_PX, 600)
    (x0, y0, x1, y1) = snapshot.boxes[0]
    assert 0 < x0 < x1 < width
    assert 0 < y0 < y1 < height


def test_the_same_file_gives_the_same_json(clip, report) -> None:
    again = analyze(clip, SETTINGS)
    assert dumps(replace(again, timings_s={}, made_at="")) == dumps(replace(report, timings_s={}, made_at=""))


def test_without_explanations_the_answer_is_the_same(clip, report) -> None:
    events = list(analyze_events(clip, PLAIN))
    assert "explain" not in [e.stage for e in events[:-1]]
    plain = events[-1]
    assert plain.explanations == ()
    assert plain.verdict == report.verdict
    assert [p.scores for p in plain.people] == [p.scores for p in report.people]


def test_a_temporary_file_is_reported_under_its_own_name(clip) -> None:
    *_, report = analyze_events(clip, PLAIN, name="Anna's clip.mp4")
    assert report.media.name == "Anna's clip.mp4"
    assert str(clip.parent) not in dumps(report)


def test_overrides_are_settings(clip) -> None:
    report = analyze(clip, n_frames=8, explain=False, models=(FRAME_MODEL,), device="cpu")
    assert (report.frames.requested, report.settings["models"]) == (8, [FRAME_MODEL])
    assert "single_voter" in report.verdict.reasons


def test_models_that_are_not_installed_are_listed_and_do_not_vote(clip) -> None:
    report = analyze(clip, replace(PLAIN, models=("all",)))
    statuses = {s.model: s.status for s in report.people[0].scores}
    assert list(statuses) == registry.list_models()
    assert {name for name, status in statuses.items() if status == "ok"} == {FRAME_MODEL, CLIP_MODEL}
    assert statuses[ABSENT_MODEL] == "not_installed"
    verdict = report.verdict
    assert verdict.fake + verdict.real + verdict.abstain == 2
    assert "too_few_voters" not in verdict.reasons


def test_an_asked_voter_that_is_not_installed_leaves_too_few(clip) -> None:
    report = analyze(clip, replace(PLAIN, models=(FRAME_MODEL, ABSENT_MODEL)))
    assert (report.verdict.label, report.verdict.reasons) == ("uncertain", ("too_few_voters",))
    alone = analyze(clip, replace(PLAIN, models=(ABSENT_MODEL,)))
    assert (alone.verdict.label, alone.verdict.reasons) == ("not_applicable", ("no_model_installed",))


def test_a_face_too_small_is_reported_and_not_scored(tmp_path) -> None:
    path = media_factory.portrait_image(tmp_path / "small.png", size=(160, 120))
    report = analyze(path, SETTINGS)
    (person,) = report.people
    assert {s.status for s in person.scores} == {"not_applicable"}
    assert (report.verdict.label, report.verdict.reasons) == ("not_applicable", ("face_too_small",))
    assert report.explanations == ()


def test_no_face_is_not_real(tmp_path) -> None:
    report = analyze(media_factory.faceless_clip(tmp_path / "waves.mp4", n_frames=10), SETTINGS)
    assert (report.verdict.label, report.verdict.reasons) == ("not_applicable", ("no_face",))
    assert (report.verdict.fake_prob, report.people, report.explanations) == (None, (), ())
    assert report.frames.decoded == N


@pytest.mark.parametrize("stage", list(STAGE_ENDS))
def test_closing_early_leaves_nothing_behind(clip, stage, tmp_path, monkeypatch) -> None:
    before = children()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    stream = analyze_events(clip, SETTINGS)
    for event in stream:
        if event.stage == stage:
            break
    stream.close()
    assert list(stream) == []
    assert children() <= before
    assert list(tmp_path.iterdir()) == []


def test_a_refused_file_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    before = children()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    with pytest.raises(TBDError):
        analyze(broken, PLAIN)
    assert children() <= before
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "error"), [(None, FileMissing), (b"", EmptyFile), (b"%PDF-1.7 text", NotMedia)]
)
def test_a_file_that_is_no_media_is_refused(tmp_path, content, error) -> None:
    path = tmp_path / "input.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        analyze(path, PLAIN)


def test_an_unknown_model_is_refused_before_the_file_is_opened(tmp_path) -> None:
    with pytest.raises(UnknownModel, match=FRAME_MODEL):
        next(analyze_events(tmp_path / "missing.mp4", replace(PLAIN, models=("effnet_b0_imag",))))


def test_a_bad_setting_is_refused(clip) -> None:
    with pytest.raises(BadSetting):
        analyze(clip, n_frames=7)


def test_damaged_weights_leave_the_other_models_their_say(
    clip, random_weights, weights_dir, tmp_path
) -> None:
    folder = weights_dir(Path(shutil.copytree(random_weights, tmp_path / "weights")))
    (folder / f"{CLIP_MODEL}.safetensors").write_bytes(b"damaged")
    report = analyze(clip, SETTINGS)
    statuses = {s.model: (s.status, s.reason) for s in report.people[0].scores}
    assert statuses == {FRAME_MODEL: ("ok", None), CLIP_MODEL: ("failed", "weights_corrupt")}
    assert (report.verdict.label, report.verdict.reasons) == ("uncertain", ("too_few_voters",))
    assert {e.model for e in report.explanations} == {FRAME_MODEL}


def test_boxes_are_measured_in_frames_of_the_size_that_is_told(clip) -> None:
    small = replace(PLAIN, limits=Limits(max_decoded_mb=0.6))
    for settings, width in ((PLAIN, 320), (small, 182)):
        report = analyze(clip, settings)
        assert report.frames.size[0] == pytest.approx(width, abs=2)
        assert report.frames.size[0] / report.frames.size[1] == pytest.approx(4 / 3, rel=0.02)
