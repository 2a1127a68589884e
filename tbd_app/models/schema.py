"""What a manifest of weights must hold, joined with the figures beside it: a JSON schema."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

from tbd_app.known import FIGURES, MEASURED_KINDS, Combination, Family
from tbd_app.types import Calibration

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
    "propertyNames": {"enum": list(MEASURED_KINDS)},
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
_COMBINATION: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"enum": list(MEASURED_KINDS)},
    "additionalProperties": {
        "type": "object",
        "required": [f.name for f in fields(Combination)],
        "additionalProperties": False,
        "properties": {
            "reals": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "number"},
                    "minItems": 2,
                    "maxItems": 2,
                },
            },
            "power": {"type": "number", "minimum": 1},
            "gain": {"type": "number", "minimum": 0},
            "bias": {"type": "number"},
            "threshold": _PROBABILITY,
            "real_below": _PROBABILITY,
        },
    },
}
BARE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*"  # of a file: a manifest must not point outside its folder
MODEL_NAME = rf"{BARE_NAME}$|^timm:[A-Za-z0-9_.-]+$"
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
        "name": {"type": "string", "pattern": MODEL_NAME},
        "file": {"type": "string", "pattern": rf"{BARE_NAME}\.safetensors$"},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "bytes": _COUNT,
        "calibration": _CALIBRATION,
        "default_voter": {"type": "boolean"},
        "votes_on": {  # of a default voter; both kinds where it is left out
            "type": "array",
            "items": {"enum": list(MEASURED_KINDS)},
            "minItems": 1,
            "uniqueItems": True,
        },
        "licence": {"type": "string", "minLength": 1},
        "metrics": {"type": "object"},  # in place of NAME.metrics.json
        "known_performance": _KNOWN,
        "input_size": _COUNT,
        "clip_len": _COUNT,
        "frames_at": {
            "type": "object",
            "required": ["kind", "step_s", "clips"],
            "additionalProperties": False,
            "properties": {
                "kind": {"enum": ["spread", "consecutive"]},
                "step_s": {"type": "number", "minimum": 0},
                "clips": _COUNT,
            },
        },
        "options": {"type": "object"},  # keyword arguments of the architecture
        "mean": _TRIPLE,
        "std": _TRIPLE,
        "crop": {
            "type": "object",
            "required": ["kind", "margin"],
            "additionalProperties": False,
            "properties": {
                "kind": {"enum": ["square", "arcface", "lrw", "lower"]},
                "margin": {"type": "number", "minimum": 1},
            },
        },
        "backbone": {
            "type": "object",
            "required": ["name", "tag", "activation", "sha256"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": f"{BARE_NAME}$"},
                "tag": {"type": "string", "pattern": f"{BARE_NAME}$"},
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
    "properties": {
        "schema": {"const": 2},
        "models": {"type": "array", "items": _ENTRY},
        "ensemble": {  # what the vote was measured to do, and how its scores are combined
            "type": "object",
            "required": ["voters"],
            "additionalProperties": False,
            "properties": {
                "voters": {"type": "array", "items": {"type": "string"}},
                "metrics": {"type": "object"},  # in place of ensemble.metrics.json
                "known_performance": _KNOWN,
                "combination": _COMBINATION,
            },
        },
    },
}
