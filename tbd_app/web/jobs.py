"""One request: settings checked, file claimed, engine run; and what a doubting user sends back."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tbd_app
from tbd_app import catalogue
from tbd_app.errors import BadSetting, TBDError
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ProgressEvent, Report
from tbd_app.web import metrics, texts, uploads

Engine = Callable[..., Generator[ProgressEvent | Report]]
MAX_REMARK = 2000  # characters
GPU_S = 120  # that a GPU is lent for at most
MAX_MODELS, MAX_NAME = 100, 100  # names in a request, characters of one


@dataclass(frozen=True, slots=True)
class Finished:
    """The report, and which of several files it is about (or "")."""

    report: Report
    note: str


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


def settings(
    n_frames: Any,
    face_confidence: Any,
    models: Any,
    explain: Any,
    stability: Any = True,
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
        )
    except (TypeError, ValueError) as error:
        raise BadSetting(texts.BAD_VALUES) from error


def events(
    payload: Any,
    n_frames: Any,
    face_confidence: Any,
    models: Any,
    explain: Any,
    stability: Any = True,
    *,
    engine: Engine,
    ticked: bool = False,
) -> Generator[ProgressEvent | Finished]:
    """Progress, then the result. However it ends, also when closed early, the uploads are deleted.

    Args:
        payload: Gradio's file dictionary or a list of them.
        ticked: as in `settings`.

    Raises:
        TBDError: whatever the user can act upon.
    """
    try:
        with uploads.claimed(payload) as upload:
            chosen = settings(n_frames, face_confidence, models, explain, stability, ticked=ticked)
            with closing(engine(upload.path, chosen, name=upload.name)) as stream:
                for item in stream:
                    if isinstance(item, Report):
                        metrics.judged(item.verdict.label, item.timings_s)
                        yield Finished(item, upload.note)
                    else:
                        yield item
    except TBDError as error:
        metrics.failed(error.code)
        raise
    except Exception:
        metrics.failed("internal_error")
        raise


def store_feedback(folder: Path, report_json: str, remark: str) -> Path:
    """Keep a report that its user doubts, with the user's words and without the media."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.time_ns()}.json"
    document = {"remark": remark[:MAX_REMARK], "report": json.loads(report_json)}
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return path
