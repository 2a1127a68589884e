"""What the page's components show while files are analysed: updates, from the events of a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import gradio as gr

from tbd_app.answer import of_report
from tbd_app.languages import translated
from tbd_app.report import texts as words
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Report
from tbd_app.web import jobs, parts, sentences, texts, views

Updates = dict[Any, Any]
Row = tuple[str, str, str]  # as of `parts.queue`
LEFT_S = 60.0  # that the reports of a run which was ended early wait for its page to ask for them


def private(asked: SimpleNamespace, shown: SimpleNamespace) -> dict[str, Any]:
    """Arguments of an event of the page that no program may call."""
    outputs = [*vars(asked).values(), *_flat(vars(shown).values())]
    return {
        "outputs": outputs,
        "api_visibility": "private",
        "preprocess": False,
        "show_progress": "hidden",
    }


def _flat(components: Any) -> Iterator[Any]:
    for component in components:
        yield from component if isinstance(component, list) else [component]


class Run:
    """Updates of the components of one page.

    Args:
        asked: its inputs.
        shown: its outputs.
        desk: where the work is done.
    """

    def __init__(self, asked: SimpleNamespace, shown: SimpleNamespace, desk: jobs.Desk) -> None:
        self._asked, self._shown, self._desk = asked, shown, desk
        self._made: dict[
            str, dict[str, bytes]
        ] = {}  # by session: reports of a run that has not ended, by file name

    def idle(self) -> Updates:
        """Nothing runs."""
        return {
            self._asked.analyze: gr.update(interactive=True),
            self._shown.stop: gr.update(visible=False),
        }

    def empty(self) -> Updates:
        """No result is there."""
        shown = self._shown
        return {
            **dict.fromkeys((shown.status, shown.queue, shown.archive, *shown.slots), ""),
            shown.reports: [],
            shown.rows: [],
        }

    def stopped(self, rows: Sequence[Row], session: str) -> Updates:
        """A run was ended early: what was found so far stays, a file that was not finished has no answer.

        Args:
            rows: of the files of that run, as they were.
            session: that began it.
        """
        files = self._made.pop(session, {})
        archive = {self._shown.archive: parts.archive(files)} if files else {}
        ended = [
            (name, "failed", texts.ROW_STOPPED) if state in ("busy", "waits") else (name, state, said)
            for name, state, said in rows
        ]
        said = {self._shown.status: parts.notice(texts.STOPPED)}
        return self.idle() | self._queue(ended) | archive | said

    def _queue(self, rows: Sequence[Row]) -> Updates:
        return {self._shown.queue: parts.queue(rows), self._shown.rows: list(rows)}

    def pressed(self) -> Updates:
        """Something was asked for."""
        shown = self._shown
        busy = {self._asked.analyze: gr.update(interactive=False), shown.stop: gr.update(visible=True)}
        hidden = {shown.intro: gr.update(visible=False)}
        return self.empty() | busy | hidden | {shown.status: parts.busy(texts.STARTING)}

    def stored(self, report: Report) -> Updates:
        """A result that was made beforehand."""
        return self.idle() | {
            self._shown.status: "",
            self._shown.slots[0]: views.result(report, note=texts.STORED),
            self._shown.reports: [jobs.kept(report)],
        }

    def of(self, payload: Any, chosen: AnalysisSettings, session: str = "") -> Iterator[Updates]:
        """What happens with files, one update after the other; results stay when it ends early.

        Args:
            session: of the page that asks, as `stopped` names it; not needed for one file.

        Raises:
            TBDError: it is about the whole request.
        """
        files = self._made[session] = {}
        try:
            yield from self._updates(payload, chosen, files)
        except GeneratorExit:
            late = threading.Timer(LEFT_S, self._forget, (session, files))
            late.daemon = True
            late.start()
            raise
        except BaseException:
            self._forget(session, files)
            raise
        self._forget(session, files)

    def _forget(self, session: str, files: dict[str, bytes]) -> None:
        """Drop the reports of a run, unless another one of this page has begun."""
        if self._made.get(session) is files:
            self._made.pop(session, None)

    def _updates(self, payload: Any, chosen: AnalysisSettings, files: dict[str, bytes]) -> Iterator[Updates]:
        """As `of`; the reports of several files are put into `files`."""
        shown = self._shown
        names: tuple[str, ...] = ()
        rows: list[Row] = []
        reports: list[Report | None] = []
        error: jobs.Refused | None = None
        for event in jobs.events(payload, chosen, self._desk):
            update: Updates = {}
            if isinstance(event, jobs.Started):
                names = event.names
                rows = [(name, "waits", texts.ROW_WAITS) for name in names]
                reports = [None] * len(names)
                update = self._queue(rows)
            elif isinstance(event, jobs.Step):
                said = texts.STAGES[event.event.stage]
                if rows[event.index][2] != said:
                    rows[event.index] = (names[event.index], "busy", said)
                    update = self._queue(rows)
            elif isinstance(event, jobs.Refused):
                error = event
                rows[event.index] = (
                    event.name,
                    "failed",
                    f"{texts.ROW_FAILED}: {translated(event.error.message)}",
                )
                update = self._queue(rows)
            elif isinstance(event, jobs.Finished):
                rows[event.index] = (
                    names[event.index], of_report(event.report), words.answer_label(event.report)
                )  # fmt: skip
                reports[event.index] = jobs.kept(event.report)
                alone = len(names) == 1
                if not alone:
                    files.update(views.report_files(event.report, event.index))
                update = self._queue(rows) | {
                    shown.slots[event.index]: views.result(event.report, event.index, alone=alone),
                    shown.reports: list(reports),
                }
            if not isinstance(event, jobs.Finished | jobs.Refused):
                update[shown.status] = parts.status(event, names)
            yield update
        end = self.idle()
        if len(names) > 1:
            end |= {shown.status: parts.notice(sentences.done_with(len(names)))}
            end |= {shown.archive: parts.archive(files)} if files else {}
        elif error is not None:
            end |= {shown.status: parts.failure(error.error)}
        else:
            end |= {shown.status: parts.notice(texts.DONE)}
        yield end
