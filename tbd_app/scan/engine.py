"""The engine in two halves, as scans ask it: `read` needs no model, `judge` needs no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tbd_app.errors import Unexpected
from tbd_app.pipeline import people
from tbd_app.pipeline.analyze import analyze_events
from tbd_app.report import to_json
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Frames, Media, Report


def read(path: Path, settings: AnalysisSettings) -> tuple[Media, Frames]:
    """Open a file and sample its frames.

    Raises:
        TBDError: the file is refused.
    """
    return people.read(path, settings)


def judge(read: tuple[Media, Frames], settings: AnalysisSettings, name: str) -> dict[str, Any]:
    """The report JSON of what was read, under this name.

    Raises:
        TBDError: a setting is refused.
    """
    for item in analyze_events(read[0].path, settings, name=name, read=read):
        if isinstance(item, Report):
            return to_json.to_dict(item)
    raise Unexpected("The analysis ended without a report.")
