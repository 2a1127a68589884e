"""The command line as its users and their scripts meet it: exit codes, streams, files written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import tbd_app
from tbd_app.cli.batch import _safe_stem, expand
from tbd_app.models import registry
from tbd_app.report.to_json import SCHEMA_PATH, to_dict
from tests import media_factory

TBD = [sys.executable, "-m", "tbd_app"]
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
QUICK = ["--frames", "8", "--no-explain", "--device", "cpu"]


def tbd(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TBD, *map(str, args)], capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class BatchRun:
    """One run over good and bad inputs, with every kind of output."""

    done: subprocess.CompletedProcess[str]
    inputs: list[Path]
    html: list[Path]
    video: list[Path]

    @property
    def documents(self) -> list[dict]:
        return [json.loads(line) for line in self.done.stdout.splitlines()]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> BatchRun:
    folder = tmp_path_factory.mktemp("batch")
    (folder / "notes.txt").write_text("not media")
    (folder / "empty.mp4").touch()
    inputs = [
        media_factory.portrait_image(folder / "face.png", size=(480, 480)),
        folder / "notes.txt",
        media_factory.faceless_clip(folder / "wäves <b>.mp4", n_frames=10),
        folder / "empty.mp4",
        folder / "missing.mp4",
    ]
    html, video = folder / "out" / "html", folder / "out" / "video"
    done = tbd("analyze", *inputs, *QUICK, "--json", "-", "--html", html, "--video", video)
    return BatchRun(done, inputs, sorted(html.glob("*")), sorted(video.glob("*")))


def test_one_document_per_input_in_order_and_nothing_else_on_stdout(batch) -> None:
    assert [d["media"]["name"] for d in batch.documents] == [p.name for p in batch.inputs]
    for document in batch.documents:
        VALIDATOR.validate(document)


def test_a_bad_input_does_not_stop_the_rest(batch) -> None:
    assert batch.done.returncode == 2
    codes = [d["error"]["code"] if "error" in d else "" for d in batch.documents]
    assert codes == ["", "not_media", "", "empty", "file_missing"]


def test_people_read_results_and_refusals_on_stderr(batch) -> None:
    assert "notes.txt: This is not a video" in batch.done.stderr
    assert "Cannot judge" in batch.done.stderr
    assert "5 files: " in batch.done.stderr
    assert "1/5 face.png: Looking for faces\n" in batch.done.stderr
    assert f"face.png: wrote {batch.html[0]}\n" in batch.done.stderr
    assert "Traceback" not in batch.done.stderr


def test_reports_are_named_after_their_inputs(batch) -> None:
    hashes = [d["media"]["sha256"][:8] for d in batch.documents if "error" not in d]
    assert [p.name for p in batch.html] == [f"face-{hashes[0]}.html", f"wäves _b_-{hashes[1]}.html"]
    assert [p.name for p in batch.video] == [f"wäves _b_-{hashes[1]}.mp4"]
    assert "wäves &lt;b&gt;.mp4" in batch.html[1].read_text(encoding="utf-8")


def test_the_face_was_found(batch) -> None:
    face, waves = batch.documents[0], batch.documents[2]
    assert len(face["people"]) == 1
    assert face["frames"]["verified"] == 1
    assert waves["verdict"] == {
        "label": "not_applicable",
        "fake_prob": None,
        "votes": {"fake": 0, "real": 0, "abstain": 0},
        "reasons": ["no_face"],
        "voters": registry.voters(["default"], "video"),
    }


def test_python_gives_the_same_report(batch) -> None:
    report = tbd_app.analyze(batch.inputs[0], n_frames=8, explain=False, device="cpu")
    ours, theirs = to_dict(report), batch.documents[0]
    for document in (ours, theirs):
        document |= {"timings_s": {}, "made_at": ""}
    assert ours == theirs


@pytest.mark.weights
def test_the_bundled_model_scores_the_face(batch) -> None:
    scores = batch.documents[0]["people"][0]["scores"]
    assert [s["status"] for s in scores if s["model"] == "effnetv2_b0_frame"] == ["ok"]


def test_a_clip_meets_every_model_and_those_that_are_not_installed_say_how_to_get_them(tmp_path) -> None:
    path = media_factory.portrait_clip(tmp_path / "face.mp4", n_frames=8, size=(320, 240))
    done = tbd("analyze", path, *QUICK, "--models", "all", "--json", tmp_path / "report.json")
    assert done.returncode == 0
    assert "A: " in done.stdout
    document = json.loads((tmp_path / "report.json").read_text())
    VALIDATOR.validate(document)
    (person,) = document["people"]
    scores = {score["model"]: score for score in person["scores"]}
    assert list(scores) == registry.list_models()
    for name, score in scores.items():
        assert name in done.stdout
        if registry.is_installed(name):
            assert (score["status"], score["reason"]) == ("ok", None)
            assert 0 <= score["fake_prob"] <= 1
            assert "how_to_get" not in score
        else:
            assert (score["status"], score["reason"]) == ("not_installed", "weights_missing")
            assert score["how_to_get"] == registry.how_to_get(name)
            assert f"{name}: {registry.how_to_get(name)}" in done.stdout


def test_nothing_analysed_is_3(tmp_path) -> None:
    assert tbd("analyze", tmp_path / "missing.mp4", tmp_path).returncode == 3


@pytest.fixture
def none_installed(tmp_path, monkeypatch) -> None:
    """A weights folder whose manifest lists every model, and none is there."""
    entry = {"sha256": "0" * 64, "bytes": 1, "threshold": 0.5, "temperature": 1.0, "licence": "none"}
    models = [entry | {"name": n, "file": f"{n}-nowhere.safetensors"} for n in registry.list_models()]
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "models": models}))
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))


@pytest.mark.usefixtures("none_installed")
def test_a_face_that_no_model_could_judge_is_not_judged(tmp_path) -> None:
    face = media_factory.portrait_image(tmp_path / "face.png", size=(480, 480))
    waves = tmp_path / "waves.png"
    Image.fromarray(media_factory.faceless_frame()).save(waves)
    alone = tbd("analyze", face, *QUICK, "--models", "xception", "--json", "-")
    assert alone.returncode == 3
    assert json.loads(alone.stdout)["verdict"]["reasons"] == ["no_model_installed"]
    assert tbd("analyze", face, waves, *QUICK, "--models", "xception").returncode == 2
    assert tbd("analyze", waves, *QUICK, "--models", "xception").returncode == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_device_that_is_not_there_is_one_sentence_and_2(tmp_path) -> None:
    face = media_factory.portrait_image(tmp_path / "face.png", size=(480, 480))
    done = tbd("analyze", face, *QUICK[:-1], "cuda", "--json", "-")
    assert done.returncode == 2
    assert done.stderr.strip() == "There is no GPU that PyTorch can use here; take the device cpu or auto."
    assert done.stdout == ""


def started(path: Path) -> subprocess.Popen[str]:
    """A long batch that has finished its first input."""
    command = [*TBD, "analyze", *[str(path)] * 200, *QUICK, "--json", "-"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs, and all that they start, with interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    json.loads(process.stdout.readline())
    return process


def test_an_interrupt_stops_cleanly(tmp_path) -> None:
    with started(media_factory.faceless_clip(tmp_path / "waves.mp4", n_frames=10)) as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped." in err
    assert "Traceback" not in err


def test_a_closed_pipe_is_quiet(tmp_path) -> None:
    with started(media_factory.faceless_clip(tmp_path / "waves.mp4", n_frames=10)) as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--frames", "3"], "8 to 64"),
        (["--face-confidence", "0.2"], "0.5 to 1"),
        (["--min-face-px", "10"], "at least 20 pixels"),
        (["--min-track-share", "1.5"], "0 to 1"),
        (["--device", "tpu"], "auto, cpu or cuda"),
        (["--models", "effnetv2_b0_frames"], "effnetv2_b0_frame"),
        (["--models", ","], "at least one model"),
        (["--html", "clip.mp4"], "clip.mp4 cannot be written"),
        (["--json", "clip.mp4"], "clip.mp4 exists and holds no report"),
        (["--json", "nowhere/out.json"], "nowhere/out.json cannot be written"),
    ],
)
def test_a_wrong_option_says_why_and_does_nothing(option, words, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    Path("clip.mp4").write_bytes(b"somebody's video")
    done = tbd("analyze", "clip.mp4", *option)
    assert done.returncode == 3
    assert words in done.stderr
    assert done.stdout == ""
    assert Path("clip.mp4").read_bytes() == b"somebody's video"


def test_a_folder_stands_for_its_files_in_natural_order(tmp_path) -> None:
    for name in ("clip10.mp4", "clip2.mp4", ".hidden", "Clip1.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    alone = tmp_path / "clip10.mp4"
    files, _ = expand([tmp_path, alone])
    assert [p.name for p in files] == [
        "Clip1.mp4",
        "clip2.mp4",
        "clip10.mp4",
        "clip10.mp4",
    ]
    assert expand([tmp_path / "deeper"]) == ([tmp_path / "deeper"], 0)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("clip.mp4", "clip"),
        ("a:b*c?.mp4", "a_b_c_"),
        ("-rf .mp4", "rf "),
        ("...", "input"),
        ("क" * 90, "क" * 80),
    ],
)
def test_names_of_outputs_are_safe(name, stem) -> None:
    assert _safe_stem(name) == stem


def test_models_lists_all_with_how_to_get_them() -> None:
    rows = json.loads(tbd("models", "--json").stdout)
    assert [row["name"] for row in rows] == registry.list_models()
    assert all(row["installed"] or row["how_to_get"] for row in rows)
    table = tbd("models", "--all").stdout
    assert all(name in table for name in registry.list_models())


@pytest.mark.weights
def test_the_doctor_finds_a_sound_installation() -> None:
    done = tbd("doctor")
    assert done.returncode == 0, done.stdout
    assert "problem" not in done.stdout
    assert "libx264" in done.stdout
    assert "hash matches" in done.stdout


def test_version_and_help() -> None:
    assert tbd("--version").stdout == f"tbd {tbd_app.__version__}\n"
    text = tbd("analyze", "--help").stdout
    assert all(
        option in text for option in ("--models", "--json", "--html", "--video", "--no-explain", "--device")
    )
