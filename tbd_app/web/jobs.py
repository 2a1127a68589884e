"""One request: settings checked, files claimed, engine run for each; and what a doubting user sends back."""

from __future__ import annotations

import importlib
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import tbd_app
from tbd_app import catalogue
from tbd_app.errors import BadSetting, FileMissing, TBDError
from tbd_app.report import annotate, html
from tbd_app.report.to_json import to_dict
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ProgressEvent, Report
from tbd_app.web import metrics, texts, uploads
from tbd_app.web.bench import Bench
from tbd_app.web.line import POLL_S, Line

Engine = Callable[..., Generator[ProgressEvent | Report]]
MAX_FILES = 10  # of one run of the page
MAX_REMARK = 2000  # characters
NO_PICTURE = np.empty((0, 0, 3), np.uint8)
GPU_S = 120  # that a GPU is lent for at most
MAX_MODELS, MAX_NAME = 100, 100  # names in a request, characters of one
_ESTIMATE_FROM = 0.15  # share of the work and seconds before which nothing is said of the time left
_ESTIMATE_AFTER_S = 2.0


class Unexpected(TBDError):
    """A fault of this program, met with one input."""

    code = "internal_error"


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many analyses are before this one."""

    before: int


@dataclass(frozen=True, slots=True)
class Preparing:
    """The models are still being loaded."""


@dataclass(frozen=True, slots=True)
class Started:
    """The files of the run by name."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Progress with one file, and about how many seconds are left for it, None while nobody can say."""

    index: int
    event: ProgressEvent
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The report on one file, what was made of it besides (file name to content), and whether its video lacks the sound."""

    index: int
    report: Report
    files: dict[str, bytes] = field(default_factory=dict)
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that could not be analysed; the run goes on with the next."""

    index: int
    name: str
    error: TBDError


Event = Waiting | Preparing | Started | Step | Finished | Refused


def lent_gpu(engine: Engine) -> Engine:
    """On ZeroGPU, a GPU is lent to functions that are marked when their module is loaded; elsewhere the same function."""
    try:
        spaces = importlib.import_module("spaces")
    except ImportError:
        return engine
    return spaces.GPU(duration=GPU_S)(engine)


@lent_gpu
def default_engine(*args: Any, **kwargs: Any) -> Generator[ProgressEvent | Report]:
    """`tbd_app.analyze_events`, looked up when first used because it imports torch."""
    yield from tbd_app.analyze_events(*args, **kwargs)


def default_warm_up() -> None:
    """Load the default models; looked up here because it imports torch."""
    from tbd_app.pipeline.analyze import warm_up

    warm_up(AnalysisSettings())


class Desk:
    """Where requests are worked on: an engine and its thread, the line before it, and whether its models are loaded.

    Args:
        engine: as `tbd_app.analyze_events`.
        warm_up: run at once in the background; analyses wait for it.
    """

    def __init__(self, engine: Engine, warm_up: Callable[[], None] | None = None) -> None:
        self._engine, self._bench = engine, Bench()
        self.line = Line()
        self.ready = threading.Event()
        if warm_up is None:
            self.ready.set()
        else:
            self._bench.begin(partial(self._prepare, warm_up))

    def _prepare(self, warm_up: Callable[[], None]) -> None:
        try:
            warm_up()
        except Exception:  # the analysis itself meets the cause again and can say it to somebody
            logging.getLogger(__name__).exception("The models could not be loaded at start")
        finally:
            self.ready.set()

    def analysis(
        self, upload: uploads.Upload, chosen: AnalysisSettings, *, pictures: bool
    ) -> Generator[ProgressEvent | Report]:
        """What the engine says of a file."""
        return self._bench.stream(self._engine, upload.path, chosen, name=upload.name, pictures=pictures)

    def until_ready(self) -> Iterator[Preparing]:
        """Says that models are being loaded for as long as they are."""
        while not self.ready.is_set():
            yield Preparing()
            self.ready.wait(POLL_S)


def settings(
    n_frames: Any,
    face_confidence: Any,
    models: Any,
    explain: Any,
    stability: Any = False,
    attention: Any = False,
    *,
    ticked: bool = False,
) -> AnalysisSettings:
    """Settings from values that come over the network.

    Args:
        ticked: `models` are the ticks of the page's list, which stand for "default" where they are the default voters.

    Raises:
        BadSetting: a value has the wrong type or is out of range.
    """
    try:
        named = [models] if isinstance(models, str) else list(models)
        if len(named) > MAX_MODELS or any(not isinstance(n, str) or len(n) > MAX_NAME for n in named):
            raise BadSetting(texts.BAD_MODELS)
        words = tuple(dict.fromkeys(named))
        return AnalysisSettings(
            n_frames=int(n_frames),
            face_confidence=float(face_confidence),
            models=catalogue.asked_by(words) if ticked else words,
            explain=bool(explain),
            stability=bool(stability),
            attention=bool(attention),
        )
    except (TypeError, ValueError) as error:
        raise BadSetting(texts.BAD_VALUES) from error


def events(
    payload: Any,
    chosen: AnalysisSettings,
    desk: Desk,
    *,
    with_pictures: bool = True,
    with_html: bool = False,
    with_video: bool = False,
) -> Generator[Event]:
    """What happens with the files of a request, one after the other.

    However it ends, also when closed early, the uploads are deleted: each as soon as it was analysed.

    Args:
        payload: Gradio's file dictionary or a list of them.
        with_pictures: make maps and frames for views, too.
        with_html: make the HTML report, too.
        with_video: make the annotated video, too, of what is a video.

    Raises:
        TBDError: whatever the user can act upon, where it is about the whole request.
    """
    with uploads.claimed(payload, MAX_FILES) as files:
        yield Started(tuple(f.name for f in files))
        with desk.line.joined() as ticket:
            for before in ticket.before():
                yield Waiting(before)
            yield from desk.until_ready()
            for index, upload in enumerate(files):
                yield from _one(
                    index, upload, chosen, desk,
                    with_pictures=with_pictures, with_html=with_html, with_video=with_video,
                )  # fmt: skip


def _one(
    index: int,
    upload: uploads.Upload,
    chosen: AnalysisSettings,
    desk: Desk,
    *,
    with_pictures: bool,
    with_html: bool,
    with_video: bool,
) -> Iterator[Event]:
    begun = time.monotonic()
    try:
        with closing(desk.analysis(upload, chosen, pictures=with_pictures)) as stream:
            for item in stream:
                if isinstance(item, Report):
                    metrics.judged(item.verdict.label, item.timings_s)
                    made = _made(item, upload.path, with_html, with_video)
                    yield Finished(index, item, *made)
                else:
                    yield Step(index, item, _left(time.monotonic() - begun, item.fraction))
    except TBDError as error:
        metrics.failed(error.code)
        yield Refused(index, upload.name, error)
    except Exception:
        logging.getLogger(__name__).exception("Unexpected failure")
        metrics.failed(Unexpected.code)
        yield Refused(index, upload.name, Unexpected(texts.UNEXPECTED))
    finally:
        upload.path.unlink(missing_ok=True)


def _left(elapsed_s: float, fraction: float) -> float | None:
    """Seconds left, if the rest is as fast as what is done."""
    if fraction < _ESTIMATE_FROM or elapsed_s < _ESTIMATE_AFTER_S:
        return None
    return elapsed_s * (1 - fraction) / fraction


def _made(report: Report, path: Path, with_html: bool, with_video: bool) -> tuple[dict[str, bytes], bool]:
    stem, mute = uploads.stem(report.media.name), False
    files = {f"{stem}.tbd.html": html.render(report).encode()} if with_html else {}
    if with_video and report.media.kind == "video":
        files[f"{stem}.tbd.mp4"], mute = film(report, path)
    return files, mute


def film(report: Report, path: Path) -> tuple[bytes, bool]:
    """The annotated video of a report, as an mp4, and whether sound is missing from it.

    Raises:
        FileMissing: the file at `path` is another one than the report is about.
        TBDError: it cannot be decoded again.
    """
    if uploads.sha256(path) != report.media.sha256:
        raise FileMissing(texts.OTHER_FILE)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / "film.mp4"
        mute = annotate.write(report, path, out)
        return out.read_bytes(), mute


def kept(report: Report) -> Report:
    """What the server remembers of a report until the page is closed: no picture."""
    people = tuple(replace(person, thumbnail=NO_PICTURE) for person in report.people)
    return replace(report, people=people, explanations=(), snapshots=())


def store_feedback(folder: Path, report: Report, remark: str) -> Path:
    """Keep a report that its user doubts, with the user's words and without the media."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.time_ns()}.json"
    document = {"remark": remark[:MAX_REMARK], "report": to_dict(report)}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return path
