"""The folder of one run: config, split lists, metrics.csv, curves as PNG and for TensorBoard."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from accelerate import PartialState
from matplotlib import pyplot as plt
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from tbd_app.models import weights
from tbd_app.models.nets.base import Detector
from tbd_app.types import ModelSpec
from training.engine.config import RunConfig
from training.faces.index import Item

ROOT = Path(__file__).resolve().parents[2]
NAMED = 12  # generators, or sources, that a sentence lists
# Where things lie and how long one session lasts is no part of a recipe.
_PLACES = ("data", "out", "resume", "workers", "shards")


class Run:
    """A run folder; only the main process writes to it.

    Holds `config.json` (recipe, revision of the code, versions), `splits/*.csv`, `metrics.csv` (a row per validation),
    `curves.png`, `tensorboard/`, `last.pt` (for `--resume`), with `keep = "best"` also `best.pt`, and at the end what the
    script exports.

    Args:
        config: of the script; without `resume` a run that lies in `config.out` moves to NAME.previous.
        script: its name, such as "train_frame".
        splits: the files of each split, listed in `splits/`.
        constants: numbers of the recipe that are no part of its config, by name.
    """

    def __init__(
        self,
        config: RunConfig,
        script: str,
        splits: Mapping[str, Sequence[Item]] | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        self.path, self.resume = config.out, config.resume
        self.writes = PartialState().is_main_process
        self._board: SummaryWriter | None = None
        if not self.writes:
            return
        if not self.resume:
            _move_away(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._write_config(recipe(config, script) | dict(constants or {}))
        for name, items in (splits or {}).items():
            self._write_split(name, items, config.data)
        self._note_material()

    def _write_config(self, made: dict[str, Any]) -> None:
        path = self.path / "config.json"
        written = {"recipe": made, **origin()}
        if self.resume and path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))["recipe"]
            for key in sorted(before.keys() | written["recipe"].keys()):
                was, now = before.get(key), written["recipe"].get(key)
                if was != now:
                    print(f"Resumed with another {key}: {was} became {now}.")
        path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")

    def _note_material(self) -> None:
        """Say in config.json what the run learns from."""
        path = self.path / "config.json"
        noted = json.loads(path.read_text(encoding="utf-8")) | {"trained_on": trained_on(self.path)}
        path.write_text(json.dumps(noted, indent=1) + "\n", encoding="utf-8")

    def _write_split(self, name: str, items: Sequence[Item], data: Path) -> None:
        folder = self.path / "splits"
        folder.mkdir(exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "kind", "label", "identity", "generator"])
            for i in items:
                # Extracted faces name their medium below its data set's folder already.
                inner = i.path.relative_to(data) if i.path.is_relative_to(data) else i.path
                place = inner.name if inner.is_absolute() else inner.as_posix()
                writer.writerow([place, i.kind, ("real", "fake")[i.label], i.group, i.generator])

    def begin_at(self, step: int) -> None:
        """Forget what was logged after `step`: a killed run may have gone on after its last save."""
        if not self.writes:
            return
        rows = [row for row in self.rows() if int(row["step"]) <= step]
        self._board = SummaryWriter(str(self.path / "tensorboard"), purge_step=step + 1)
        (self.path / "metrics.csv").unlink(missing_ok=True)
        for row in rows:
            self._append(row)

    def log(self, row: dict[str, float]) -> None:
        """Add a row of figures, among them `step`, to metrics.csv, TensorBoard and the curves."""
        if not self.writes:
            return
        self._append(row)
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()
        draw_curves(self.rows(), self.path / "curves.png")

    def _append(self, row: Mapping[str, Any]) -> None:
        """A row more; a figure that comes up later, as in a second phase of a recipe, gets a column that begins empty."""
        path, rows = self.path / "metrics.csv", self.rows()
        known = list(rows[0]) if rows else []
        names = [*known, *(name for name in row if name not in known)]
        again = names != known
        with path.open("w" if again else "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=names)
            if again:
                writer.writeheader()
            writer.writerows([*rows, row] if again else [row])

    def rows(self) -> list[dict[str, str]]:
        """The rows of metrics.csv so far."""
        path = self.path / "metrics.csv"
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def save(self, model: nn.Module, spec: ModelSpec) -> None:
        """Write the result, `model.safetensors`, with its spec in the header.

        Raises:
            TypeError: the model is no registered one.
        """
        if not isinstance(model, Detector):
            raise TypeError(f"{type(model).__name__} is no model that can be served.")
        if self.writes:
            weights.save_checkpoint(model, self.path / "model.safetensors", spec)

    def close(self) -> None:
        """Release TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def recipe(config: RunConfig, script: str) -> dict[str, Any]:
    """What made a checkpoint, without the places of files: paths shrink to their names."""
    kept = dataclasses.asdict(config)
    for place in _PLACES:
        kept.pop(place, None)
    del kept["loop"]["max_minutes"]
    named = json.loads(json.dumps(kept, default=lambda path: path.name))
    return {"script": f"training/{script}.py", **named}


def trained_on(run: Path) -> str:
    """What a run learned from, in one sentence, from the list of its train split."""
    path = run / "splits" / "train.csv"
    if not path.is_file():
        return "the run kept no list of its media"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = Counter((row["label"], row["kind"]) for row in rows)
    words = {"crop": "face crops", "image": "pictures", "video": "clips"}
    media = ", ".join(
        f"{count:,} {label} {words.get(kind, kind)}"
        for (label, kind), count in sorted(counts.items(), reverse=True)
    )
    made = sorted({row["generator"] for row in rows} - {""})
    sources = sorted({row["identity"].partition(":")[0] for row in rows} - {""})
    some = ", ".join(made[:NAMED]) + (f" and {len(made) - NAMED} more" if made[NAMED:] else "")
    of = f" of {', '.join(sources)}" if 0 < len(sources) <= NAMED else ""
    return f"the train split{of}: {media}" + (f" (by {some})" if made else "")


def origin() -> dict[str, Any]:
    """Revision of the code, with "+changes" where files differ from it, and versions of what it ran on."""
    revision = _git("rev-parse", "HEAD") or "unknown"
    if revision != "unknown" and _git("status", "--porcelain", "--untracked-files=no"):
        revision += "+changes"
    packages = {name: version(name) for name in ("torch", "timm", "accelerate", "numpy")}
    return {"revision": revision, "versions": {"python": platform.python_version(), **packages}}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()


def _move_away(path: Path) -> None:
    if (path / "config.json").is_file():
        previous = path.with_name(path.name + ".previous")
        shutil.rmtree(previous, ignore_errors=True)
        path.rename(previous)
        print(f"The run that lay in {path} is now {previous}.")


def draw_curves(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Losses on the left, figures between 0 and 1 (accuracies and AUC) on the right, over the steps."""
    names = [n for n in rows[0] if n not in ("step", "minutes", "lr")]
    losses = [n for n in names if "loss" in n]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, part, title in (
        (axes[0], losses, "loss"),
        (axes[1], [n for n in names if n not in losses], "figure"),
    ):
        for name in part:
            points = [(int(r["step"]), float(r[name])) for r in rows if r.get(name)]
            known = [(step, value) for step, value in points if math.isfinite(value)]
            axis.plot(*zip(*known, strict=True), marker=".", label=name) if known else None
        axis.set_xlabel("step")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize="small")
    figure.savefig(path, dpi=100)
    plt.close(figure)
