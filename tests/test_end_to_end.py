"""Real files through real MTCNN and the bundled weights, one per kind of input; the same answer by every way in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from jsonschema import Draft202012Validator

import tbd_app
from tbd_app.models import registry
from tbd_app.pipeline.faces import iou
from tbd_app.report.to_json import SCHEMA_PATH, dumps
from tbd_app.types import Report
from tbd_app.web import jobs
from tests import media_factory
from tests.web.conftest import serve

pytestmark = pytest.mark.weights
N = 8
N_CLIP, FPS = 24, 25
SIZE = (320, 240)
BUNDLED = "effnetv2_b0_frame"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
SAMPLED = np.rint(np.linspace(0, N_CLIP - 1, N))  # frame numbers
CLEAN = {"crf": 4, "pix_fmt": "yuv444p"}  # what is compared must not differ by its compression


def two_people(path: Path) -> Path:
    """A clip of the moving portrait beside its mirror image at another moment."""
    pairs = (
        (media_factory.portrait_frame(i, SIZE), media_factory.portrait_frame(i + 9, SIZE)[:, ::-1])
        for i in range(N_CLIP)
    )
    return media_factory.encode(path, (np.concatenate(pair, axis=1) for pair in pairs), fps=FPS)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "clip.mp4": lambda p: media_factory.portrait_clip(p, n_frames=N_CLIP, size=SIZE, fps=FPS, **CLEAN),
    "phone.mp4": lambda p: media_factory.portrait_clip(
        p, n_frames=N_CLIP, size=SIZE, fps=FPS, rotation=90, **CLEAN
    ),
    "photo.jpg": lambda p: media_factory.portrait_image(p, size=(480, 480), quality=90),
    "frames.zip": lambda p: media_factory.frames_zip(p, n_frames=12, size=SIZE),
    "animation.gif": lambda p: media_factory.portrait_animation(p, n_frames=10, size=SIZE, durations_ms=100),
    "waves.mp4": lambda p: media_factory.faceless_clip(p, n_frames=N_CLIP, size=SIZE, fps=FPS),
    "pair.mp4": two_people,
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file of a name, made when first asked for."""
    folder = tmp_path_factory.mktemp("inputs")
    return lambda name: folder / name if (folder / name).exists() else MAKERS[name](folder / name)


@pytest.fixture(scope="session")
def analysed(made: Callable[[str], Path]) -> Callable[[str], Report]:
    """The report of a file by name, analysed when first asked for; its JSON follows the schema."""
    reports: dict[str, Report] = {}

    def report(name: str) -> Report:
        if name not in reports:
            reports[name] = tbd_app.analyze(made(name), n_frames=N, explain=False, device="cpu")
            VALIDATOR.validate(json.loads(dumps(reports[name])))
        return reports[name]

    return report


def judged_alone(report: Report) -> None:
    """Every person was scored in every frame, and the single bundled model's vote is the verdict."""
    spec = registry.spec(BUNDLED)
    for person in report.people:
        (score,) = (s for s in person.scores if s.model == BUNDLED)
        _, threshold = spec.calibration.bounds(few_frames=len(person.track) < 8)
        assert (score.status, score.reason, score.threshold) == ("ok", None, threshold)
        assert len(score.frame_fake_prob) == len(person.track) == len(person.times_s)
        assert score.fake_prob == pytest.approx(np.mean(score.frame_fake_prob), abs=1e-5)
        expected = {"fake": "fake", "real": "real", "abstain": "uncertain"}[score.vote]
        if len(person.scores) == 1:
            assert person.verdict.label == expected
    assert report.verdict.fake_prob == max(p.verdict.fake_prob for p in report.people)


@pytest.mark.parametrize(
    ("name", "kind", "codec", "times"),
    [
        ("clip.mp4", "video", "h264", SAMPLED / FPS),
        ("phone.mp4", "video", "h264", SAMPLED / FPS),
        ("photo.jpg", "image", "jpeg", [0]),
        ("frames.zip", "frames", "png", np.rint(np.linspace(0, 11, N))),
        ("animation.gif", "video", "gif", np.rint(np.linspace(0, 9, N)) / 10),
    ],
)
def test_one_person_in_every_kind_of_input(analysed, made, name, kind, codec, times) -> None:
    report = analysed(name)
    media, counts = report.media, report.frames
    assert (media.name, media.kind, media.codec) == (name, kind, codec)
    assert (media.width, media.height) == ((480, 480) if name == "photo.jpg" else SIZE)
    assert media.bytes == made(name).stat().st_size
    assert (counts.requested, counts.decoded) == (N, len(times))
    assert counts.with_face == counts.verified == len(times)
    np.testing.assert_allclose(counts.times_s, times, atol=2e-3)
    assert report.warnings == ()
    (person,) = report.people
    assert person.times_s == counts.times_s
    assert person.track.quality.median_side_px > 64
    judged_alone(report)


def test_a_clip_from_a_turned_phone_is_upright_and_scores_the_same(analysed) -> None:
    upright, turned = analysed("clip.mp4"), analysed("phone.mp4")
    assert (upright.media.rotation_deg, turned.media.rotation_deg) == (0, 90)
    a, b = (r.people[0] for r in (upright, turned))
    assert min(map(iou, a.track.boxes, b.track.boxes)) > 0.8
    # Of the frame model: the two files are coded apart, which a model of how faces change over time answers more to.
    ours, theirs = (next(s for s in p.scores if s.model == "effnetv2_b0_frame") for p in (a, b))
    assert theirs.fake_prob == pytest.approx(ours.fake_prob, abs=0.02)
    # A score that may lie on either side of a bound may vote either way.
    near_a_bound = any(abs(ours.fake_prob - bound) < 0.02 for bound in (ours.real_below, ours.threshold))
    assert near_a_bound or theirs.vote == ours.vote


def test_a_clip_without_a_face_cannot_be_judged(analysed) -> None:
    report = analysed("waves.mp4")
    assert (report.verdict.label, report.verdict.reasons) == ("not_applicable", ("no_face",))
    assert report.verdict.fake_prob is None
    assert report.people == ()
    assert (report.frames.decoded, report.frames.with_face, report.frames.verified) == (N, 0, 0)


def test_two_people_are_judged_apart(analysed) -> None:
    report = analysed("pair.mp4")
    assert len(report.people) == 2
    assert [len(p.track) for p in report.people] == [N, N]
    left, right = sorted(report.people, key=lambda p: p.track.boxes[0, 0])
    assert left.track.boxes[:, 2].max() < SIZE[0] < right.track.boxes[:, 0].min()
    assert "several_people" in report.verdict.reasons
    judged_alone(report)


@pytest.mark.parametrize("name", ["pair.mp4", "frames.zip"])
def test_command_line_python_and_http_give_the_same_json(made, tmp_path, name) -> None:
    path = made(name)
    settings = ["--frames", str(N), "--no-explain"]
    command = [sys.executable, "-m", "tbd_app", "analyze", path, *settings, "--json", "-"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    in_python = json.loads(dumps(tbd_app.analyze(path, n_frames=N, explain=False)))
    with serve(jobs.default_engine, tmp_path) as server:
        client = Client(server.url, verbose=False)
        over_http = client.predict(handle_file(path), n_frames=N, explain=False, api_name="/analyze")
        assert server.leftovers() == []
    assert in_python["people"]
    assert _comparable(json.loads(printed)) == _comparable(in_python) == _comparable(over_http)


def _comparable(document: dict) -> str:
    return json.dumps(document | {"timings_s": sorted(document["timings_s"]), "made_at": ""})
