"""What is listed in weights/: each model's checkpoint, its hash, what it overrides in the spec, and its figures.

`manifest.json` follows `manifest.schema.json`, which training/ledger.py writes from `SCHEMA`. Figures lie beside it, one
file a model, so that an evaluation changes no line that loading depends on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tbd_app.errors import WeightsCorrupt
from tbd_app.settings import weights_dirs
from tbd_app.types import Backbone, Calibration, CropRecipe, ModelSpec

MANIFEST, METRICS, ENSEMBLE = "manifest.json", "{}.metrics.json", "ensemble.metrics.json"
# What a calibrated number is called in manifests and headers of schema 1, such as those of the first bundled checkpoints.
_FORMER = {
    "threshold": "threshold",
    "image_threshold": "few_frames_threshold",
    "real_below": "real_below",
    "image_real_below": "few_frames_real_below",
    "temperature": "temperature",
    "reference": "softened_share",
}
_FORMER_ORIGIN = (
    "trained_on",
    "recipe",
    "revision",
    "dtype",
)  # now in NAME.recipe.json, which the app does not read

_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_TRIPLE = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_COUNT = {"type": "integer", "minimum": 1}
_BARE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*"  # of a file: a manifest must not point outside its folder
_CALIBRATION: dict[str, Any] = {
    "type": "object",
    "required": ["threshold", "temperature"],
    "additionalProperties": False,
    "properties": {f.name: _PROBABILITY for f in fields(Calibration)}
    | {"temperature": {"type": "number", "exclusiveMinimum": 0}},
}
_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["name", "file", "sha256", "bytes", "calibration", "licence"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": f"{_BARE_NAME}$"},
        "file": {"type": "string", "pattern": rf"{_BARE_NAME}\.safetensors$"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "bytes": _COUNT,
        "calibration": _CALIBRATION,
        "default_voter": {"type": "boolean"},
        "licence": {"type": "string", "minLength": 1},
        "metrics": {"type": "object"},  # in place of NAME.metrics.json
        "input_size": _COUNT,
        "clip_len": _COUNT,
        "mean": _TRIPLE,
        "std": _TRIPLE,
        "crop": {
            "type": "object",
            "required": ["kind", "margin"],
            "additionalProperties": False,
            "properties": {
                "kind": {"enum": ["square", "arcface", "lrw"]},
                "margin": {"type": "number", "minimum": 1},
            },
        },
        "backbone": {
            "type": "object",
            "required": ["name", "tag", "activation", "sha256"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": f"{_BARE_NAME}$"},
                "tag": {"type": "string", "pattern": f"{_BARE_NAME}$"},
                "activation": {"enum": ["quick_gelu", "gelu"]},
                "repo": {"type": "string", "pattern": r"^([\w.-]+/[\w.-]+)?$"},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            },
        },
        "hub": {
            "type": "object",
            "required": ["repo", "revision"],
            "additionalProperties": False,
            "properties": {
                "repo": {"type": "string", "pattern": r"^[\w.-]+/[\w.-]+$"},
                # A commit: a branch could change under a published hash.
                "revision": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
            },
        },
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The checkpoints in a folder of weights",
    "type": "object",
    "required": ["schema", "models"],
    "additionalProperties": False,
    "properties": {"schema": {"const": 2}, "models": {"type": "array", "items": _ENTRY}},
}
_OVERRIDES = ("input_size", "clip_len", "default_voter", "licence", "metrics")


@dataclass(frozen=True, slots=True)
class HubFile:
    """Where the file is published: repository and pinned commit."""

    repo: str
    revision: str


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One checkpoint.

    Attributes:
        file: bare file name, ending in .safetensors.
        sha256: hex digest of the file.
        hub: where it can be downloaded, or None when it only comes with the project.
        raw: the whole entry in the words of today's schema, with the model's figures as `metrics`.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    hub: HubFile | None
    raw: dict[str, Any]


def entries() -> dict[str, ManifestEntry]:
    """The listed checkpoints by model name; a manifest in `TBD_WEIGHTS_DIR` overrides the project's by entry.

    Raises:
        WeightsCorrupt: a manifest does not follow the schema, or figures are not an object of JSON.
    """
    found: dict[str, ManifestEntry] = {}
    for path in _manifests():
        found |= {raw["name"]: _entry(raw, path) for raw in _stamped(path, _read)["models"]}
    return found


def ensemble() -> dict[str, Any]:
    """What the vote was measured to do, {"voters", "metrics"}; empty where nobody measured it.

    Raises:
        WeightsCorrupt: the figures are not an object of JSON.
    """
    return next((vote for path in reversed(_manifests()) if (vote := _figures(path.with_name(ENSEMBLE)))), {})


def _manifests() -> list[Path]:
    """The manifests that there are, the one that overrides the others last."""
    return [path for folder in reversed(weights_dirs()) if (path := folder / MANIFEST).is_file()]


def _figures(path: Path) -> dict[str, Any]:
    """Measured figures; none where there is no file."""
    return _stamped(path, _object) if path.is_file() else {}


def _stamped(path: Path, read: Callable[[Path, int, int], dict[str, Any]]) -> dict[str, Any]:
    """A file, read again only when it changed."""
    stat = path.stat()
    return read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _object(path: Path, _mtime_ns: int, _size: int) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsCorrupt(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise WeightsCorrupt(f"{path.name} is not an object of JSON.")
    return content


@lru_cache(maxsize=8)
def _read(path: Path, mtime_ns: int, size: int) -> dict[str, Any]:
    document = _modern_document(_object(path, mtime_ns, size))
    fault = best_match(Draft202012Validator(SCHEMA).iter_errors(document))
    if fault is not None:
        raise WeightsCorrupt(f"{path.name} does not follow its schema: {fault.json_path}: {fault.message}.")
    twice = [name for name, n in Counter(raw["name"] for raw in document["models"]).items() if n > 1]
    if twice:
        raise WeightsCorrupt(f"{path.name} lists {', '.join(twice)} more than once.")
    return document


def _modern_document(document: dict[str, Any]) -> dict[str, Any]:
    """A manifest of schema 1 in the words of schema 2; any other as it is, for the schema to judge."""
    models = document.get("models")
    if document.get("schema") != 1 or not isinstance(models, list):
        return document
    kept = {key: value for key, value in document.items() if key != "ensemble"}
    return kept | {"schema": 2, "models": [modern(m) if isinstance(m, dict) else m for m in models]}


def modern(raw: dict[str, Any]) -> dict[str, Any]:
    """An entry or a checkpoint's header of schema 1 in the words of schema 2; one of schema 2 as it is."""
    if "calibration" in raw:
        return raw
    numbers = {now: raw[before] for before, now in _FORMER.items() if raw.get(before) is not None}
    kept = {key: value for key, value in raw.items() if key not in (*_FORMER, *_FORMER_ORIGIN)}
    return kept | {"calibration": numbers} | ({"schema": 2} if raw.get("schema") == 1 else {})


def _entry(raw: dict[str, Any], manifest: Path) -> ManifestEntry:
    name, bounds = raw["name"], Calibration(**{"real_below": 0.0} | raw["calibration"])
    if any(below > threshold for below, threshold in (bounds.bounds(few_frames=f) for f in (False, True))):
        raise WeightsCorrupt(f"{manifest.name}: real_below of {name} is above its threshold.")
    hub = HubFile(**raw["hub"]) if "hub" in raw else None
    figures = raw.get("metrics") or _figures(manifest.with_name(METRICS.format(name)))
    return ManifestEntry(name, raw["file"], raw["sha256"], raw["bytes"], hub, raw | {"metrics": figures})


def overlay(spec: ModelSpec, raw: dict[str, Any]) -> ModelSpec:
    """The spec with what a manifest entry or a checkpoint header says in place of the registered defaults."""
    changes: dict[str, Any] = {key: raw[key] for key in _OVERRIDES if key in raw}
    changes |= {key: tuple(raw[key]) for key in ("mean", "std") if key in raw}
    if "crop" in raw:
        changes["crop"] = CropRecipe(**raw["crop"])
    if "backbone" in raw:
        changes["backbone"] = Backbone(**raw["backbone"])
    numbers = modern(raw)["calibration"]
    # Without a band of its own a checkpoint's threshold parts fake from real.
    least = min(spec.calibration.real_below, numbers.get("threshold", spec.calibration.threshold))
    changes["calibration"] = replace(spec.calibration, **{"real_below": least} | numbers)
    return replace(spec, **changes)
