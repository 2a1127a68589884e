"""A running page around an engine that tests can steer."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tbd_app.errors import NotMedia, TBDError
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Label, ProgressEvent, Report
from tbd_app.web import jobs, uploads
from tbd_app.web.page import build_page, launch_options
from tests.report_factory import make_report
from tests.web.actions import DESKTOP

PATIENCE_MS = 60_000  # what is awaited comes at once; a busy machine must not fail a test
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # in a container it may be 64 MB, too small for a page
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a moving pattern
    "--use-fake-ui-for-media-stream",
]


@dataclass
class SteeredEngine:
    """Stands in for `analyze_events`: reads the file, reports progress until told to go on, ends as told."""

    label: Label = "fake"
    error: Exception | None = None
    errors: dict[str, Exception] = field(default_factory=dict)  # by file name
    halts_at: str = ""  # the name of a file with which it never gets done
    report: Report | None = None  # in place of a made one
    go: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    pictures: bool | None = None  # whether they were asked for the last time
    seen: list[tuple[bytes, str, AnalysisSettings]] = field(default_factory=list)

    def reset(self) -> None:
        self.label, self.error, self.halts_at, self.report = "fake", None, "", None
        self.go.set()
        self.closed.clear()
        self.seen.clear()
        self.errors.clear()

    def __call__(
        self, path: Path, settings: AnalysisSettings, *, name: str, pictures: bool
    ) -> Iterator[ProgressEvent | Report]:
        self.pictures = pictures
        self.seen.append((path.read_bytes(), name, settings))
        self.closed.clear()
        try:
            yield ProgressEvent("media", 1, 1, 0.1, "Opening the file")
            while name == self.halts_at or not self.go.wait(0.05):
                time.sleep(0.02)
                yield ProgressEvent("faces", 8, 32, 0.4, "Looking for faces")
            if error := self.errors.get(name, self.error):
                raise error
            yield self.report or make_report(label=self.label, name=name)
        finally:
            self.closed.set()


@dataclass(frozen=True)
class Server:
    """A launched page."""

    url: str
    temp_dir: Path
    feedback_dir: Path
    engine: Any
    blocks: Any

    def leftovers(self, expected: int = 0) -> list[str]:
        """Files in its temporary folder, its lock aside, once a running deletion had its time to leave so many."""
        for _ in range(200):
            names = [name for _, _, files in os.walk(self.temp_dir) for name in files if name != ".lock"]
            if len(names) <= expected:
                break
            time.sleep(0.05)
        return names


@contextmanager
def serve(engine: jobs.Engine, folder: Path) -> Iterator[Server]:
    """The page around an engine, launched on a free port, with everything it writes under `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        patch.setenv("TBD_FEEDBACK_DIR", str(folder / "feedback"))
        patch.setenv("TBD_MAX_FILE_MB", "2")
        temp_dir = uploads.prepare_temp_dir()
        blocks = build_page(engine)
        _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, **launch_options(blocks))
        yield Server(url, temp_dir, folder / "feedback", engine, blocks)
        blocks.close()


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(SteeredEngine(), tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture
def server(launched: Server) -> Server:
    """The page with its engine as new; nothing is left of the test before."""
    launched.engine.reset()
    return launched


@pytest.fixture
def refused() -> TBDError:
    return NotMedia("This is a PDF document, not a video, a picture or a zip of frames.")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is missing: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots go; not in git."""
    folder = Path(__file__).resolve().parents[2] / "test-artifacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def page(request: pytest.FixtureRequest, chromium: Browser, server: Server) -> Iterator[Page]:
    context = chromium.new_context(viewport=request.param, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    outside: list[str] = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((server.url, "data:", "blob:")) else outside.append(r.url),
    )
    page.goto(server.url)
    yield page
    context.close()
    assert outside == [], "the page must work with no network"
