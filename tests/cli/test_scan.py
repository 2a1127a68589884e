"""`tbd scan` as its users meet it: the rows are those of `tbd analyze`, and the progress says rate and time left."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

import tbd_app
from tbd_app.cli.main import app
from tbd_app.cli.screen import Screen
from tbd_app.report.to_json import SCHEMA_PATH, to_dict
from tbd_app.settings import AnalysisSettings
from tests import media_factory

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def tbd(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tbd_app", *map(str, args)], capture_output=True, text=True, check=False
    )


def test_rows_are_the_reports_of_an_analysis(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "results.parquet"
    clips.mkdir()
    media_factory.portrait_image(clips / "face.png", size=(480, 480))
    (clips / "notes.md").write_text("not media")
    media_factory.faceless_clip(clips / "waves.mp4", n_frames=10)
    options = ["--models", "effnetv2_b0_frame", "--frames", "8", "--device", "cpu", "--workers", "1"]
    done = tbd("scan", clips, "--out", out, *options)
    assert done.returncode == 2, done.stderr
    assert "3 files: " in done.stdout
    assert "refused 1 (not_media 1)" in done.stdout
    rows = pq.read_table(out).to_pylist()
    assert [row["error_code"] for row in rows] == [None, "not_media", None]
    settings = AnalysisSettings(n_frames=8, models=("effnetv2_b0_frame",), explain=False, device="cpu")
    for row in (rows[0], rows[2]):
        ours = to_dict(tbd_app.analyze(row["path"], settings))
        theirs = json.loads(row["report"])
        VALIDATOR.validate(theirs)
        # Last digits follow the number of threads, which is the workers' own.
        prob = ours["verdict"].pop("fake_prob")
        assert row["fake_prob"] == theirs["verdict"].pop("fake_prob") == pytest.approx(prob, abs=0.02)
        for key in ("media", "verdict", "frames", "settings", "models", "known_performance", "versions"):
            assert theirs[key] == ours[key]
        assert (row["label"], row["sha256"]) == (ours["verdict"]["label"], ours["media"]["sha256"])
        assert row["people"] == len(ours["people"])
    assert sorted(p.name for p in tmp_path.glob("results*")) == ["results.parquet", "results.parquet.journal"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "x.csv"], "must end in .parquet"),
        (["--out", "nowhere/x.parquet"], "there is no folder"),
        (["--out", "x.parquet"], "no file to scan"),
        (["*.nothing", "--out", "x.parquet"], "Nothing matches"),
        (["--out", "x.parquet", "--frames", "3"], "8 to 64"),
        (["--out", "x.parquet", "--models", "nosuch"], "nosuch"),
    ],
)
def test_a_wrong_option_says_why_and_leaves_nothing(options, words, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["scan", ".", *options])
    assert done.exit_code == 3
    assert words in done.output
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_says_that_the_same_command_goes_on(tmp_path, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tbd_app.scan.run.scan", interrupted)
    done = CliRunner().invoke(app, ["scan", str(tmp_path), "--out", str(tmp_path / "x.parquet")])
    assert done.exit_code == 130
    assert "the same command goes on" in done.output


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch, capsys) -> None:
    command = importlib.import_module("tbd_app.cli.scan")
    monkeypatch.setattr(command, "LINE_EVERY_S", 0.0)
    clock = iter(range(1000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with command._progress(Screen()) as show:
        for waiting in range(50, 30, -10):
            show(waiting, 60)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Going on: 10 of 60 files are done."
    assert lines[-1].startswith("20 of 60 files")
