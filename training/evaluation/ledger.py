"""The one writer of what lies in weights/ beside the checkpoints: the manifest, figures and recipes.

    python training/evaluation/ledger.py    # writes all of it again in today's form, for example after a merge

`manifest.json` holds what the app needs to load a model and what reports show of it, worked out of its figures
at each writing. `NAME.metrics.json` holds all its measured figures, `ensemble.metrics.json` those of the vote, and
`NAME.recipe.json` how the weights came about; only cards and tables need these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tbd_app.models.manifest import MANIFEST, METRICS, modern
from tbd_app.models.schema import SCHEMA
from training.evaluation.figures import known

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
RECIPE = "{}.recipe.json"
KNOWN = "known_performance"  # what of the figures reports show
FIGURES = ("metrics",)  # what of an entry goes to its file of figures
ORIGIN = ("trained_on", "recipe", "revision", "dtype")  # and what to its recipe file


def read() -> dict[str, Any]:
    """The manifest as it is written."""
    return json.loads((WEIGHTS / MANIFEST).read_text(encoding="utf-8"))


def entry_of(model: str) -> dict[str, Any]:
    """All that is known of a model: its manifest entry with its figures and its recipe.

    Raises:
        SystemExit: it is not in the manifest.
    """
    for raw in read()["models"]:
        if raw["name"] == model:
            return _whole(raw)
    raise SystemExit(f"{model} is not in the manifest; training/export.py --run puts it there.")


def entries() -> dict[str, dict[str, Any]]:
    """The same of all listed models, by name."""
    return {raw["name"]: _whole(raw) for raw in read()["models"]}


def ensemble() -> dict[str, Any]:
    """The voters and the figures of their vote, {"voters", "metrics"}; empty where nobody measured it."""
    vote = _read(METRICS.format("ensemble")) | read().get("ensemble", {})
    return {key: value for key, value in vote.items() if key != KNOWN}


def write_entry(whole: dict[str, Any]) -> None:
    """Write a model's entry, figures and recipe, in place of those under the same name; no figures leave no file."""
    _write_all(entries() | {whole["name"]: whole}, ensemble())


def write_metrics(model: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Replace a model's figures and return all that is known of it."""
    whole = entry_of(model) | {"metrics": figures}
    write_entry(whole)
    return whole


def write_ensemble(voters: Sequence[str], figures: dict[str, Any]) -> None:
    """Replace the figures of the vote."""
    _write_all(entries(), {"voters": list(voters), "metrics": figures})


def rewrite() -> None:
    """Write all of it again in today's form."""
    _write_all(entries(), ensemble())


def listed(whole: dict[str, Any]) -> dict[str, Any]:
    """What of a model the manifest holds."""
    kept = {key: value for key, value in whole.items() if key not in (KNOWN, *FIGURES, *ORIGIN)}
    return modern(kept) | ({KNOWN: known(whole["metrics"])} if whole.get("metrics") else {})


def beside(model: str) -> list[Path]:
    """The files of a model's figures and recipe that there are."""
    return [path for name in (METRICS, RECIPE) if (path := WEIGHTS / name.format(model)).is_file()]


def _whole(raw: dict[str, Any]) -> dict[str, Any]:
    # Manifests of schema 1 hold figures and recipe themselves, and are then newer than the files.
    own = {key: raw[key] for key in (*FIGURES, *ORIGIN) if raw.get(key)}
    files = _read(METRICS.format(raw["name"])) | _read(RECIPE.format(raw["name"]))
    return {key: {} for key in FIGURES} | modern(raw) | files | own


def _write_all(wholes: dict[str, dict[str, Any]], vote: dict[str, Any]) -> None:
    for name, whole in wholes.items():
        _write(METRICS.format(name), {key: whole[key] for key in FIGURES if whole.get(key)})
        _write(RECIPE.format(name), {key: whole[key] for key in ORIGIN if key in whole})
    _write(METRICS.format("ensemble"), vote)
    _write("manifest.schema.json", SCHEMA)
    shown = {"ensemble": {"voters": vote["voters"], KNOWN: known(vote["metrics"])}} if vote else {}
    _write(MANIFEST, {"schema": 2, "models": [listed(wholes[name]) for name in sorted(wholes)]} | shown)


def _read(name: str) -> dict[str, Any]:
    path = WEIGHTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(name: str, content: dict[str, Any]) -> None:
    """A file of one object; an empty one is taken away."""
    path = WEIGHTS / name
    if content:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    rewrite()
