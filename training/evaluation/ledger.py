"""The one writer of what lies in weights/ beside the checkpoints: the manifest, figures and recipes.

    python training/evaluation/ledger.py    # writes all of it again in today's form, for example after a merge

`manifest.json` holds what the app needs to load a model and what reports show of it, worked out of its figures
at each writing. `NAME.metrics.json` holds all its measured figures, `ensemble.metrics.json` those of the vote, and
`NAME.recipe.json` how the weights came about; only cards and tables need these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tbd_app.known import Combination, MeasuredKind
from tbd_app.models.manifest import MANIFEST, METRICS, file_name, modern
from tbd_app.models.schema import SCHEMA
from training.evaluation.compact import compact
from training.evaluation.figures import known

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
RECIPE = "{}.recipe.json"
KNOWN = "known_performance"  # what of the figures reports show
COMBINATION = "combination"  # how the voters' scores become one, by kind of media; only the manifest holds it
STABILITY = ("stability", "val_clips_steady", "val_pictures_steady")  # figures of evaluate_stability.py
FIGURES = ("metrics",)  # what of an entry goes to its file of figures
ORIGIN = ("trained_on", "recipe", "revision", "dtype")  # and what to its recipe file


@contextmanager
def at(folder: Path) -> Iterator[None]:
    """Read and write another folder of weights for a while; it may be empty or not there yet."""
    global WEIGHTS
    before, WEIGHTS = WEIGHTS, folder
    try:
        yield
    finally:
        WEIGHTS = before


def read() -> dict[str, Any]:
    """The manifest as it is written; one without models where there is none."""
    return _read(MANIFEST) or {"schema": 2, "models": []}


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
    """The voters, the figures of their vote and how their scores are combined; empty where nobody measured it.

    Returns:
        {"voters", "metrics"}, and "combination" where there is one.
    """
    vote = _read(METRICS.format("ensemble")) | read().get("ensemble", {})
    return {key: value for key, value in vote.items() if key != KNOWN}


def write_entry(whole: dict[str, Any]) -> None:
    """Write a model's entry, figures and recipe, in place of those under the same name; no figures leave no file.

    A combination that was fitted on other weights of the model goes, with the figures that were measured by it.
    """
    before, vote = entries(), ensemble()
    former = before.get(whole["name"], {}).get("sha256")
    if former != whole["sha256"] and any(
        whole["name"] in c["reals"] for c in vote.get(COMBINATION, {}).values()
    ):
        vote = {"voters": vote["voters"], "metrics": {}}
    _write_all(before | {whole["name"]: whole}, vote)


def write_metrics(model: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Replace a model's figures, but for those of `STABILITY`, and return all that is known of it."""
    before = entry_of(model)
    whole = before | {"metrics": figures | _steady(before["metrics"])}
    write_entry(whole)
    return whole


def write_ensemble(voters: Sequence[str], figures: dict[str, Any]) -> None:
    """Replace the figures of the vote.

    A combination and the figures of `STABILITY` are kept unless these are other voters than those they are of.
    """
    vote = {"voters": list(voters), "metrics": figures}
    before = ensemble()
    if before and set(before["voters"]) == set(voters):
        vote["metrics"] = figures | _steady(before["metrics"])
        if COMBINATION in before:
            vote[COMBINATION] = before[COMBINATION]
    _write_all(entries(), vote)


def add_figures(name: str, figures: dict[str, Any]) -> None:
    """Put figures beside those that are kept of a model, or of the vote under the name "ensemble"."""
    if name == "ensemble":
        vote = ensemble()
        return _write_all(entries(), vote | {"metrics": vote["metrics"] | figures})
    whole = entry_of(name)
    return write_entry(whole | {"metrics": whole["metrics"] | figures})


def _steady(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: metrics[key] for key in STABILITY if key in metrics}


def write_combination(fitted: Mapping[MeasuredKind, Combination]) -> None:
    """Replace how the voters' scores are combined, by kind of media; none at all leaves the majority to decide.

    A kind that is not in `fitted` has none. Figures of the vote that were measured with another rule are taken away:
    `evaluate.py` measures them anew.

    Raises:
        ValueError: a combination is of models that are not listed.
    """
    before, wholes = ensemble(), entries()
    models = {name for combination in fitted.values() for name in combination.reals}
    if absent := models - wholes.keys():
        raise ValueError(f"The manifest does not list {', '.join(sorted(absent))}.")
    now = {kind: combination.to_dict() for kind, combination in fitted.items()}
    if now == before.get(COMBINATION, {}):
        return
    voters = [name for name in wholes if name in models] or before["voters"]
    _write_all(wholes, {"voters": voters, "metrics": {}} | ({COMBINATION: now} if now else {}))


def rewrite() -> None:
    """Write all of it again in today's form."""
    _write_all(entries(), ensemble())


def listed(whole: dict[str, Any]) -> dict[str, Any]:
    """What of a model the manifest holds."""
    kept = {key: value for key, value in whole.items() if key not in (KNOWN, *FIGURES, *ORIGIN)}
    return modern(kept) | ({KNOWN: known(whole["metrics"])} if whole.get("metrics") else {})


def beside(model: str) -> list[Path]:
    """The files of a model's figures and recipe that there are."""
    return [path for name in (METRICS, RECIPE) if (path := WEIGHTS / name.format(file_name(model))).is_file()]


def _whole(raw: dict[str, Any]) -> dict[str, Any]:
    # Manifests of schema 1 hold figures and recipe themselves, and are then newer than the files.
    own = {key: raw[key] for key in (*FIGURES, *ORIGIN) if raw.get(key)}
    files = _read(METRICS.format(file_name(raw["name"]))) | _read(RECIPE.format(file_name(raw["name"])))
    return {key: {} for key in FIGURES} | modern(raw) | files | own


def _write_all(wholes: dict[str, dict[str, Any]], vote: dict[str, Any]) -> None:
    for name, whole in wholes.items():
        _write(METRICS.format(file_name(name)), {key: whole[key] for key in FIGURES if whole.get(key)})
        _write(RECIPE.format(file_name(name)), {key: whole[key] for key in ORIGIN if key in whole})
    _write(METRICS.format("ensemble"), {key: value for key, value in vote.items() if key != COMBINATION})
    _write("manifest.schema.json", SCHEMA)
    shown = {}
    if vote:
        combined = {COMBINATION: vote[COMBINATION]} if COMBINATION in vote else {}
        shown["ensemble"] = {"voters": vote["voters"], KNOWN: known(vote["metrics"])} | combined
    _write(MANIFEST, {"schema": 2, "models": [listed(wholes[name]) for name in sorted(wholes)]} | shown)


def _read(name: str) -> dict[str, Any]:
    path = WEIGHTS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(name: str, content: dict[str, Any]) -> None:
    """A file of one object; an empty one is taken away."""
    path = WEIGHTS / name
    if content:
        text = compact(content) if name == MANIFEST else json.dumps(content, indent=1, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    rewrite()
