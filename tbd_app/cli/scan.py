"""`tbd scan`: very many files to one table, with progress on the way and a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tbd_app.cli import options
from tbd_app.cli.screen import Screen
from tbd_app.errors import DeviceMissing, TBDError, WeightsMissing
from tbd_app.models import registry
from tbd_app.report import texts
from tbd_app.settings import AnalysisSettings

if TYPE_CHECKING:
    from tbd_app.scan.run import Summary

SOME_REFUSED, NO_DEVICE, NOTHING_JUDGED, INTERRUPTED = 2, 2, 3, 130
LINE_EVERY_S = 60.0  # where there is no terminal
RATE_OVER_S = 600.0


def scan(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR|LIST|GLOB",
            help="Folders (with all below them), lists (.txt, or - for stdin: a path a line), quoted patterns, files, or "
            "addresses such as s3://bucket/clips.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE.parquet", help="The table: a row a file. Beside it lies its journal."),
    ],
    models: Annotated[str, typer.Option(help="As for analyze.")] = "default",
    frames: options.NumberOfFrames = options.DEFAULTS["n_frames"],
    face_confidence: options.FaceConfidence = options.DEFAULTS["face_confidence"],
    min_face_px: options.MinFacePx = options.DEFAULTS["min_face_px"],
    min_track_share: options.MinTrackShare = options.DEFAULTS["min_track_share"],
    workers: Annotated[
        int | None, typer.Option(help="Processes, each with its own models; by default as many as fit.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="local, or ray for a cluster (the extra 'scale').")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="The Ray cluster's address; without it Ray runs on this machine.")
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Analyse very many files into one Parquet table; after an interrupt, a crash or a kill the same command goes on.

    Files with equal bytes are scored once; a file that is refused is a row with an error code. Given again, the command
    adds what is new. Exit code: 0 all judged, 2 some refused or no such device, 3 nothing judged, 130 interrupted.
    """
    screen = Screen()
    try:
        settings = AnalysisSettings(
            n_frames=frames,
            face_confidence=face_confidence,
            models=tuple(name.strip() for name in models.split(",") if name.strip()),
            device=device,  # type: ignore[arg-type] - checked by the settings
            min_face_px=min_face_px,
            min_track_share=min_track_share,
        )
        _check(settings, remote=address is not None)
        from tbd_app.scan.run import scan as run  # brings NumPy and Arrow

        with _progress(screen) as show:
            summary = run(sources, out, settings, engine=engine, workers=workers, address=address, show=show)
    except TBDError as error:
        screen.refused("", error)
        raise typer.Exit(NO_DEVICE if isinstance(error, DeviceMissing) else NOTHING_JUDGED) from None
    except KeyboardInterrupt:
        screen.note("Stopped. What is done is kept; the same command goes on.")
        raise typer.Exit(INTERRUPTED) from None
    screen.out.print(_sentences(summary, out), highlight=False, soft_wrap=True)
    unjudged = summary.errors.total() + summary.unanswered
    if unjudged:
        raise typer.Exit(SOME_REFUSED if unjudged < summary.files else NOTHING_JUDGED)


def _check(settings: AnalysisSettings, *, remote: bool) -> None:
    """Refuse before any file is touched what no file could be judged with.

    Raises:
        UnknownModel: there is no model of a name.
        WeightsMissing: no model that was asked for is on this machine.
        DeviceMissing: the device is not in this machine.
    """
    names = registry.resolve(settings.models)
    if not any(map(registry.is_installed, names)):
        raise WeightsMissing(f"None of the models is installed. {registry.how_to_get(names[0])}")
    if settings.device == "cuda" and not remote:
        from tbd_app.pipeline.score import pick_device  # brings torch

        pick_device(settings.device)


class _Show(Protocol):
    def __call__(self, waiting: int, files: int) -> None: ...


class _Rate(ProgressColumn):
    """Files a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f} files/s" if task.speed else "")


@contextmanager
def _progress(screen: Screen) -> Iterator[_Show]:
    """A bar with rate and time left on a terminal, elsewhere a line a minute with the same."""
    columns = (
        TextColumn("Scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    terminal = screen.err.is_terminal
    with Progress(
        *columns,
        console=screen.err,
        transient=True,
        disable=not terminal,
        speed_estimate_period=RATE_OVER_S,
    ) as bar:
        tasks, said = [], time.monotonic()

        def show(waiting: int, files: int) -> None:
            nonlocal said
            done = files - waiting
            if not tasks:
                tasks.append(bar.add_task("", total=files, completed=done))
                if done and waiting:
                    screen.note(f"Going on: {done} of {files} files are done.")
            bar.update(tasks[0], total=files, completed=done)
            if not terminal and time.monotonic() - said > LINE_EVERY_S:
                said = time.monotonic()
                screen.note(_line(bar.tasks[0]))

        yield show


def _line(task: Task) -> str:
    """What the bar shows, as words."""
    line = f"{task.completed:.0f} of {task.total or 0:.0f} files"
    if task.speed and task.time_remaining is not None:
        line += f", {task.speed:.2f} files/s, {timedelta(seconds=round(task.time_remaining))} left"
    return line


def _sentences(summary: Summary, out: Path) -> str:
    """The summary in one or two sentences."""
    parts = [f"{texts.LABELS[label].lower()} {n}" for label, n in summary.labels.most_common()]  # type: ignore[index]
    if summary.errors:
        codes = ", ".join(f"{code} {n}" for code, n in summary.errors.most_common())
        parts.append(f"refused {summary.errors.total()} ({codes})")
    copies = f" {summary.copies} of them have the same bytes as another." if summary.copies else ""
    return f"{summary.files} files: {'; '.join(parts)}.{copies}\nThe table is {out}."
