"""The annotated video: made when asked, of the file that the browser sends again, and deleted once it was fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tbd_app.errors import FileMissing, TBDError
from tbd_app.types import Report
from tbd_app.web import jobs, parts, texts, uploads
from tbd_app.web.run import private

SILENT = ".silent.mp4"  # the end of the name where sound is missing


def wire(asked: SimpleNamespace, shown: SimpleNamespace, examples: Path) -> None:
    """Put the button into the page that is being built; the script presses it."""

    def on_film(sent: Any, index: Any, reports: list[Report]) -> Iterator[dict]:
        yield {shown.status: parts.busy(texts.FILMING)}
        try:
            report = reports[int(index)]
            if not sent and report.media.name in texts.EXAMPLE_FILES:
                sent = [{"path": str(uploads.stage(examples / report.media.name))}]
            with uploads.claimed(sent if isinstance(sent, list) else None) as (upload,):
                film, mute = jobs.film(report, upload.path)
            path = uploads.new_folder() / f"{uploads.stem(report.media.name)}.tbd{SILENT if mute else '.mp4'}"
            path.write_bytes(film)
            yield {shown.film: str(path)}  # Gradio serves it from there; `on_saved` deletes it
        except (TBDError, IndexError, TypeError) as error:
            said = error if isinstance(error, TBDError) else FileMissing(texts.FILE_GONE)
            yield {shown.status: parts.failure(said)}

    def on_saved(film: Any) -> dict[Any, Any]:
        if not film:
            return {}
        uploads.discard(film)
        silent = str(film.get("path")).endswith(SILENT)  # the script goes by the name, too
        return {
            shown.film: None,
            shown.status: parts.notice(texts.FILMED_SILENT if silent else texts.FILMED),
        }

    event = private(asked, shown)
    shown.film_button.click(
        on_film,
        [asked.sent, asked.index, shown.reports],
        js="(...a) => tbd.film(...a)",
        concurrency_id="film",
        concurrency_limit=1,
        **event,
    ).then(None, shown.film, None, js="(...a) => tbd.save(...a)", api_visibility="private").then(
        on_saved, shown.film, queue=False, **event
    )
