"""Reports of a run that was ended early are there for its page alone, and not for long."""

from __future__ import annotations

import io
import re
import zipfile
from base64 import b64decode
from types import SimpleNamespace

import pytest

from tbd_app.settings import AnalysisSettings
from tbd_app.web import jobs, run, uploads
from tests.web.actions import CLIP
from tests.web.conftest import SteeredEngine

NAMES = ("a.mp4", "b.mp4", "c.mp4")


@pytest.fixture
def files(tmp_path, monkeypatch) -> list[dict[str, str]]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    uploads.prepare_temp_dir()
    out = []
    for name in NAMES:
        path = uploads.new_folder() / name
        path.write_bytes(CLIP["buffer"])
        out.append({"path": str(path), "orig_name": name})
    return out


@pytest.fixture
def page() -> SimpleNamespace:
    """Stands in for the components of a page: each is its own name."""
    asked = SimpleNamespace(analyze="analyze")
    names = ("stop", "status", "queue", "archive", "reports", "rows")
    shown = SimpleNamespace(
        **{name: name for name in names}, slots=[f"slot {k}" for k in range(jobs.MAX_FILES)]
    )
    engine = SteeredEngine(halts_at="c.mp4")
    engine.go.set()
    return SimpleNamespace(run=run.Run(asked, shown, jobs.Desk(engine)), seen={})


def begun(page, files):
    """A run that has reached the third of its files."""
    updates = page.run.of(files, AnalysisSettings(), "ours")
    for update in updates:
        page.seen.update(update)
        if "c.mp4: Looking" in page.seen.get("status", ""):
            return updates
    raise AssertionError


def zipped(update) -> list[str]:
    content = re.search('href="data:application/zip;base64,([^"]+)"', update["archive"])
    assert content is not None
    return zipfile.ZipFile(io.BytesIO(b64decode(content[1]))).namelist()


@pytest.mark.parametrize("closed_first", [True, False])
def test_after_stop_the_finished_reports_are_a_zip_for_their_own_page(page, files, closed_first) -> None:
    updates = begun(page, files)
    if closed_first:
        updates.close()
    assert "archive" not in page.run.stopped(page.seen["rows"], "another")
    expected = ["01-a.tbd.html", "01-a.tbd.json", "02-b.tbd.html", "02-b.tbd.json"]
    assert zipped(page.run.stopped(page.seen["rows"], "ours")) == expected
    assert "archive" not in page.run.stopped(page.seen["rows"], "ours"), "it is not sent twice"
    updates.close()


def test_reports_that_nobody_asks_for_are_forgotten(page, files, monkeypatch) -> None:
    waiting = []

    class Timer:
        daemon = False

        def __init__(self, seconds, act, arguments) -> None:
            assert seconds == run.LEFT_S
            waiting.append(lambda: act(*arguments))

        def start(self) -> None: ...

    monkeypatch.setattr(run.threading, "Timer", Timer)
    begun(page, files).close()
    (late,) = waiting
    late()
    assert "archive" not in page.run.stopped([], "ours")


def test_reports_of_a_run_that_ended_are_not_kept(page, files) -> None:
    updates = page.run.of(files[:2], AnalysisSettings(), "ours")
    assert zipped([update for update in updates if "archive" in update][-1])
    assert "archive" not in page.run.stopped([], "ours")
