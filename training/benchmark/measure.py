"""Models on data sets as papers report them: figures by set, model and method, as tables, curves and predictions per file."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.metrics import precision_recall_fscore_support
from tqdm import tqdm

from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline import score
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ModelSpec
from training.benchmark import published, tables
from training.benchmark.collection import Collection, open_collections
from training.engine.metrics import auc
from training.evaluation import plots
from training.evaluation.answers import track_logits
from training.evaluation.figures import ranking
from training.evaluation.seen import CACHE

LABELS = ("real", "fake")


@dataclass(frozen=True, slots=True)
class Measured:
    """A model to measure.

    Attributes:
        name: what the tables call it.
        spec: its own; published figures go by its registered name.
        model: itself.
        shipped: it was calibrated, so that it has a bound of its own.
    """

    name: str
    spec: ModelSpec
    model: Detector
    shipped: bool = True


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of N media.

    Attributes:
        probs: (N,) fake_prob of the most suspicious person, NaN where there is nobody to judge.
        frames: fake_prob of each of that person's frames; empty for clip models.
        bounds: (N,) from which a medium is called fake; None of a model without a bound of its own.
    """

    probs: np.ndarray
    frames: list[np.ndarray]
    bounds: np.ndarray | None


def installed(name: str, device: str) -> Measured:
    """A model with the weights that serve, on "cpu" or "cuda"."""
    return Measured(name, registry.spec(name), score.loaded(name, device))


def of_run(run: Path, device: str) -> Measured:
    """A training run's model as it is, by the name in its header, on "cpu" or "cuda"; `export.py` chooses its bound later.

    Raises:
        SystemExit: the run has no model yet.
    """
    path = run / "model.safetensors"
    if not path.is_file():
        raise SystemExit(f"{run} holds no model.safetensors: the run has not ended.")
    from tbd_app.models import weights

    name = weights.read_header(path)["name"]
    model = score.served(registry.load(name, device, path), device)
    return Measured(f"{name} ({run.name})", registry.spec(name, path), model, shipped=False)


def write(
    folders: Sequence[Path],
    split: str,
    models: Sequence[Measured],
    out: Path,
    *,
    cache: Path = CACHE,
    n_frames: int = 32,
) -> None:
    """Score every medium with every model and write what comes of it.

    Args:
        folders: with index.csv or index.parquet.
        split: its name.
        models: to measure.
        out: for figures.json, tables, curves and predictions.
        cache: people and logits that were found before.
        n_frames: sampled from each raw clip.

    Raises:
        SystemExit: a folder lacks the split.
    """
    settings = AnalysisSettings(n_frames=n_frames)
    sets = [part for folder in folders for part in open_collections(folder, split, cache, settings)]
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    for part in _named_apart(sets):
        drawn = {}
        answers = ask(part, models, cache)
        for one, said in zip(models, answers, strict=True):
            found.setdefault(part.name, {})[one.name] = figures(part, said)
            _write_predictions(out / f"{_file(part.name)}.{_file(one.name)}.csv", part, said)
            drawn[one.name] = np.nan_to_num(said.probs, nan=0.5)
        labels = np.array([item.label for item in part.items])
        plots.benchmark(
            out / f"{_file(part.name)}.png", f"{part.name}, {split}", labels, drawn, found[part.name]
        )
    (out / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, rows in {
        "summary": _summary(found),
        "classes": _classes(found),
        "methods": _methods(found),
        "published": published.rows({one.name: one.spec.name for one in models}, found),
    }.items():
        if rows:
            tables.write(out / name, rows)
    print((out / "summary.md").read_text(encoding="utf-8"))


def ask(part: Collection, models: Sequence[Measured], cache: Path) -> list[Answers]:
    """What each model says of each medium; people are looked at once."""
    said: list[list[tuple[float, np.ndarray, float]]] = [[] for _ in models]
    for number in tqdm(range(len(part.items)), desc=part.name, unit="file"):
        seen = part.look(number)
        lengths = {track.track_id: len(track) for track in seen.tracks}
        for one, rows in zip(models, said, strict=True):
            found = track_logits(one.spec, one.model, seen, cache)
            probs = {t: expit(z / one.spec.calibration.temperature) for t, z in found.items()}
            worst = max(probs, key=lambda t: float(probs[t].mean()), default=None)
            if worst is None:
                rows.append((np.nan, np.zeros(0), one.spec.calibration.threshold))
                continue
            frames = probs[worst] if one.spec.task == "frame" else np.zeros(0)
            _, bound = score.bounds_for(one.spec, lengths[worst])
            rows.append((float(probs[worst].mean()), frames, bound))
    return [
        Answers(
            np.array([p for p, *_ in rows]),
            [f for _, f, _ in rows],
            np.array([b for *_, b in rows]) if one.shipped else None,
        )
        for one, rows in zip(models, said, strict=True)
    ]


def figures(part: Collection, said: Answers) -> dict[str, Any]:
    """Figures of a model on a data set; media without a face count as 0.5."""
    labels = np.array([item.label for item in part.items])
    probs = np.nan_to_num(said.probs, nan=0.5)
    sources = np.array([item.group or item.path.as_posix() for item in part.items])
    out: dict[str, Any] = {
        "n_real": int((labels == 0).sum()),
        "n_fake": int((labels == 1).sum()),
        "n_sources": len(set(sources)),
        "coverage": _share(np.isfinite(said.probs)),
        **_ranking(labels, probs, sources, said.frames),
    }
    half = (probs >= 0.5) & np.isfinite(said.probs)
    flagged = {"0.5": half} if said.bounds is None else {"shipped": probs >= said.bounds, "0.5": half}
    out["at"] = {bound: _at(labels, flags) for bound, flags in flagged.items()}
    out["accuracy_at_0.5"] = out["at"]["0.5"]["accuracy"]
    out["methods"] = {}
    for name, methods in _groups(part).items():
        mine = np.array([item.label and item.generator in methods for item in part.items], bool)
        keep = mine | (labels == 0)
        frames = [f for f, kept in zip(said.frames, keep, strict=True) if kept]
        out["methods"][name] = {
            "n_fake": int(mine.sum()),
            **_ranking(labels[keep], probs[keep], sources[keep], frames),
            **{f"found_at_{bound}": _share(flags[mine]) for bound, flags in flagged.items()},
            "accuracy_at_0.5": _share((half == labels)[keep]),
        }
    return out


def _groups(part: Collection) -> dict[str, set[str]]:
    """Each method of a set by itself; of FaceForensics++ also those that the field counts together."""
    methods = sorted({item.generator for item in part.items if item.label})
    out = {method or "unknown": {method} for method in methods}
    if published.APART in methods and methods[1:]:
        out[published.WITHOUT] = set(methods) - {published.APART}
    return out


def _ranking(
    labels: np.ndarray, probs: np.ndarray, sources: np.ndarray, frames: Sequence[np.ndarray]
) -> dict[str, Any]:
    """What needs no bound; None where a class is absent, or of frames where a model scores none."""
    if labels.all() or not labels.any():
        return dict.fromkeys(("frame_auc", "video_auc", "video_auc_ci", "eer", "ap"))
    found = ranking(labels, probs, sources)
    of_frames = None
    if any(len(f) for f in frames):
        owners = np.repeat(labels, [len(f) for f in frames])
        of_frames = _number(auc(owners, np.concatenate(frames)))
    return {
        "frame_auc": of_frames,
        "video_auc": found["auc"],
        "video_auc_ci": found["auc_ci"],
        "eer": found["eer"],
        "ap": found["ap"],
    }


def _at(labels: np.ndarray, flagged: np.ndarray) -> dict[str, Any]:
    """What a bound makes of it; rows of the confusion are the true real and fake."""
    parts = precision_recall_fscore_support(labels, flagged, labels=[0, 1], zero_division=0)  # pyright: ignore[reportArgumentType]
    out: dict[str, Any] = {
        name: dict(zip(("precision", "recall", "f1", "support"), map(_number, column), strict=True))
        for name, column in zip(LABELS, np.array(parts).T.tolist(), strict=True)
    }
    there = [out[name]["recall"] for name in LABELS if out[name]["support"]]
    out["balanced_accuracy"] = _number(float(np.mean(there)))
    out["accuracy"] = _share(flagged == (labels == 1))
    out["confusion"] = [
        [int(((labels == truth) & (flagged == answer)).sum()) for answer in (False, True)] for truth in (0, 1)
    ]
    return out


def _share(flags: np.ndarray) -> float:
    return _number(float(flags.mean()))


def _number(value: float) -> float:
    return round(float(value), 4)


def _summary(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for name, by_model in found.items():
        for model, f in by_model.items():
            row = {"set": name, "model": model} | {
                key: f[key] for key in ("n_real", "n_fake", "coverage", "frame_auc", "video_auc", "eer", "ap")
            }
            row["video_auc_95"] = "-".join(f"{v:.3f}" for v in f["video_auc_ci"] or ())
            for bound, at in f["at"].items():
                row[f"balanced_accuracy_{bound}"] = at["balanced_accuracy"]
            rows.append(row)
    return rows


def _classes(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"set": name, "model": model, "bound": bound, "class": label}
        | at[label]
        | dict(zip(("called_real", "called_fake"), at["confusion"][truth], strict=True))
        for name, by_model in found.items()
        for model, f in by_model.items()
        for bound, at in f["at"].items()
        for truth, label in enumerate(LABELS)
    ]


def _methods(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"set": name, "model": model, "method": method}
        | {k: v for k, v in part.items() if k != "video_auc_ci"}
        for name, by_model in found.items()
        for model, f in by_model.items()
        for method, part in f["methods"].items()
    ]


def _write_predictions(path: Path, part: Collection, said: Answers) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "label", "method", "source", "fake_prob", "frames"))
        for item, prob, frames in zip(part.items, said.probs, said.frames, strict=True):
            shown = "" if np.isnan(prob) else f"{prob:.6f}"
            rows.writerow((item.path.name, item.label, item.generator, item.group, shown, len(frames)))


def _named_apart(sets: Sequence[Collection]) -> list[Collection]:
    """Data sets with names of their own, numbered where two are called the same."""
    names = [part.name for part in sets]
    return [
        part if names.count(part.name) == 1 else replace(part, name=f"{part.name} {n + 1}")
        for n, part in enumerate(sets)
    ]  # fmt: skip


def _file(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
