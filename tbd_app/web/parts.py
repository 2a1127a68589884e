"""The parts of the page around a result, as HTML: pure functions, nothing here knows gradio."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence

from tbd_app.answer import of_report
from tbd_app.catalogue import ModelRow
from tbd_app.errors import TBDError
from tbd_app.languages import LANGUAGES, NAMES, language, say, translated
from tbd_app.report import texts as words
from tbd_app.settings import Limits
from tbd_app.types import Report
from tbd_app.web import jobs, sentences, texts
from tbd_app.web.render import render
from tbd_app.web.views import download


def status(event: jobs.Event, names: Sequence[str] = ()) -> str:
    """What is being done, as HTML; names are those of the run's files."""
    if isinstance(event, jobs.Waiting):
        return busy(sentences.waiting(event.before))
    if isinstance(event, jobs.Preparing):
        return busy(texts.PREPARING)
    if not isinstance(event, jobs.Step):
        return busy(texts.STARTING)
    step = event.event
    text = sentences.stage(step.stage, step.done, step.total)
    if len(names) > 1:
        text = f"{sentences.of_files(event.index, len(names), names[event.index])}: {text}"
    if event.left_s is not None:
        text = f"{text}{say(', ')}{sentences.left(event.left_s)}"
    share = (event.index + step.fraction) / max(len(names), 1)
    return render("status.html", kind="busy", text=text, percent=round(100 * share))


def busy(text: str) -> str:
    """A bar that does not know how far it is, as HTML."""
    return render("status.html", kind="busy", text=text, percent=None)


def notice(text: str) -> str:
    """A calm line, as HTML."""
    return render("status.html", kind="done", text=text)


def failure(error: TBDError) -> str:
    """What went wrong and what to do, as HTML."""
    return render("status.html", kind="failed", text=translated(error.message), code=error.code)


def unexpected() -> str:
    """The message for an error that nobody foresaw; its trace is in the server's log only."""
    return render("status.html", kind="failed", text=texts.UNEXPECTED, code="internal_error")


def queue(rows: Sequence[tuple[str, str, str]]) -> str:
    """The files of a run, as HTML; "" for a single one.

    Args:
        rows: name, state (`waits`, `busy`, `failed`, or an answer) and its words.
    """
    return render("queue.html", rows=rows) if len(rows) > 1 else ""


def archive(files: Mapping[str, bytes]) -> str:
    """A link to a zip of all reports of a run, as HTML."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    link = download(texts.DOWNLOAD_ZIP, "tbd-reports.zip", "application/zip", buffer.getvalue())
    return render("archive.html", link=link)


def model_choices(models: Iterable[ModelRow]) -> list[tuple[str, str]]:
    """Label and name of every model that is installed, by what it is for."""
    return [
        (f"{texts.PURPOSES.get(m.name, m.architecture)} ({m.name})", m.name) for m in models if m.installed
    ]


def footer(models: Sequence[ModelRow]) -> str:
    """What a result means and what happens to a file, as HTML; always visible."""
    voters = [m.name for m in models if m.default_voter]
    ensemble = sentences.ensemble(voters, sum(m.installed for m in models))
    return render("footer.html", limits=say(words.LIMITS), ensemble=ensemble, privacy=texts.PRIVACY)


def header() -> str:
    """The page's name, its question, where it runs and the choice of a language, as HTML."""
    return render("header.html", languages=[(code, NAMES[code]) for code in LANGUAGES], spoken=language())


def drop_zone(limits: Limits) -> str:
    """Where files are chosen, as HTML; the browser keeps them."""
    return render("drop.html", limits=sentences.limits(limits))


def cards(examples: Mapping[str, Report | None], pictures: Mapping[str, str]) -> str:
    """The examples with their stored results, as HTML.

    Args:
        examples: by file name; None for one without a stored result.
        pictures: a small picture of each.
    """
    shown = [
        {"name": name, "answer": of_report(report) if report else "", "picture": pictures.get(name, "")}
        for name, report in examples.items()
    ]
    return render("cards.html", cards=shown)
