"""The page: layout and wiring. What is shown comes from `views`, what is done from `jobs` and `uploads`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio import events as gr_events
from gradio.context import LocalContext
from gradio.data_classes import FileDataDict
from starlette.middleware import Middleware

from tbd_app import catalogue
from tbd_app.catalogue import ModelRow
from tbd_app.errors import TBDError
from tbd_app.report.to_json import dumps
from tbd_app.settings import AnalysisSettings, Limits, feedback_dir
from tbd_app.settings import Edge as EdgeSettings
from tbd_app.types import ProgressEvent
from tbd_app.web import jobs, metrics, plot, texts, uploads, views
from tbd_app.web.edge import Edge, Waiting
from tbd_app.web.private import Page
from tbd_app.web.theme import look

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
DEFAULTS = AnalysisSettings()
DEFAULT_MODELS = list(DEFAULTS.models)
KEEP_S = 1800
_SCROLL = (
    "() => { if (innerWidth < 768) document.querySelector('#output').scrollIntoView({behavior: 'smooth'}) }"
)
_MODEL_JOB: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}


def build_page(engine: jobs.Engine = jobs.default_engine) -> Page:
    """The whole page, to be launched with `launch_options`.

    Args:
        engine: stands in for `tbd_app.analyze_events`, in tests.
    """
    with Page(title=texts.TITLE, analytics_enabled=False, delete_cache=(600, KEEP_S)) as page:
        models = catalogue.listing()
        gr.HTML(views.header())
        with gr.Row(elem_classes="tbd-columns"):
            with gr.Column(scale=4, min_width=320):
                asked = _inputs(models)
            with gr.Column(scale=7, min_width=320, elem_id="output"):
                shown = _outputs()
        gr.HTML(views.footer(models))
        _wire(asked, shown, engine)
        _add_endpoint(engine, page.waiting)
    metrics.watch_queue(lambda: len(page._queue))
    # Closed: what is called past the queue would not keep to one analysis at a time.
    return page.queue(max_size=20, default_concurrency_limit=4, api_open=False)


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
        "run_history": False,
        "footer_links": ["api"],
        "ssr_mode": False,
        "mcp_server": False,
    }


def _inputs(models: Sequence[ModelRow]) -> SimpleNamespace:
    asked = SimpleNamespace()
    asked.upload = gr.File(label=texts.UPLOAD, file_count="multiple", elem_id="upload")
    gr.Markdown(f"{texts.limits(Limits.from_env())} {texts.SEVERAL}", elem_classes="tbd-hint")
    with gr.Row():
        asked.analyze = gr.Button(texts.ANALYZE, variant="primary", elem_id="analyze", min_width=90)
        asked.stop = gr.Button(texts.STOP, variant="stop", interactive=False, elem_id="stop", min_width=80)
        asked.clear = gr.Button(texts.CLEAR, elem_id="clear", min_width=80)
    asked.n_frames = gr.Slider(
        8, 64, DEFAULTS.n_frames, step=1, label=texts.N_FRAMES, info=texts.N_FRAMES_INFO
    )
    voters = [m.name for m in models if m.default_voter] or [m.name for m in models]
    asked.models = gr.CheckboxGroup(
        views.model_choices(models),
        value=voters,
        label=texts.MODELS,
        info=texts.MODELS_INFO,
        elem_id="models",
    )
    with gr.Accordion(texts.ADVANCED, open=False):
        asked.confidence = gr.Slider(
            0.5, 1.0, DEFAULTS.face_confidence, step=0.01, label=texts.CONFIDENCE, info=texts.CONFIDENCE_INFO
        )
        asked.explain = gr.Checkbox(DEFAULTS.explain, label=texts.EXPLAIN)
        asked.stability = gr.Checkbox(DEFAULTS.stability, label=texts.STABILITY)
    gr.Markdown(texts.EXAMPLES, elem_classes="tbd-hint")
    with gr.Row():
        for name, title in texts.EXAMPLE_FILES.items():
            button = gr.Button(title, size="md", min_width=80)
            button.click(partial(_stage, EXAMPLES / name), outputs=asked.upload, api_visibility="private")
    return asked


def _outputs() -> SimpleNamespace:
    shown = SimpleNamespace()
    shown.report_json = gr.State(None, time_to_live=KEEP_S)
    shown.status = gr.HTML(elem_id="status")
    shown.intro = gr.Markdown(texts.INTRO, container=True)
    with gr.Column(visible=False, elem_id="result") as shown.result:
        shown.summary = gr.HTML(elem_id="summary")
        shown.timeline = gr.LinePlot(
            x="x",
            y="score",
            color="who",
            y_lim=[0, 1],
            y_title=texts.SCORE_AXIS,
            color_title=" ",
            label=texts.TIMELINE,
        )
        shown.timeline_text = gr.HTML()
        shown.evidence = gr.HTML(elem_id="evidence")
        with gr.Accordion(texts.DETAILS, open=False):
            shown.details = gr.HTML(elem_id="details")
        shown.download = gr.HTML(elem_id="download")
        if feedback_dir() is not None:
            _feedback(shown)
    return shown


def _feedback(shown: SimpleNamespace) -> None:
    with gr.Accordion(texts.FEEDBACK, open=False):
        remark = gr.Textbox(
            label=texts.FEEDBACK_REMARK, info=texts.FEEDBACK_INFO, lines=3, max_length=jobs.MAX_REMARK
        )
        thanks = gr.HTML()
        gr.Button(texts.FEEDBACK_SEND, elem_id="feedback").click(
            _on_feedback, [shown.report_json, remark], [thanks, remark], api_visibility="private"
        )


def _wire(asked: SimpleNamespace, shown: SimpleNamespace, engine: jobs.Engine) -> None:
    idle = {
        asked.analyze: gr.update(interactive=True),
        asked.stop: gr.update(interactive=False),
        asked.upload: None,
    }
    empty = {
        **dict.fromkeys((shown.summary, shown.evidence, shown.details, shown.download), ""),
        shown.result: gr.update(visible=False),
        shown.intro: gr.update(visible=False),
        shown.report_json: None,
    }

    def on_press() -> dict[Any, Any]:
        busy = {asked.analyze: gr.update(interactive=False), asked.stop: gr.update(interactive=True)}
        return empty | busy | {shown.status: views.waiting()}

    def on_analyze(*request: Any) -> Iterator[dict[Any, Any]]:
        try:
            for item in jobs.events(*request, engine=engine, ticked=True):
                yield (
                    {shown.status: views.progress(item)} if isinstance(item, ProgressEvent) else result(item)
                )
        except TBDError as error:
            yield idle | {shown.status: views.failure(error)}
        except Exception:
            # Not left to Gradio's `failure`: it also tells of runs that were stopped, after "Stopped" was shown.
            logging.getLogger(__name__).exception("Unexpected failure")
            yield idle | {shown.status: views.unexpected()}

    def result(done: jobs.Finished) -> dict[Any, Any]:
        return {
            **idle,
            shown.status: views.notice(texts.DONE),
            shown.result: gr.update(visible=True),
            shown.summary: views.summary(done.report, done.note),
            **_plot(shown, plot.of_report(done.report)),
            shown.evidence: views.evidence(done.report),
            shown.details: views.details(done.report),
            shown.download: views.download(done.report),
            shown.report_json: dumps(done.report),
        }

    def on_stop(files: Any) -> dict[Any, Any]:
        uploads.discard(files)
        return on_stopped()

    def on_stopped() -> dict[Any, Any]:
        return idle | {shown.status: views.notice(texts.STOPPED)}

    def on_clear(files: Any) -> dict[Any, Any]:
        uploads.discard(files)
        return idle | empty | _initial(asked) | {shown.status: "", shown.intro: gr.update(visible=True)}

    inputs = [asked.upload, asked.n_frames, asked.confidence, asked.models, asked.explain, asked.stability]
    outputs = [*vars(asked).values(), *vars(shown).values()]
    private: dict[str, Any] = {"outputs": outputs, "api_visibility": "private", "preprocess": False}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden"}
    # "minimal" shows the place in the queue, beside the status.
    shows: dict[str, Any] = {**private, "show_progress": "minimal", "show_progress_on": shown.status}
    run = asked.analyze.click(on_press, js=_SCROLL, **quick).then(on_analyze, inputs, **shows, **_MODEL_JOB)
    # Said twice: a last word of the run may come after the first.
    stopped = asked.stop.click(on_stop, asked.upload, cancels=[run], **quick)
    stopped.then(on_stopped, **quick)
    asked.clear.click(on_clear, asked.upload, cancels=[run], **quick)


def _initial(asked: SimpleNamespace) -> dict[Any, Any]:
    inputs = (asked.n_frames, asked.confidence, asked.models, asked.explain, asked.stability)
    return {component: component.value for component in inputs}


def _plot(shown: SimpleNamespace, line: plot.Timeline | None) -> dict[Any, Any]:
    if line is None:
        return {shown.timeline: gr.update(visible=False), shown.timeline_text: ""}
    drawing = gr.update(value=line.data, x_title=line.x_title, color_map=line.colours, visible=True)
    return {shown.timeline: drawing, shown.timeline_text: views.timeline_text(line)}


def _on_feedback(report_json: str | None, remark: str) -> tuple[str, str]:
    folder = feedback_dir()
    if report_json is None or folder is None:
        return views.notice(texts.FEEDBACK_EMPTY), remark
    jobs.store_feedback(folder, report_json, remark)
    return views.notice(texts.FEEDBACK_THANKS), ""


def _add_endpoint(engine: jobs.Engine, waiting: Waiting) -> None:
    def analyze(
        file: FileDataDict,
        n_frames: int = DEFAULTS.n_frames,
        face_confidence: float = DEFAULTS.face_confidence,
        models: list[str] = DEFAULT_MODELS,
        explain: bool = DEFAULTS.explain,
        stability: bool = DEFAULTS.stability,
    ) -> dict[str, Any]:
        """Analyse one video, picture or zip of frames; the answer is the report JSON."""
        request, started = LocalContext.request.get(None), waiting.clock()
        key = str(request.session_hash) if request is not None else ""
        done: Any = None
        try:
            run = jobs.events(file, n_frames, face_confidence, models, explain, stability, engine=engine)
            with closing(run):
                for item in run:
                    done = item
                    if waiting.in_vain(key, started):
                        raise gr.Error(f"abandoned: {texts.ABANDONED}", print_exception=False)
        except TBDError as error:
            raise gr.Error(f"{error.code}: {error.message}", print_exception=False) from error
        return done.report.to_dict()

    gr_events.api(analyze, api_name="analyze", **_MODEL_JOB)


def _stage(example: Path) -> list[str]:
    return [str(uploads.stage(example))]
