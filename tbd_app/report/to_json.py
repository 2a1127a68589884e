"""Report JSON v1, as described by schema.json beside this file: equal reports give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tbd_app.errors import TBDError
from tbd_app.plain import plain
from tbd_app.plain import to_dict as to_dict
from tbd_app.types import SCHEMA_VERSION, Report

SCHEMA_PATH = Path(__file__).with_name("schema.json")


def error_to_dict(name: str, error: TBDError) -> dict[str, Any]:
    """The document of an input that was refused."""
    return plain({"schema_version": SCHEMA_VERSION, "media": {"name": name}, "error": error.to_dict()})


def pretty(document: Report | dict[str, Any]) -> str:
    """JSON text as a file that people open: indented, with a line end."""
    return dumps(document, indent=2) + "\n"


def dumps(document: Report | dict[str, Any], *, indent: int | None = None) -> str:
    """JSON text, ASCII only, so that one line stays one line for every reader of JSON Lines.

    Args:
        document: a report, or what `to_dict` or `error_to_dict` made.
        indent: spaces per level; None for a single line.

    Raises:
        ValueError: a number is not finite.
    """
    content = to_dict(document) if isinstance(document, Report) else document
    return json.dumps(content, indent=indent, allow_nan=False)
