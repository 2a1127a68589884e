"""Where results go: names of outputs, and JSON as a folder of files for people or as lines for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tbd_app
from tbd_app.cli.batch import Batch, Outputs, expand
from tbd_app.cli.screen import Screen
from tbd_app.settings import AnalysisSettings
from tests.report_factory import make_report


def test_a_folder_of_json_holds_one_indented_dated_file_per_input(tmp_path) -> None:
    report = make_report()
    with Outputs.prepare(str(tmp_path / "out"), tmp_path / "out", None) as outputs:
        notes = outputs.write(report, Path("interview.mp4"))
    files = [tmp_path / "out" / f"interview-abababab{suffix}" for suffix in (".json", ".html")]
    assert notes == [f"wrote {file}" for file in files]
    text = files[0].read_text(encoding="utf-8")
    assert text.startswith('{\n  "schema_version": 1,')
    assert json.loads(text) == json.loads(json.dumps(report.to_dict()))
    assert json.loads(text)["made_at"] == "2026-11-30T01:22:03Z"
    assert report.media.sha256 in files[1].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["out.json", "out.jsonl"])
def test_a_file_has_one_document_a_line(tmp_path, name) -> None:
    with Outputs.prepare(str(tmp_path / name), None, None) as outputs:
        for _ in range(2):
            outputs.write(make_report(), Path("interview.mp4"))
    lines = (tmp_path / name).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["suspicious"] * 2


def test_a_folder_with_a_dot_in_its_name_is_a_folder(tmp_path) -> None:
    (tmp_path / "v1.2").mkdir()
    assert Outputs.prepare(str(tmp_path / "v1.2"), None, None).json_dir == tmp_path / "v1.2"


def test_of_a_folder_only_media_are_asked_about(tmp_path) -> None:
    image = tmp_path / "a face.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n and more")
    (tmp_path / "notes.txt").write_text("who was filmed, and when")
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / ".hidden.png").write_bytes(image.read_bytes())
    assert expand([tmp_path]) == ([image, tmp_path / "empty.mp4"], 2)
    # What is named itself is answered, whatever it is, and so is a folder in which there is nothing to ask about.
    assert expand([tmp_path / "notes.txt"]) == ([tmp_path / "notes.txt"], 0)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.txt").write_text("a")
    assert expand([tmp_path / "papers"]) == ([tmp_path / "papers"], 1)


@pytest.mark.parametrize(("html", "wanted"), [(None, False), ("reports", True)])
def test_maps_are_made_only_for_an_output_that_shows_them(html, wanted, tmp_path, monkeypatch) -> None:
    asked = []

    def engine(path, settings, *, pictures):
        asked.append(pictures)
        yield make_report()

    monkeypatch.setattr(tbd_app, "analyze_events", engine)
    folder = html and tmp_path / html
    with Outputs.prepare(str(tmp_path / "a.json"), folder, None) as outputs:
        Batch([tmp_path / "a.mp4"], AnalysisSettings(), outputs, Screen()).run()
    assert asked == [wanted]
