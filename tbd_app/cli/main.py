"""The command line: `tbd analyze`, `tbd scan`, `tbd models`, `tbd doctor`. What is printed comes from `console`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tbd_app import __version__
from tbd_app.cli import options
from tbd_app.cli.batch import Batch, Outputs, expand
from tbd_app.cli.scan import scan
from tbd_app.cli.screen import Screen
from tbd_app.errors import DeviceMissing, TBDError, WeightsCorrupt
from tbd_app.languages import Language, of_environment, spoken
from tbd_app.models import registry
from tbd_app.names import shown
from tbd_app.report.names import counted
from tbd_app.report.to_json import error_to_dict
from tbd_app.settings import AnalysisSettings

NOTHING_ANALYSED, SOME_REFUSED, NO_DEVICE, INTERRUPTED = 3, 2, 2, 130

app = typer.Typer(
    name="tbd",
    help="Truth Behind Deepfakes: does a face in a video, picture or zip show signs of manipulation?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point of the console script."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tbd {__version__}")
        raise typer.Exit


def _speak(context: typer.Context, wanted: Language | None) -> None:
    context.with_resource(spoken(wanted or of_environment()))


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def analyze(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Videos, pictures, zips of frames, or folders of them."),
    ],
    models: Annotated[
        str,
        typer.Option(
            help="Names joined by commas: they vote. Or default, or all: every model is shown, the default ones vote."
        ),
    ] = "default",
    frames: options.NumberOfFrames = options.DEFAULTS["n_frames"],
    face_confidence: options.FaceConfidence = options.DEFAULTS["face_confidence"],
    min_face_px: options.MinFacePx = options.DEFAULTS["min_face_px"],
    min_track_share: options.MinTrackShare = options.DEFAULTS["min_track_share"],
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="DIR|FILE|-",
            help="Write a JSON report per input: into a folder, or a line each into a file (with a suffix) or stdout (-).",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an HTML report per input into a folder.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an annotated mp4 per video into a folder.")
    ] = None,
    explain: Annotated[bool, typer.Option(help="Show where the models looked (Grad-CAM).")] = True,
    attention: Annotated[
        bool,
        typer.Option(help="Show it by the models' own attention, where they have any, in place of Grad-CAM."),
    ] = False,
    stability: Annotated[
        bool,
        typer.Option(help="Score the same faces again, slightly changed; an answer that turns is withdrawn."),
    ] = False,
    device: options.Device = "auto",
    language: Annotated[
        Language | None,
        typer.Option(
            callback=_speak,
            help="Of the answers and of the HTML reports; else as the terminal's messages are.",
        ),
    ] = None,
) -> None:
    """Analyse media. Exit code: 0 all judged, 2 some input refused or no such device, 3 nothing judged.

    An input counts as judged when a model that votes could run, or when there is no face to judge.
    """
    screen = Screen(stdout_is_data=json_file == "-")
    try:
        settings = AnalysisSettings(
            n_frames=frames,
            face_confidence=face_confidence,
            models=_names(models),
            explain=explain,
            attention=attention,
            stability=stability,
            device=device,  # type: ignore[arg-type] - checked by the settings
            min_face_px=min_face_px,
            min_track_share=min_track_share,
        )
        registry.resolve(settings.models)
        _check_device(screen, settings.device)
        outputs = Outputs.prepare(json_file, html, video)
    except WeightsCorrupt as error:  # of the manifest: no input can be judged, and each is answered
        _answer_each(paths, json_file, error)
        _give_up(screen, error)
    except TBDError as error:
        _give_up(screen, error)
    files, others = expand(paths)
    if others:
        screen.note(f"Passed over {counted(others, 'other file')}: no video, picture or zip of frames.")
    with outputs:
        batch = Batch(files, settings, outputs, screen)
        try:
            batch.run()
        except KeyboardInterrupt:
            screen.note("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
    screen.results(batch.done)
    answered = batch.n_answered()
    if answered < len(batch.done):
        raise typer.Exit(SOME_REFUSED if answered else NOTHING_ANALYSED)


def _answer_each(paths: Sequence[Path], json_file: str | None, error: TBDError) -> None:
    """One JSON line per input, all with the same error."""
    with Outputs.prepare(json_file, None, None) as outputs:
        for path in expand(paths)[0]:
            outputs.write_line(error_to_dict(shown(path.name), error))


app.command()(scan)


def _check_device(screen: Screen, device: str) -> None:
    """Ends the command when the device is not there, before any input is touched."""
    if device != "cuda":
        return
    from tbd_app.pipeline.score import pick_device  # brings torch

    try:
        pick_device(device)
    except DeviceMissing as error:
        _give_up(screen, error, code=NO_DEVICE)


@app.command()
def models(
    download: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Get weights from the model hub first: names joined by commas, or default, or all.",
        ),
    ] = None,
    train_memory: Annotated[
        bool, typer.Option("--train-memory", help="Show what a training step of each takes in memory.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show those that are not installed, too, and how to get them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON of all of them.")] = False,
) -> None:
    """List the installed models: size, whether they vote, licence, measured figures.

    With --download only those named. Exit code: 0 all of them are here, 2 some, 3 none.
    """
    from tbd_app import catalogue

    screen = Screen(stdout_is_data=as_json)
    try:
        names = registry.resolve(_names(download)) if download is not None else registry.list_models()
        lacking = _download(screen, names) if download is not None else 0
        if as_json:
            rows = catalogue.train_memory(names) if train_memory else catalogue.listing(names)
            typer.echo(json.dumps([row.to_dict() for row in rows], indent=2))
        elif train_memory:
            screen.memory(catalogue.train_memory(names))
        else:
            screen.models(catalogue.listing(names), all_of_them=every or download is not None)
    except TBDError as error:
        _give_up(screen, error, code=1 if download is None else NOTHING_ANALYSED)
    if lacking:
        raise typer.Exit(SOME_REFUSED if lacking < len(names) else NOTHING_ANALYSED)


def _download(screen: Screen, names: Sequence[str]) -> int:
    """Gets weights from the hub; how many of the models could not be had."""
    lacking = 0
    for name in names:
        try:
            registry.download(name)
        except TBDError as error:
            screen.refused(name, error)
            lacking += 1
    return lacking


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


@app.command()
def doctor() -> None:
    """Check this installation: packages, weights, decoder, and a picture through the engine, offline."""
    from tbd_app.cli.doctor import checks

    screen = Screen()
    healthy = [screen.check(check) for check in checks()]
    if not all(healthy):
        raise typer.Exit(1)


def _give_up(screen: Screen, error: TBDError, code: int = NOTHING_ANALYSED) -> NoReturn:
    screen.refused("", error)
    raise typer.Exit(code)
