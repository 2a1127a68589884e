"""The hostile corpus: every file has one of its right answers, in time, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tbd_app.settings import Limits
from tests import fuzz
from tests.hostile import CASES, OK

QUICK = Limits(max_animation_mpx=100, decode_timeout_s=60, decode_memory_mb=2000)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_has_a_right_answer(name, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(CASES[name].make(tmp_path))
    said = fuzz.answer(path, QUICK)
    assert said.code in CASES[name].answers
    assert said.message.isprintable()
    assert str(folder) not in said.message
    assert [p.name for p in folder.iterdir()] == ["file"]


def test_mutations_of_valid_files_have_coded_answers_only(tmp_path):
    found = fuzz.run(tmp_path, fuzz.in_process, seed=1, cases=190, videos=False)
    found += fuzz.run(tmp_path, fuzz.answer, seed=2, cases=10)
    assert sum(found.values()) == 200
    assert found["uncoded"] == 0
    assert found[OK] > 0
    assert not any(path.is_file() for path in tmp_path.iterdir())


def test_a_fork_answers_as_the_confined_process_does(tmp_path):
    """Of a process of its own, with one thread, as `script/fuzz` starts it."""
    names = ("zip: password", "MP4: cut", "noise")
    for i, name in enumerate(names):
        (tmp_path / str(i)).write_bytes(CASES[name].make(tmp_path))
    code = (
        "import sys; from pathlib import Path; from tests import fuzz\n"
        "for name in sys.argv[1:]: print(fuzz.forked(Path(name)).code)"
    )
    paths = [str(tmp_path / str(i)) for i in range(len(names))]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    said = subprocess.check_output([sys.executable, "-c", code, *paths], text=True, env=env)
    assert (
        said.split() == [fuzz.answer(Path(path)).code for path in paths] == ["encrypted_zip", OK, "not_media"]
    )


def test_an_error_without_a_code_is_found_and_its_file_kept(tmp_path, monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "sample", broken)
    found = fuzz.run(tmp_path, fuzz.in_process, seed=1, cases=6, videos=False)
    assert found["uncoded"] > 0
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == found["uncoded"]
    assert "seed 1, number" in capsys.readouterr().out


def test_what_the_page_says_came_of_a_case_is_right():
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        line.split(" | ") for line in page.split("<!-- corpus: ")[1].splitlines() if line.startswith("| ")
    ]
    said = {row[0].removeprefix("| "): row[2] for row in rows[1:]}
    assert len(said) > 40
    assert {name: answer for name, answer in said.items() if answer not in CASES[name].answers} == {}
