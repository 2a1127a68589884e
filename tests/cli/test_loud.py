"""Inputs that are no files, names that are no text, and models that cannot run: each has one answer, and it is loud."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from PIL import Image

from tests import media_factory
from tests.cli.test_main import QUICK, TBD, tbd


@pytest.fixture
def damaged(tmp_path, monkeypatch) -> None:
    """A weights folder whose only model votes by default and was cut short."""
    entry = {
        "name": "xception",
        "file": "cut.safetensors",
        "sha256": "0" * 64,
        "bytes": 999,
        "threshold": 0.5,
    }
    entry |= {"temperature": 1.0, "licence": "none", "default_voter": True}
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "models": [entry]}))
    (tmp_path / "cut.safetensors").write_bytes(b"cut")
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))


@pytest.mark.usefixtures("damaged")
def test_damaged_weights_are_no_doubt_but_no_judgement(tmp_path) -> None:
    face = media_factory.portrait_image(tmp_path / "face.png", size=(480, 480))
    done = tbd("analyze", face, *QUICK, "--models", "xception", "--json", "-")
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert (document["verdict"]["label"], document["verdict"]["reasons"]) == (
        "not_applicable",
        ["model_failed"],
    )
    (warning,) = document["warnings"]
    assert warning.startswith("Nobody was judged")
    assert "xception: its weights are damaged" in warning
    assert warning in " ".join(done.stderr.split())


def test_a_broken_manifest_answers_each_input(tmp_path, monkeypatch) -> None:
    (tmp_path / "manifest.json").write_text("{")
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))
    done = tbd("analyze", tmp_path / "a.mp4", tmp_path / "b.mp4", "--json", "-")
    assert done.returncode == 3
    codes = [json.loads(line)["error"]["code"] for line in done.stdout.splitlines()]
    assert codes == ["weights_corrupt", "weights_corrupt"]


def test_every_input_has_one_line_whatever_it_is(tmp_path) -> None:
    picture = tmp_path / "p.png"
    Image.fromarray(media_factory.faceless_frame(size=(64, 48))).save(picture)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "round").mkdir()
    (tmp_path / "round" / "again").symlink_to(tmp_path / "round", target_is_directory=True)
    names = ["M\udcfcller.png", "a\x1b[2J\nb\u202egnp.png"]
    for name in names:
        os.link(picture, tmp_path / name)
    inputs = [tmp_path / name for name in ("pipe.mp4", "loop", "round", *names)]
    inputs += ["/dev/zero", "x" * 300, picture]
    done = subprocess.run(
        [*TBD, "analyze", *map(str, inputs), *QUICK, "--json", "-", "--html", tmp_path / "out"],
        capture_output=True,
        timeout=200,
    )
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(documents) == len(inputs)
    codes = [d["error"]["code"] if "error" in d else "" for d in documents]
    assert codes == ["file_missing", "file_missing", "empty", "", "", "file_missing", "file_missing", ""]
    assert [d["media"]["name"] for d in documents[3:5]] == [r"M\udcfcller.png", r"a\x1b[2J\nb\u202egnp.png"]
    assert b"\x1b[2J" not in done.stderr
    assert b"named pipe" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert done.returncode == 2
