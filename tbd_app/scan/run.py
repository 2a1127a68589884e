"""A scan from its sources to its table: `scan(["clips"], "results.parquet", settings)`."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tbd_app.errors import BadSetting
from tbd_app.models import manifest, registry
from tbd_app.scan import local, table
from tbd_app.scan.analysis import ENGINE
from tbd_app.scan.journal import Journal, Row
from tbd_app.scan.machine import plan
from tbd_app.scan.sources import listed
from tbd_app.settings import AnalysisSettings

Engine = Literal["local", "ray"]


@dataclass(slots=True)
class Summary:
    """What came of a scan.

    Attributes:
        labels: files by verdict.
        errors: files by the code of their error.
        copies: files whose bytes another one has; they are counted among the labels and errors, too.
        unanswered: files that no model that votes could judge, though there was somebody to judge.
    """

    labels: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    unanswered: int = 0

    @property
    def files(self) -> int:
        return self.labels.total() + self.errors.total()

    def counted(self, row: Row) -> Row:
        """The row itself, once it is counted."""
        self.copies += row.same_as is not None
        if "error" in row.answer:
            self.errors[row.answer["error"]["code"]] += 1
        else:
            verdict = row.answer["verdict"]
            self.labels[verdict["label"]] += 1
            self.unanswered += verdict["label"] == "uncertain" and not any(verdict["votes"].values())
        return row


def scan(
    sources: Iterable[str],
    out: Path,
    settings: AnalysisSettings,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    analysis: str = ENGINE,
    show: local.Show = lambda waiting, files: None,
) -> Summary:
    """Judge all files, one row each, and write them; a scan that was ended goes on where it was.

    Args:
        sources: see `sources.listed`.
        out: the Parquet file. Beside it lies `OUT.journal`, from which the same call goes on, also after the end, when files
            have been added.
        settings: of every analysis; Grad-CAM is left out.
        engine: "local" for processes of this machine, "ray" for a Ray cluster.
        workers: processes (or, on Ray, scoring actors at most); by default as many as fit.
        address: of the Ray cluster; None starts one on this machine.
        analysis: module that reads and judges; see `analysis`.
        show: hears how many files wait and how many are listed, whenever that changes.

    Raises:
        BadSetting: a source or `out` is refused, or the journal is that of another scan.
        WorkerDied: workers cannot start.
    """
    settings, out = replace(settings, explain=False), Path(os.path.abspath(out))
    beside, fetched = out.with_name(out.name + ".journal"), out.with_name(out.name + ".fetched")
    if out.suffix != ".parquet":
        raise BadSetting(f"The results are a Parquet file: {out.name} must end in .parquet.")
    if out.exists() and not beside.exists():
        raise BadSetting(f"{out} exists and is not of a scan that could go on; choose another name.")
    if not out.parent.is_dir():
        raise BadSetting(f"{out} cannot be written: there is no folder {out.parent}.")
    facts, summary = facts_of(settings, analysis), Summary()
    try:
        with Journal(beside, facts) as journal:
            _list(journal, sources, out)
            if engine == "ray":
                from tbd_app.scan import cluster  # ray is an extra

                cluster.run(journal, settings, analysis, workers, address, show)
            else:
                with _emptied(fetched):
                    local.run(journal, settings, analysis, plan(settings.device, workers), fetched, show)
            table.write(map(summary.counted, journal.rows()), out, facts)
    except (sqlite3.Error, OSError) as error:  # a full disk, above all
        raise BadSetting(f"{out} or its journal cannot be written: {error}.") from error
    return summary


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """A new folder, without what a scan that was killed left in it; it is removed at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _list(journal: Journal, sources: Iterable[str], out: Path) -> None:
    """Put the files of all sources into the journal, without what lies beside the results."""
    ours = (str(out), f"file://{out}")
    journal.add(path for path in listed(sources) if not path.startswith(ours))
    if journal.count() == (0, 0):
        raise BadSetting("There is no file to scan.")


def facts_of(settings: AnalysisSettings, analysis: str) -> dict[str, Any]:
    """What all rows of a scan have in common: the settings that shape an answer, and the weights by sha256."""
    names, listed_weights = registry.resolve(settings.models), manifest.entries()
    return {
        "n_frames": settings.n_frames,
        "face_confidence": settings.face_confidence,
        "asked": list(settings.models),
        "models": names,
        "min_face_px": settings.min_face_px,
        "min_track_share": settings.min_track_share,
        "weights_sha256": {
            n: listed_weights[n].sha256 for n in names if n in listed_weights and registry.is_installed(n)
        },
        "trust_list_sha256": settings.trust.sha256 if settings.trust else None,
        "analysis": analysis,
    }
