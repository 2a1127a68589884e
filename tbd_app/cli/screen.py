"""What the command line shows people: progress, results, models, checks. Data for programs goes elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tbd_app.errors import TBDError
from tbd_app.report import stability, texts
from tbd_app.types import ModelScore, Person, ProgressEvent, Report

if TYPE_CHECKING:
    from tbd_app.catalogue import MemoryRow, ModelRow
    from tbd_app.cli.doctor import Check

Result = tuple[Path, Report | TBDError]
STYLES = {"fake": "bold red", "real": "green", "uncertain": "yellow", "not_applicable": "yellow"}


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
            f"[red]{escape(f'{name}: ' if name else '')}{escape(error.message)}[/]",
            highlight=False,
            soft_wrap=True,  # commands in it are copied
        )

    @contextmanager
    def progress(self, n_inputs: int) -> Iterator[Show]:
        """A bar on a terminal, nothing elsewhere."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.err, transient=True, disable=not self.err.is_terminal) as bar:
            task, begun = bar.add_task("", total=1.0), 0

            def show(name: str, event: ProgressEvent | None) -> None:
                nonlocal begun
                if event is None:
                    begun += 1
                    bar.reset(task)
                count = f"{begun}/{n_inputs} " if n_inputs > 1 else ""
                words = event.message if event else "Loading"
                bar.update(
                    task,
                    description=escape(f"{count}{name}: {words}"),
                    completed=event.fraction if event else 0,
                )

            yield show

    def results(self, done: Sequence[Result]) -> None:
        """One input in full, several as a table."""
        if len(done) > 1:
            self.out.print(_summary(done))
        elif done and isinstance(done[0][1], Report):
            self._full(done[0][1])

    def _full(self, report: Report) -> None:
        style = STYLES[report.verdict.label]
        self.out.print(f"[{style}]{escape(texts.headline(report))}[/]", highlight=False)
        for warning in report.warnings:
            self.out.print(f"[yellow]{escape(warning)}[/]", highlight=False)
        if report.people:
            self.out.print(_people(report))
            if any(s.vote and s.model not in p.verdict.voters for p in report.people for s in p.scores):
                self.out.print(texts.SHOWN_ONLY, highlight=False)
        for person in report.people:
            if texts.combined_bounds(person.verdict, report):
                name, sentences = (
                    texts.person_name(person.track.track_id),
                    " ".join(texts.why(person, report)),
                )
                self.out.print(escape(f"Person {name}: {sentences}"), highlight=False, soft_wrap=True)
        for person in report.people:
            if sentence := stability.sentence(person, report):
                who = texts.person_name(person.track.track_id)
                self.out.print(escape(f"Person {who}: {sentence}"), highlight=False, soft_wrap=True)
        lacking = {s.model: s.how_to_get for p in report.people for s in p.scores if s.how_to_get}
        for name, sentence in lacking.items():
            self.out.print(escape(f"{name}: {sentence}"), highlight=False, soft_wrap=True)
        for name in dict.fromkeys(s.model for p in report.people for s in p.scores if s.status == "ok"):
            known = texts.known_error(report.model(name).known)
            self.out.print(escape(f"Known error rate of {name}: {known}"), highlight=False, soft_wrap=True)
        if vote := texts.known_vote(report):
            self.out.print(escape(vote), highlight=False, soft_wrap=True)

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
        table = _table("Model", "Preset", "Batch", "Fixed", "Sum", "8 GB")
        for row in rows:
            table.add_row(
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


def _table(*titles: str) -> Table:
    table = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
    for title, column in zip(titles, table.columns, strict=True):
        column.overflow = "fold"  # nothing is cut off, however narrow the terminal
        column.no_wrap = title in ("Model", "Person", "Preset")
    return table


def _models(rows: Sequence[ModelRow]) -> Table:
    titles = ("Model", "Weights", "Votes", "Licence", "Measured")
    cells = [
        (
            row.name,
            f"{row.bytes / 1e6:.1f} MB" if row.installed and row.bytes else "absent",
            "by default" if row.default_voter else "if named" if row.installed else "",
            row.licence,
            _measured(row),
        )
        for row in rows
    ]
    table = _table(*titles)
    for column, *words in list(zip(table.columns, titles, *cells, strict=True))[1:-1]:
        column.width = max(len(word) for text in words for word in text.split())  # no word is broken
    for row in cells:
        table.add_row(*map(escape, row))
    return table


def _measured(row: ModelRow) -> str:
    """Figures of each kind of media, one a line; what was not measured is left out where something was."""
    lines = []
    for known in row.known.values():
        auc, error = texts.known_auc(known), texts.known_error(known)
        figures = [f"AUC {auc}" if auc != texts.NOT_MEASURED else auc, error]
        lines.append("; ".join(part for part in figures if part != texts.NOT_MEASURED))
    return "\n".join(filter(None, lines)) or texts.NOT_MEASURED


def _summary(done: Sequence[Result]) -> Table:
    table = _table("File", "Verdict", "Score", "Votes fake", "Why")
    for path, result in done:
        if isinstance(result, TBDError):
            table.add_row(escape(path.name), "[red]refused[/]", "", "", escape(result.message))
            continue
        verdict = result.verdict
        voters = verdict.fake + verdict.real + verdict.abstain
        table.add_row(
            escape(path.name),
            f"[{STYLES[verdict.label]}]{texts.LABELS[verdict.label]}[/]",
            _score(result),
            f"{verdict.fake} of {voters}" if voters else "",
            escape(_why(result)),
        )
    return table


def _score(report: Report) -> str:
    """The file's score, with its bounds where the combination gave the verdict."""
    bounds = texts.combined_bounds(report.verdict, report)
    return f"{_number(report.verdict.fake_prob)} ({bounds})" if bounds else _number(report.verdict.fake_prob)


def _why(report: Report) -> str:
    suspects = [texts.person_caption(p) for p in report.people if p.verdict.label == "fake"]
    return "; ".join(suspects) or " ".join(texts.reason(code) for code in report.verdict.reasons)


def _people(report: Report) -> Table:
    table = _table("Person", "Seen", "Model", "Score", "Vote", "Fake from")
    for person in report.people:
        for i, row in enumerate(_scores(person)):
            who = (
                (texts.person_caption(person), texts.span(person, report.media.kind)) if i == 0 else ("", "")
            )
            table.add_row(*who, *row)
        table.add_section()
    return table


def _scores(person: Person) -> list[tuple[str, ...]]:
    if not person.scores:
        return [("", "", " ".join(texts.reason(code) for code in person.verdict.reasons), "")]
    return [
        (
            s.model,
            _number(s.fake_prob),
            _vote(s, person.verdict.voters),
            _number(s.threshold),
        )
        for s in person.scores
    ]


def _vote(score: ModelScore, voters: Collection[str]) -> str:
    """The vote, in brackets where it does not count, or why there is none."""
    if score.vote is None:
        return _absence(score)
    return texts.VOTES[score.vote] if score.model in voters else f"({texts.VOTES[score.vote]})"


def _absence(score: ModelScore) -> str:
    status = texts.STATUSES[score.status]
    if score.reason is None or score.status == "not_installed":
        return status
    return f"{status}: {texts.reason(score.reason)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
