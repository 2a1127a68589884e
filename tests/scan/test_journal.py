"""The journal says what waits and what is done, also where copies and lost files meet, and has one writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbd_app.errors import BadSetting
from tbd_app.scan.journal import Journal

DONE = {"verdict": {"label": "real"}}
GONE = {"error": {"code": "file_missing", "message": ""}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.journal"


def waiting(journal: Journal) -> list[str]:
    return [task.path for task in journal.waiting(0)]


def test_files_are_listed_once_in_their_order_whatever_their_names(path) -> None:
    odd = b"/caf\xe9".decode("utf-8", "surrogateescape")
    with Journal(path, {}) as journal:
        journal.add(["/b", "/a", odd])
        journal.add(["/a", "/c"])
        assert waiting(journal) == ["/b", "/a", odd, "/c"]
        assert [task.path for task in journal.waiting(2, 1)] == [odd]
        assert journal.count() == (4, 4)


def test_copies_of_a_file_that_went_missing_wait_again(path) -> None:
    with Journal(path, {}) as journal:
        journal.add(["/a", "/b", "/c"])
        assert journal.claim(1, "s", 5)
        assert not journal.claim(2, "s", 5)
        assert waiting(journal) == ["/a", "/c"]
        journal.write(1, GONE, 0.0)
        journal.copy(3, "s", 5, first=1)  # said before, heard only now
        assert waiting(journal) == ["/b", "/c"]
        assert journal.claim(2, "s", 5)
        assert not journal.claim(3, "s", 5)
        journal.write(2, DONE, 1.5)
        assert [(r.path, r.sha256, r.same_as, r.seconds) for r in journal.rows()] == [
            ("/a", None, None, 0.0),
            ("/b", "s", None, 1.5),
            ("/c", "s", "/b", 1.5),
        ]


def test_what_was_in_work_when_a_scan_ended_is_not_trusted(path) -> None:
    with Journal(path, {}) as journal:
        journal.add(["/a", "/b", "/c"])
        journal.claim(1, "s", 5)
        journal.copy(2, "s", 5, first=1)
        journal.claim(3, "t", 5)
        journal.write(3, DONE, 1.0)
    with Journal(path, {}) as journal:
        assert waiting(journal) == ["/a", "/b"]
        assert list(journal.contents()) == [("t", 3)]


def test_a_file_that_changed_after_its_worker_died_frees_its_copies(path) -> None:
    with Journal(path, {}) as journal:
        journal.add(["/a", "/b"])
        journal.claim(1, "s", 5)
        journal.claim(2, "s", 5)
        assert journal.died(1) == 1
        assert journal.claim(1, "other", 6)
        assert waiting(journal) == ["/a", "/b"]


def test_one_journal_has_one_writer_and_one_set_of_facts(path) -> None:
    with Journal(path, {"n_frames": 8}) as journal:
        journal.add(["/a"])
        with pytest.raises(BadSetting, match="another scan writes it"):
            Journal(path, {"n_frames": 8})
    with pytest.raises(BadSetting, match="n_frames 8, and now it is 16"):
        Journal(path, {"n_frames": 16})
    path.write_text("no data base at all " * 100)
    with pytest.raises(BadSetting, match="is no journal"):
        Journal(path, {})
