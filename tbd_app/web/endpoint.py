"""The one public endpoint, `/analyze`, for programs."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gradio as gr
from gradio import events as gr_events
from gradio.context import LocalContext
from gradio.data_classes import FileDataDict

from tbd_app.errors import BadSetting, TBDError
from tbd_app.languages import LANGUAGES, spoken, translated
from tbd_app.report.inline import inside
from tbd_app.settings import AnalysisSettings
from tbd_app.web import jobs, texts, uploads
from tbd_app.web.edge import Waiting

DEFAULTS = AnalysisSettings()
DEFAULT_MODELS = list(DEFAULTS.models)
_TYPES = {".html": "text/html", ".mp4": "video/mp4"}


def add(desk: jobs.Desk, waiting: Waiting, **event: Any) -> None:
    """Put the endpoint into the blocks that are being built.

    Args:
        waiting: who still reads the answers.
        event: how Gradio is to queue it.
    """

    def analyze(
        file: FileDataDict,
        n_frames: int = DEFAULTS.n_frames,
        face_confidence: float = DEFAULTS.face_confidence,
        models: list[str] = DEFAULT_MODELS,
        explain: bool = DEFAULTS.explain,
        html: bool = False,
        video: bool = False,
        stability: bool = DEFAULTS.stability,
        attention: bool = DEFAULTS.attention,
        language: str = "en",
    ) -> dict[str, Any]:
        """Does the face in a video, picture or zip of frames show signs of manipulation? The answer is the report as JSON.

        Args:
            file: one video, picture or zip of frames.
            n_frames: frames to look at, 8 to 64.
            face_confidence: least confidence of the face detector, 0.5 to 1.
            models: names of models, or "default", or "all".
            explain: make maps of where the models looked; the HTML report shows them.
            html: add the HTML report to `files`.
            video: add the annotated video to `files`, where the file is a video.
            stability: score the same faces again, slightly changed; an answer that turns is withdrawn.
            attention: make the maps of a model's own attention where it has any, else by Grad-CAM.
            language: of the HTML report and of error messages: "en", "hi" or "ar"; the JSON is the same in each.

        Returns:
            The report; with `html` or `video` also `files`, data addresses by file name, and `sound_missing`, whether the
            annotated video lacks sound that the file has, because it could not be kept.
        """
        request, started = LocalContext.request.get(None), waiting.clock()
        key = str(request.session_hash) if request is not None else ""
        try:
            if language not in LANGUAGES:
                raise BadSetting(texts.BAD_LANGUAGE)
            chosen = jobs.settings(n_frames, face_confidence, models, explain, stability, attention)
            with (
                spoken(language),
                closing(
                    jobs.events(file, chosen, desk, with_pictures=html, with_html=html, with_video=video)
                ) as run,
            ):
                for event in run:
                    if isinstance(event, jobs.Refused):
                        raise event.error
                    if isinstance(event, jobs.Finished):
                        return event.report.to_dict() | _files(event, asked=html or video)
                    if waiting.in_vain(key, started):
                        raise gr.Error(f"abandoned: {texts.ABANDONED}", print_exception=False)
        except TBDError as error:
            uploads.discard(file)
            with spoken(language if language in LANGUAGES else "en"):
                message = translated(error.message)
            raise gr.Error(f"{error.code}: {message}", print_exception=False) from error
        raise RuntimeError("the analysis ended without a report")

    gr_events.api(analyze, api_name="analyze", **event)


def _files(made: jobs.Finished, *, asked: bool) -> dict[str, Any]:
    if not asked:
        return {}
    files = {name: inside(content, _TYPES[name[name.rindex(".") :]]) for name, content in made.files.items()}
    return {"files": files, "sound_missing": made.mute}
