"""What the command line shows people: progress, results, models, checks. Data for programs goes elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tbd_app.cli import results
from tbd_app.cli.results import Result
from tbd_app.errors import TBDError
from tbd_app.known import MEASURED_KINDS
from tbd_app.languages import translated
from tbd_app.report import texts
from tbd_app.types import ProgressEvent, Report

if TYPE_CHECKING:
    from tbd_app.catalogue import MemoryRow, ModelRow
    from tbd_app.cli.doctor import Check

KIND_NAMES = {"video": "clips", "image": "pictures"}
LINE_EVERY_S = 5.0  # between lines of progress about one step, where there is no terminal


class Screen:
    """The terminal: results on standard output, or on standard error when standard output carries data."""

    class Show(Protocol):
        """Shows the state of one input; None for "about to begin"."""

        def __call__(self, name: str, event: ProgressEvent | None) -> None: ...

    def __init__(self, *, stdout_is_data: bool = False) -> None:
        self.err = Console(stderr=True)
        self.out = self.err if stdout_is_data else Console()

    def note(self, text: str) -> None:
        """A line beside the results."""
        self.err.print(escape(text), highlight=False, soft_wrap=True)

    def refused(self, name: str, error: TBDError) -> None:
        """Why an input, or with an empty name the whole command, was refused."""
        self.err.print(
            f"[red]{escape(f'{name}: ' if name else '')}{escape(translated(error.message))}[/]",
            highlight=False,
            soft_wrap=True,  # commands in it are copied
        )

    @contextmanager
    def progress(self, n_inputs: int) -> Iterator[Show]:
        """A bar on a terminal; elsewhere, as in a log, a line when something else begins and then every few seconds."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        live = self.err.is_terminal
        with Progress(*columns, console=self.err, transient=True, disable=not live) as bar:
            task, begun, last, spoken = bar.add_task("", total=1.0), 0, "", 0.0

            def show(name: str, event: ProgressEvent | None) -> None:
                nonlocal begun, last, spoken
                if event is None:
                    begun += 1
                    bar.reset(task)
                count = f"{begun}/{n_inputs} " if n_inputs > 1 else ""
                words = f"{count}{name}: {event.message if event else 'Loading'}"
                bar.update(task, description=escape(words), completed=event.fraction if event else 0)
                if live or (words == last and time.monotonic() - spoken < LINE_EVERY_S):
                    return
                share = f" ({event.done} of {event.total})" if event and words == last else ""
                self.note(f"{words}{share}")
                last, spoken = words, time.monotonic()

            yield show

    def results(self, done: Sequence[Result]) -> None:
        """One input in full, several as a table."""
        if len(done) > 1:
            shown = results.summary(done)
        elif done and isinstance(done[0][1], Report):
            shown = results.full(done[0][1])
        else:
            return
        for part in shown:
            # A terminal would break words; a file keeps sentences, and commands, whole.
            whole = isinstance(part, str) and not self.out.is_terminal
            self.out.print(part, highlight=False, soft_wrap=whole)

    def models(self, rows: Sequence[ModelRow], *, all_of_them: bool = True) -> None:
        """The models that are here, then those that are not and how to get them, or only how many these are."""
        here = [row for row in rows if row.installed]
        absent = [row for row in rows if not row.installed]
        if not all_of_them and here:
            hint = f"{len(absent)} more are registered and not installed: tbd models --all" if absent else ""
            rows, absent = here, []
        else:
            hint, rows = "", [*here, *absent]
        self.out.print(_models(rows))
        if hint:
            self.out.print(escape(hint), highlight=False)
        for row in absent:
            if row.how_to_get:
                self.out.print(escape(f"{row.name}: {row.how_to_get}"), highlight=False, soft_wrap=True)

    def memory(self, rows: Iterable[MemoryRow]) -> None:
        """What a training step of each model takes in GiB, and whether a card of 8 GB holds it."""
        table = results.table("Model", "Preset", "Batch", "Fixed", "Sum", "8 GB")
        for row in rows:
            results.add(
                table,
                row.name,
                row.preset,
                f"{row.batch}x{row.clip_len}" if row.clip_len > 1 else str(row.batch),
                f"{(row.total_bytes - row.activations_bytes) / 2**30:.1f}",
                f"{row.total_bytes / 2**30:.1f}",
                "fits" if row.fits_8gb else f"max {row.largest_batch_8gb}",
            )
        self.out.print(table)
        self.note(
            "GiB in full precision, counted and not measured; bf16 and fp16 take less. Batch: pictures, or clips x frames. "
            "Fixed: weights, gradients, optimiser; the rest of the sum: activations. 8 GB: whether the batch fits with 1 GiB "
            "left for CUDA itself, or the largest that does."
        )

    def check(self, check: Check) -> bool:
        """One line about a check; returns whether all is well."""
        mark = "[green]ok     [/]" if check.ok else "[red]problem[/]"
        self.out.print(f"{mark} {escape(f'{check.name}: {check.detail}')}", highlight=False, soft_wrap=True)
        return check.ok


def _models(rows: Sequence[ModelRow]) -> Table:
    titles = ("Model", "Weights", "Votes", "Licence", "Measured")
    cells = [
        (
            row.name,
            f"{row.bytes / 1e6:.1f} MB" if row.installed and row.bytes else "absent",
            _votes(row),
            row.licence,
            _measured(row),
        )
        for row in rows
    ]
    table = results.table(*titles)
    for row in cells:
        results.add(table, *map(escape, row))
    for column in table.columns[1:-1]:
        column.width = column.min_width  # the figures have the rest
    return table


def _votes(row: ModelRow) -> str:
    """Whether a model votes by default, and on what where that is not everything."""
    if not row.default_voter:
        return "if named" if row.installed else ""
    if len(row.votes_on) == len(MEASURED_KINDS):
        return "by default"
    return "on " + " and ".join(KIND_NAMES[kind] for kind in row.votes_on)


def _measured(row: ModelRow) -> str:
    """Figures of each kind of media, one a line; what was not measured is left out where something was."""
    lines = []
    for known in row.known.values():
        auc, error = texts.known_auc(known), texts.known_error(known)
        figures = [f"AUC {auc}" if auc != texts.NOT_MEASURED else auc, error]
        lines.append("; ".join(part for part in figures if part != texts.NOT_MEASURED))
    return "\n".join(filter(None, lines)) or texts.NOT_MEASURED
