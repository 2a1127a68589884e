"""Which engine a scan asks, and what becomes of its errors.

A scan takes the name of a module with the two functions of `Analysis` (`scan(..., analysis="package.module")`), so that
tests, and people with another engine, can put their own in place of `engine`. The halves may run in different processes:
what `read` gives must survive Ray's way from one to another.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from tbd_app.errors import TBDError, Unexpected
from tbd_app.report import to_json
from tbd_app.settings import AnalysisSettings

ENGINE = "tbd_app.scan.engine"


class Analysis(Protocol):
    """A module that reads and judges files; both halves may raise any `TBDError`."""

    def read(self, path: Path, settings: AnalysisSettings) -> Any: ...

    def judge(self, read: Any, settings: AnalysisSettings, name: str) -> dict[str, Any]: ...


def load(module: str) -> Analysis:
    """The analysis of that name."""
    return cast(Analysis, importlib.import_module(module))


def answered(
    job: Callable[[], dict[str, Any]], name: str, *, passed_on: tuple[type[Exception], ...] = ()
) -> dict[str, Any]:
    """What a job gives, or its error as a document; nothing that a file does ends a scan.

    Args:
        passed_on: errors that are no fault of the file.
    """
    try:
        return job()
    except passed_on:
        raise
    except TBDError as error:
        return to_json.error_to_dict(name, error)
    except Exception as error:
        logging.getLogger(__name__).exception("Unexpected failure with %s", name)
        return to_json.error_to_dict(name, Unexpected.of(error))
