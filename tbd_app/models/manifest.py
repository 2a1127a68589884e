"""What is listed in weights/: each model's checkpoint, its hash, what it overrides in the spec, and its figures.

`manifest.json` follows `manifest.schema.json`, which is `schema.py` as a file. Figures lie beside it, one file a model, so
that an evaluation changes no line that loading depends on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tbd_app.errors import WeightsCorrupt
from tbd_app.known import MEASURED_KINDS, Combination, KnownPerformance, MeasuredKind
from tbd_app.model_spec import FramesAt
from tbd_app.models.schema import MODEL_NAME, SCHEMA
from tbd_app.settings import weights_dirs
from tbd_app.types import Backbone, Calibration, CropRecipe, ModelSpec

MANIFEST, METRICS = "manifest.json", "{}.metrics.json"  # figures of the vote: "ensemble.metrics.json"
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

_OVERRIDES = ("input_size", "clip_len", "default_voter", "licence", "metrics", "options")


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
        raw: the whole entry in the words of today's schema, joined with the model's figures.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    hub: HubFile | None
    raw: dict[str, Any]


def file_name(model: str) -> str:
    """A model's name as part of a file's name."""
    return model.replace(":", "-")


def entries() -> dict[str, ManifestEntry]:
    """The listed checkpoints by model name; a manifest in `TBD_WEIGHTS_DIR` overrides the project's by entry.

    Raises:
        WeightsCorrupt: a manifest, with the figures beside it, does not follow the schema.
    """
    found: dict[str, ManifestEntry] = {}
    for name, document in _documents():
        found |= {raw["name"]: _entry(raw, name) for raw in document["models"]}
    return found


def ensemble() -> dict[str, Any]:
    """What is said of the vote, {"voters", "metrics", "known_performance", "combination"}; empty where nobody measured it."""
    return next((d["ensemble"] for _, d in reversed(_documents()) if "ensemble" in d), {})


def known(raw: dict[str, Any]) -> dict[MeasuredKind, KnownPerformance]:
    """The measured figures of a manifest entry, or of the vote, by kind of media."""
    return {
        kind: KnownPerformance.from_dict(figures)
        for kind, figures in raw.get("known_performance", {}).items()
    }


def known_vote(voters: Collection[str], kind: MeasuredKind) -> KnownPerformance | None:
    """What the vote of exactly these models was measured to do on a kind of media; None for other voters or other weights."""
    for _, document in reversed(_documents()):
        vote = document.get("ensemble", {"voters": []})
        kinds = {raw["name"]: raw.get("votes_on", MEASURED_KINDS) for raw in document["models"]}
        measured = {name for name in vote["voters"] if kind in kinds.get(name, ())}
        if voters and measured == set(voters) and _has_current_weights(document, voters):
            return known(vote).get(kind)
    return None


def combination(kind: MeasuredKind) -> Combination | None:
    """How the voters' scores are combined on a kind of media; None where there is none, or it was fitted on other weights.

    Raises:
        WeightsCorrupt: its bounds are in the wrong order, or a number is not finite.
    """
    for name, document in reversed(_documents()):
        if "ensemble" not in document:
            continue
        raw = document["ensemble"].get("combination", {}).get(kind)
        if raw is None or not _has_current_weights(document, raw["reals"]):
            return None
        try:
            return Combination(**raw)
        except (ValueError, OverflowError) as error:
            raise WeightsCorrupt(f"{name}: combination of {kind}: {error}.") from error
    return None


def _has_current_weights(document: dict[str, Any], models: Collection[str]) -> bool:
    """Whether a manifest lists these models with the weights that are used, so that what was measured there still holds."""
    listed, current = {raw["name"]: raw["sha256"] for raw in document["models"]}, entries()
    return all(name in current and listed.get(name) == current[name].sha256 for name in models)


def _documents() -> list[tuple[str, dict[str, Any]]]:
    """Manifests joined with the figures beside them, by file name, the one that overrides the others last."""
    out = []
    for folder in reversed(weights_dirs()):
        if (path := folder / MANIFEST).is_file():
            files = [path, *sorted(folder.glob(METRICS.format("*")))]
            stamps = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
            out.append((path.name, _read(path, stamps)))
    return out


@lru_cache(maxsize=8)
def _read(path: Path, _stamps: tuple[tuple[Path, int, int], ...]) -> dict[str, Any]:
    document = _with_figures(_modern_document(_object(path)), path.parent)
    fault = best_match(Draft202012Validator(SCHEMA).iter_errors(document))
    if fault is not None:
        raise WeightsCorrupt(f"{path.name} does not follow its schema: {fault.json_path}: {fault.message}.")
    twice = [name for name, n in Counter(raw["name"] for raw in document["models"]).items() if n > 1]
    if twice:
        raise WeightsCorrupt(f"{path.name} lists {', '.join(twice)} more than once.")
    return document


def _object(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise WeightsCorrupt(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise WeightsCorrupt(f"{path.name} is not an object of JSON.")
    return content


def _with_figures(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A manifest with what lies beside it in files of figures; what it says itself comes first."""
    models = document.get("models")
    if not isinstance(models, list):
        return document
    joined = [
        _object(folder / METRICS.format(file_name(m["name"]))) | m
        if isinstance(m, dict) and re.match(MODEL_NAME, str(m.get("name")))
        else m
        for m in models
    ]
    vote = _object(folder / METRICS.format("ensemble"))
    if isinstance(said := document.get("ensemble", {}), dict) and (vote := vote | said):
        document = document | {"ensemble": vote}
    return document | {"models": joined}


def _modern_document(document: dict[str, Any]) -> dict[str, Any]:
    """A manifest of schema 1 in the words of schema 2; any other as it is, for the schema to judge."""
    models = document.get("models")
    if document.get("schema") != 1 or not isinstance(models, list):
        return document
    return document | {"schema": 2, "models": [modern(m) if isinstance(m, dict) else m for m in models]}


def modern(raw: dict[str, Any]) -> dict[str, Any]:
    """An entry or a checkpoint's header of schema 1 in the words of schema 2; one of schema 2 as it is."""
    if "calibration" in raw:
        return raw
    numbers = {now: raw[before] for before, now in _FORMER.items() if raw.get(before) is not None}
    kept = {key: value for key, value in raw.items() if key not in (*_FORMER, *_FORMER_ORIGIN)}
    return kept | {"calibration": numbers} | ({"schema": 2} if raw.get("schema") == 1 else {})


def _entry(raw: dict[str, Any], manifest_name: str) -> ManifestEntry:
    name, bounds = raw["name"], Calibration(**{"real_below": 0.0} | raw["calibration"])
    if any(below > threshold for below, threshold in (bounds.bounds(few_frames=f) for f in (False, True))):
        raise WeightsCorrupt(f"{manifest_name}: real_below of {name} is above its threshold.")
    hub = HubFile(**raw["hub"]) if "hub" in raw else None
    return ManifestEntry(name, raw["file"], raw["sha256"], raw["bytes"], hub, raw)


def overlay(spec: ModelSpec, raw: dict[str, Any]) -> ModelSpec:
    """The spec with what a manifest entry or a checkpoint header says in place of the registered defaults."""
    changes: dict[str, Any] = {key: raw[key] for key in _OVERRIDES if key in raw}
    changes |= {key: tuple(raw[key]) for key in ("mean", "std", "votes_on") if key in raw}
    if "known_performance" in raw:
        changes["known"] = known(raw)
    if "frames_at" in raw:
        changes["frames_at"] = FramesAt(**raw["frames_at"])
    if "crop" in raw:
        changes["crop"] = CropRecipe(**raw["crop"])
    if "backbone" in raw:
        changes["backbone"] = Backbone(**raw["backbone"])
    numbers = modern(raw)["calibration"]
    # Without a band of its own a checkpoint's threshold parts fake from real.
    least = min(spec.calibration.real_below, numbers.get("threshold", spec.calibration.threshold))
    changes["calibration"] = replace(spec.calibration, **{"real_below": least} | numbers)
    return replace(spec, **changes)
