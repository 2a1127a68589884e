"""The page: layout and wiring. What is shown comes from `views` and `parts`, what is done from `jobs` and `uploads`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from tbd_app import catalogue
from tbd_app.catalogue import ModelRow
from tbd_app.errors import FileMissing, TBDError
from tbd_app.languages import LANGUAGES, spoken
from tbd_app.settings import AnalysisSettings, Limits, feedback_dir
from tbd_app.settings import Edge as EdgeSettings
from tbd_app.types import Report
from tbd_app.web import endpoint, evidence, film, jobs, metrics, parts, sentences, stored, texts, uploads
from tbd_app.web.edge import Edge
from tbd_app.web.private import Page
from tbd_app.web.run import Run, private
from tbd_app.web.theme import look

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
DEFAULTS = AnalysisSettings()
KEEP_S = 1800
WEBCAM_S = 5
MAX_SESSIONS = 2000  # that are remembered, with the reports that their pages show
# The line before the desk lets one analysis through at a time and says how many are before; Gradio's queue only bounds it.
_ANALYSIS: dict[str, Any] = {"concurrency_id": "analysis", "concurrency_limit": 20}


def build_page(engine: jobs.Engine = jobs.default_engine, warm_up: Callable[[], None] | None = None) -> Page:
    """The whole page, to be launched with `launch_options`.

    Args:
        engine: stands in for `tbd_app.analyze_events`, in tests.
        warm_up: loads the models; it starts at once, in the background.
    """
    desk = jobs.Desk(engine, warm_up)
    examples = stored.current(EXAMPLES, list(texts.EXAMPLE_FILES))
    page = _built(desk, examples)
    for language in LANGUAGES:
        with spoken(language):
            page.speak(language, page if language == "en" else _built(desk, examples), _head())
    metrics.watch_queue(lambda: len(page._queue))
    # Closed: what is called past the queue would not be bounded by it.
    return page.queue(max_size=20, default_concurrency_limit=4, api_open=False)


def _built(desk: jobs.Desk, examples: dict[str, Report | None]) -> Page:
    """The page in the language that is spoken."""
    with Page(title=texts.TITLE, analytics_enabled=False, delete_cache=(600, KEEP_S)) as page:
        models = catalogue.listing()
        gr.HTML(parts.header())
        with gr.Row(elem_classes="tbd-columns"):
            with gr.Column(scale=4, min_width=320):
                asked = _inputs(models)
            with gr.Column(scale=7, min_width=320, elem_id="output"):
                shown = _outputs(examples)
        gr.HTML(parts.footer(models))
        _wire(asked, shown, desk, _wire_examples(asked, shown, desk, examples))
        film.wire(asked, shown, EXAMPLES)
        if feedback_dir() is not None:
            _feedback(asked, shown)
        endpoint.add(desk, page.waiting, **_ANALYSIS)
    return page


def launch_options(page: Page) -> dict[str, Any]:
    """Arguments for its `launch`: what is allowed, and the look, which needs nothing from the internet.

    Raises:
        BadSetting: a variable of the environment is not what it must be.
    """
    edge = Middleware(
        Edge,  # type: ignore[arg-type] - Starlette's type knows no classes with arguments
        settings=EdgeSettings.from_env(),
        max_file_bytes=int(Limits.from_env().max_file_mb * 1e6),
        waiting=page.waiting,
    )
    return {
        "app_kwargs": {"middleware": [edge]},
        "theme": look(),
        "css_paths": [HERE / "style.css"],
        "max_file_size": int(Limits.from_env().max_file_mb * 1e6),
        "allowed_paths": [],
        "state_session_capacity": MAX_SESSIONS,
        "run_history": False,
        "footer_links": ["api"],
        "ssr_mode": False,
        "mcp_server": _with_mcp(),
        # Gradio's own check that the page answers gives up after three seconds, in which a slow machine still loads models.
        "_frontend": False,
    }


def _with_mcp() -> bool:
    return os.environ.get("TBD_MCP") == "1"


def _head() -> str:
    """The script with its words."""
    limits = Limits.from_env()
    said = {
        "maxBytes": int(limits.max_file_mb * 1e6),
        "maxFiles": jobs.MAX_FILES,
        "tooMany": sentences.too_many(jobs.MAX_FILES),
        "tooBig": texts.TOO_BIG,
        "remove": texts.REMOVE,
        "preview": texts.PREVIEW,
        "webcamNote": texts.WEBCAM_NOTE,
        "webcamName": texts.WEBCAM_NAME,
        "webcamSeconds": WEBCAM_S,
        "copy": texts.COPY,
        "copied": texts.COPIED,
        "filming": texts.FILMING,
        "filmed": texts.FILMED,
        "silent": texts.FILMED_SILENT,
        "mcp": _with_mcp(),
    }
    words = json.dumps(said).replace("<", "\\u003c")
    script = (HERE / "script.js").read_text(encoding="utf-8")
    return f"<script>window.tbdTexts = {words};\n{script}</script>"


def _inputs(models: Sequence[ModelRow]) -> SimpleNamespace:
    asked = SimpleNamespace()
    gr.HTML(parts.drop_zone(Limits.from_env()), elem_id="upload", js_on_load=None)
    with gr.Row():
        asked.analyze = gr.Button(texts.ANALYZE, variant="primary", elem_id="analyze", min_width=90)
        asked.clear = gr.Button(texts.CLEAR, elem_id="clear", min_width=80)
    with gr.Accordion(texts.ADVANCED, open=False, elem_id="settings"):
        asked.n_frames = gr.Slider(
            8, 64, DEFAULTS.n_frames, step=1, label=texts.N_FRAMES, info=texts.N_FRAMES_INFO
        )
        voters = [m.name for m in models if m.default_voter and m.installed]
        asked.models = gr.CheckboxGroup(
            parts.model_choices(models),
            value=voters,
            label=texts.MODELS,
            info=texts.MODELS_INFO,
            elem_id="models",
        )
        asked.confidence = gr.Slider(
            0.5, 1.0, DEFAULTS.face_confidence, step=0.01, label=texts.CONFIDENCE, info=texts.CONFIDENCE_INFO
        )
        asked.explain = gr.Checkbox(DEFAULTS.explain, label=texts.EXPLAIN)
        asked.attention = gr.Checkbox(DEFAULTS.attention, label=texts.ATTENTION)
        asked.stability = gr.Checkbox(DEFAULTS.stability, label=texts.STABILITY)
    # What the browser puts in place of these: files that it just sent, and the number of a result.
    asked.sent = gr.JSON(visible="hidden")
    asked.index = gr.Number(0, visible="hidden", label=" ")
    return asked


def _outputs(examples: dict[str, Report | None]) -> SimpleNamespace:
    shown = SimpleNamespace()
    shown.reports = gr.State([], time_to_live=KEEP_S)
    shown.rows = gr.State([], time_to_live=KEEP_S)
    with gr.Row(elem_id="run"):
        shown.status = gr.HTML(elem_id="status", js_on_load=None)
        shown.stop = gr.Button(
            texts.STOP, variant="stop", visible=False, elem_id="stop", min_width=80, scale=0
        )
    shown.intro = gr.HTML(parts.cards(examples, _pictures(examples)), elem_id="intro", js_on_load=None)
    shown.queue = gr.HTML(elem_id="queue", js_on_load=None)
    shown.archive = gr.HTML(elem_id="archive", js_on_load=None)
    shown.slots = [gr.HTML(elem_classes="tbd-slot", js_on_load=None) for _ in range(jobs.MAX_FILES)]
    shown.film = gr.File(visible="hidden", label=texts.DOWNLOAD_VIDEO)
    shown.film_button = gr.Button(texts.DOWNLOAD_VIDEO, visible="hidden", elem_id="film")
    return shown


def _pictures(examples: dict[str, Report | None]) -> dict[str, str]:
    """The middle frame of each stored result, small."""
    found = {
        name: report.snapshots[len(report.snapshots) // 2] for name, report in examples.items() if report
    }
    return {name: evidence.data_uri(snapshot.image, 192) for name, snapshot in found.items()}


def _wire(asked: SimpleNamespace, shown: SimpleNamespace, desk: jobs.Desk, others: list[Any]) -> None:
    """Analyse, Stop and Clear; the latter two also end other runs."""
    run = Run(asked, shown, desk)

    def on_analyze(
        sent: Any, n_frames: Any, confidence: Any, models: Any, explain: Any, stability: Any, attention: Any,
        request: gr.Request | None = None,
    ) -> Iterator[dict]:  # fmt: skip
        try:
            if isinstance(sent, dict) and "problem" in sent:
                uploads.discard(sent.get("sent"))
                raise FileMissing(texts.UPLOAD_FAILED)
            chosen = jobs.settings(n_frames, confidence, models, explain, stability, attention, ticked=True)
            yield from run.of(sent, chosen, str(request.session_hash) if request else "")
        except TBDError as error:
            uploads.discard(sent)
            yield run.idle() | {shown.status: parts.failure(error)}
        except Exception:
            # Not left to Gradio's `failure`: it also tells of runs that were stopped, after "Stopped" was shown.
            logging.getLogger(__name__).exception("Unexpected failure")
            yield run.idle() | {shown.status: parts.unexpected()}

    def on_stopped(rows: Any, request: gr.Request) -> dict[Any, Any]:
        return run.stopped(rows, str(request.session_hash))

    def on_clear() -> dict[Any, Any]:
        return run.idle() | run.empty() | _initial(asked) | {shown.intro: gr.update(visible=True)}

    quick = private(asked, shown)
    now = quick | {"queue": False}
    inputs = [asked.sent, *_settings(asked)]
    started = asked.analyze.click(run.pressed, **now).then(
        on_analyze, inputs, js="(...a) => tbd.run(...a)", **quick, **_ANALYSIS
    )
    # Said twice: a last word of the run may come after the first.
    stopped = shown.stop.click(
        on_stopped, shown.rows, cancels=[started, *others], js="(...a) => tbd.stop(...a)", **now
    )
    stopped.then(on_stopped, shown.rows, **now)
    asked.clear.click(on_clear, cancels=[started, *others], js="(...a) => tbd.clear(...a)", **now)


def _wire_examples(
    asked: SimpleNamespace, shown: SimpleNamespace, desk: jobs.Desk, examples: dict[str, Report | None]
) -> list[Any]:
    """A stored result at once; where it is not of this version, an analysis. Returns the events that may run for long."""
    runs = []
    run = Run(asked, shown, desk)

    def on_example(name: str) -> Iterator[dict]:
        report = examples[name]
        if report is not None:
            yield run.stored(report)
        else:
            path = uploads.stage(EXAMPLES / name)
            yield from run.of([{"path": str(path), "orig_name": name}], DEFAULTS)

    for k, name in enumerate(examples):
        button = gr.Button(name, visible="hidden", elem_id=f"example-{k}")
        event = private(asked, shown)
        pressed = button.click(run.pressed, js="(...a) => tbd.example(...a)", queue=False, **event)
        runs.append(pressed.then(partial(on_example, name), **event, **_ANALYSIS))
    return runs


def _initial(asked: SimpleNamespace) -> dict[Any, Any]:
    return {component: component.value for component in _settings(asked)}


def _settings(asked: SimpleNamespace) -> list[Any]:
    """The settings in the order in which `on_analyze` takes them."""
    return [
        asked.n_frames, asked.confidence, asked.models, asked.explain, asked.stability, asked.attention,
    ]  # fmt: skip


def _feedback(asked: SimpleNamespace, shown: SimpleNamespace) -> None:
    with gr.Accordion(texts.FEEDBACK, open=False):
        remark = gr.Textbox(
            label=texts.FEEDBACK_REMARK, info=texts.FEEDBACK_INFO, lines=3, max_length=jobs.MAX_REMARK
        )
        thanks = gr.HTML()
        gr.Button(texts.FEEDBACK_SEND, elem_id="feedback").click(
            _on_feedback,
            [asked.index, shown.reports, remark],
            [thanks, remark],
            js="(...a) => tbd.shown(...a)",
            api_visibility="private",
        )


def _on_feedback(index: float, reports: list[Report | None], remark: str) -> tuple[str, str]:
    folder = feedback_dir()
    report = reports[int(index)] if 0 <= int(index) < len(reports) else None
    if folder is None or report is None:
        return parts.notice(texts.FEEDBACK_EMPTY), remark
    jobs.store_feedback(folder, report, remark)
    return parts.notice(texts.FEEDBACK_THANKS), ""
