"""Reports with their pictures as text, for results that are shown without an analysis; nothing is unpickled."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tbd_app import catalogue, known, types
from tbd_app.types import Report

SUFFIX = ".report.json.gz"
_QUALITY = 70
_PICTURE_FROM = 256  # values; smaller arrays of shares are written as numbers
_CLASSES: dict[str, type] = {
    name: found
    for module in (types, known)
    for name, found in vars(module).items()
    if dataclasses.is_dataclass(found) and isinstance(found, type)
}


def save(report: Report, path: Path) -> None:
    """Write a report; the same report gives the same bytes."""
    text = json.dumps(_packed(report), ensure_ascii=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def load(path: Path) -> Report:
    """The report that `save` wrote.

    Raises:
        ValueError: the file holds something else.
    """
    found = _unpacked(json.loads(gzip.decompress(path.read_bytes())))
    if not isinstance(found, Report):
        raise ValueError(f"{path.name} holds no report")
    return found


def current(folder: Path, names: list[str]) -> dict[str, Report | None]:
    """The stored report of each example; None where there is none, or another version or other weights made it."""
    out: dict[str, Report | None] = {}
    for name in names:
        path = folder / f"{name}{SUFFIX}"
        report = load(path) if path.is_file() else None
        out[name] = report if report and catalogue.made_now(report) else None
    return out


def _packed(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _packed(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$": type(value).__name__, "of": fields}
    if isinstance(value, dict):
        return {"$": "dict", "of": {k: _packed(v) for k, v in value.items()}}
    if isinstance(value, tuple):
        return {"$": "tuple", "of": [_packed(v) for v in value]}
    if isinstance(value, list):
        return [_packed(v) for v in value]
    if isinstance(value, Path):
        return {"$": "path", "of": value.name}
    if isinstance(value, np.ndarray):
        return _packed_array(value)
    if isinstance(value, float):
        return round(value, known.DECIMALS)
    return value


def _packed_array(value: np.ndarray) -> dict[str, Any]:
    if value.dtype == np.uint8 and value.ndim == 3:
        return {"$": "picture", "of": _encoded(value, "WEBP", quality=_QUALITY)}
    if value.ndim == 2 and value.size >= _PICTURE_FROM:
        return {"$": "shares", "of": _encoded(np.rint(value * 255).astype(np.uint8), "PNG")}
    return {
        "$": "array",
        "of": np.round(value, 2).tolist(),
        "shape": list(value.shape),
        "dtype": str(value.dtype),
    }


def _encoded(pixels: np.ndarray, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def _decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": lambda raw: {k: _unpacked(v) for k, v in raw["of"].items()},
    "tuple": lambda raw: tuple(_unpacked(v) for v in raw["of"]),
    "path": lambda raw: Path(raw["of"]),
    "picture": lambda raw: _decoded(raw["of"]),
    "shares": lambda raw: _decoded(raw["of"]).astype(np.float32) / 255,
    "array": lambda raw: np.array(raw["of"], raw["dtype"]).reshape(raw["shape"]),
}


def _unpacked(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_unpacked(v) for v in raw]
    if not isinstance(raw, dict):
        return raw
    kind = raw["$"]
    if kind in _READERS:
        return _READERS[kind](raw)
    if kind not in _CLASSES:
        raise ValueError(f"no stored report holds a {kind}")
    return _CLASSES[kind](**{k: _unpacked(v) for k, v in raw["of"].items()})
