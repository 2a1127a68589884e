"""weights/manifest.json: each model's checkpoint, its hash, and what it overrides in the spec."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tbd_app.errors import WeightsCorrupt
from tbd_app.known import FIGURES, Family, KnownPerformance, MeasuredKind
from tbd_app.settings import weights_dirs
from tbd_app.types import Backbone, CropRecipe, ModelSpec

MANIFEST = "manifest.json"

_PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
_TRIPLE = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_COUNT = {"type": "integer", "minimum": 1}
_NUMBER = {"type": "integer", "minimum": 0}
_INTERVAL = {"type": "array", "items": _PROBABILITY, "minItems": 2, "maxItems": 2}
_MEASURED = {
    "type": ["object", "null"],
    "required": ["value", "ci"],
    "additionalProperties": False,
    "properties": {"value": _PROBABILITY, "ci": _INTERVAL},
}
_FAMILIES = {"type": "array", "items": {"enum": list(get_args(Family))}, "uniqueItems": True}
_KNOWN = {
    "type": "object",
    "propertyNames": {"enum": list(get_args(MeasuredKind))},
    "additionalProperties": {
        "type": "object",
        "required": ["data", "n_real"],
        "additionalProperties": False,
        "properties": {
            "data": {"type": "string", "minLength": 1},
            "n_real": _NUMBER,
            "n_fake": _NUMBER,
            **dict.fromkeys(FIGURES, _MEASURED),
            "sees": _FAMILIES,
            "blind_to": _FAMILIES,
        },
    },
}
_ENTRY: dict[str, Any] = {
    "type": "object",
    "required": ["name", "file", "sha256", "bytes", "threshold", "temperature", "licence"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        # A bare name: a manifest must not point outside its folder.
        "file": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.safetensors$"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "bytes": _COUNT,
        "dtype": {"enum": ["float16", "float32"]},
        "trained_on": {"type": ["string", "array", "object"]},
        "recipe": {"type": ["string", "object"]},
        "revision": {"type": "string"},
        "threshold": _PROBABILITY,
        "image_threshold": _PROBABILITY,
        "real_below": _PROBABILITY,
        "image_real_below": _PROBABILITY,
        "temperature": {"type": "number", "exclusiveMinimum": 0},
        "reference": _PROBABILITY,
        "default_voter": {"type": "boolean"},
        "licence": {"type": "string", "minLength": 1},
        "metrics": {"type": "object"},
        "known_performance": _KNOWN,
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
                # Part of a file name, as `file` is.
                "name": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
                "tag": {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
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
_SCHEMA = {
    "type": "object",
    "required": ["schema", "models"],
    "additionalProperties": False,
    "properties": {
        "schema": {"const": 1},
        "models": {"type": "array", "items": _ENTRY},
        "ensemble": {  # what the vote was measured to do
            "type": "object",
            "required": ["voters", "metrics"],
            "additionalProperties": False,
            "properties": {
                "voters": {"type": "array", "items": {"type": "string"}},
                "metrics": {"type": "object"},
                "known_performance": _KNOWN,
            },
        },
    },
}
_OVERRIDES = (
    "input_size",
    "clip_len",
    "threshold",
    "image_threshold",
    "image_real_below",
    "temperature",
    "reference",
    "default_voter",
    "licence",
    "metrics",
)


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
        raw: the whole entry as written.
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
        WeightsCorrupt: a manifest does not follow the schema.
    """
    found: dict[str, ManifestEntry] = {}
    for name, document in _documents():
        found |= {raw["name"]: _entry(raw, name) for raw in document["models"]}
    return found


def ensemble() -> dict[str, Any]:
    """What the vote was measured to do, {"voters", "metrics", "known_performance"}; empty where nobody measured it."""
    return next((d["ensemble"] for _, d in reversed(_documents()) if "ensemble" in d), {})


def known(raw: dict[str, Any]) -> dict[MeasuredKind, KnownPerformance]:
    """The measured figures of a manifest entry, or of the vote, by kind of media."""
    return {
        kind: KnownPerformance.from_dict(figures)
        for kind, figures in raw.get("known_performance", {}).items()
    }


def known_vote(voters: Collection[str]) -> dict[MeasuredKind, KnownPerformance]:
    """What the vote of exactly these models was measured to do, by kind of media; empty for other voters or other weights."""
    current = entries()
    for _, document in reversed(_documents()):
        vote = document.get("ensemble", {"voters": []})
        measured = {raw["name"]: raw["sha256"] for raw in document["models"]}
        if (
            voters
            and set(vote["voters"]) == set(voters)
            and all(name in current and measured.get(name) == current[name].sha256 for name in voters)
        ):
            return known(vote)
    return {}


def _documents() -> list[tuple[str, dict[str, Any]]]:
    """Manifests with their file names, the one that overrides the others last."""
    paths = [path for folder in reversed(weights_dirs()) if (path := folder / MANIFEST).is_file()]
    return [(path.name, _read(path, path.stat().st_mtime_ns, path.stat().st_size)) for path in paths]


@lru_cache(maxsize=8)
def _read(path: Path, _mtime_ns: int, _size: int) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsCorrupt(f"{path.name} is not JSON: {error}.") from error
    fault = best_match(Draft202012Validator(_SCHEMA).iter_errors(document))
    if fault is not None:
        raise WeightsCorrupt(f"{path.name} does not follow its schema: {fault.json_path}: {fault.message}.")
    twice = [name for name, n in Counter(raw["name"] for raw in document["models"]).items() if n > 1]
    if twice:
        raise WeightsCorrupt(f"{path.name} lists {', '.join(twice)} more than once.")
    return document


def _entry(raw: dict[str, Any], manifest_name: str) -> ManifestEntry:
    real_below, threshold = raw.get("real_below", 0.0), raw["threshold"]
    of_few = raw.get("image_real_below", real_below), raw.get("image_threshold", threshold)
    if real_below > threshold or of_few[0] > of_few[1]:
        raise WeightsCorrupt(f"{manifest_name}: real_below of {raw['name']} is above its threshold.")
    hub = HubFile(**raw["hub"]) if "hub" in raw else None
    return ManifestEntry(raw["name"], raw["file"], raw["sha256"], raw["bytes"], hub, raw)


def overlay(spec: ModelSpec, raw: dict[str, Any]) -> ModelSpec:
    """The spec with what a manifest entry or a checkpoint header says in place of the registered defaults."""
    changes: dict[str, Any] = {key: raw[key] for key in _OVERRIDES if key in raw}
    changes |= {key: tuple(raw[key]) for key in ("mean", "std") if key in raw}
    if "known_performance" in raw:
        changes["known"] = known(raw)
    if "crop" in raw:
        changes["crop"] = CropRecipe(**raw["crop"])
    if "backbone" in raw:
        changes["backbone"] = Backbone(**raw["backbone"])
    threshold = changes.get("threshold", spec.threshold)
    # Without a band of its own a checkpoint's threshold parts fake from real.
    changes["real_below"] = raw.get("real_below", min(spec.real_below, threshold))
    return replace(spec, **changes)
