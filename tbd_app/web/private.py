"""Gradio's page with private files: an upload has a name that only its visitor knows, and no answer says where it lies.

Nor does it remember what it showed to whom.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.state_holder import SessionState
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from tbd_app.errors import FileMissing
from tbd_app.languages import Language, language, spoken
from tbd_app.web import texts, uploads, visitor
from tbd_app.web.edge import Waiting

KEEP_ANSWER_S = 600  # that an answer waits to be fetched


class Page(gr.Blocks):
    """Blocks that take uploads by the names that they were given and say no path of the server.

    They take no address either: Gradio would download one before any handler sees it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._config: Any = None
        self._spoken: dict[Language, dict[str, Any]] = {}
        self._answered: OrderedDict[str, float] = (
            OrderedDict()
        )  # sessions, and when their last answer was made
        super().__init__(*args, **kwargs)
        self.waiting = Waiting()

    @property
    def config(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What Gradio sends of the page to a browser, in the language that is spoken."""
        said = self._spoken.get(language())
        if said is None:
            return self._config
        parts = zip(self._config["components"], said["components"], strict=True)
        return (
            self._config | said | {"components": [mine | {"props": other["props"]} for mine, other in parts]}
        )

    @config.setter
    def config(self, value: Any) -> None:
        self._config = value

    def speak(self, language: Language, page: Page, head: str) -> None:
        """Let visitors see the words of another page, which was built in their language and has the same parts.

        Args:
            head: what stands in the head of the document.
        """
        self._spoken[language] = {"components": page.config["components"], "head": head}

    def queue(self, *args: Any, **kwargs: Any) -> Page:
        """As Gradio's; the files of a request that finds no place in it are deleted at once."""
        super().queue(*args, **kwargs)
        push = self._queue.push

        async def push_or_delete(*args: Any, **kwargs: Any) -> Any:
            answer = await push(*args, **kwargs)
            if not answer[0]:
                traverse((args[0] if args else kwargs["body"]).data, _deleted, is_file_obj_with_meta)
            return answer

        self._queue.push = push_or_delete  # pyright: ignore[reportAttributeAccessIssue]
        return self

    async def process_api(
        self, *args: Any, request: gr.Request | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """As Gradio's, in the visitor's language."""
        try:
            with spoken(visitor.of_request(request) if request else "en"):
                return await super().process_api(*args, request=request, **kwargs)
        finally:
            self._forget(kwargs.get("state"), kwargs.get("session_hash"), kwargs.get("event_id"))

    def _forget(self, state: SessionState | None, session: str | None, event: str | None) -> None:
        """Drops what Gradio keeps of an answer besides `gr.State`, for as long as it knows the session.

        This is what every component shows, faces among it: megabytes for each visitor, which only links to a result would
        need. A call without a session has one of its own that nobody comes back to. Answers that nobody fetched go, too.
        """
        if state is not None:
            state.config_values.clear()
            state.blocks_config.blocks.update(self.default_config.blocks)
        if session is None:
            return
        if session == event:
            self.state_holder.session_data.pop(session, None)
            self.state_holder.time_last_used.pop(session, None)
        now, queue = self.waiting.clock(), self._queue
        self._answered.pop(session, None)
        self._answered[session] = now
        while now - self._answered[oldest := next(iter(self._answered))] > KEEP_ANSWER_S:
            del self._answered[oldest]
            if any(event.session_hash == oldest for event in queue.event_ids_to_events.values()):
                self._answered[oldest] = now
            else:
                queue.pending_messages_per_session.pop(oldest, None)
                queue.pending_event_ids_session.pop(oldest, None)

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """As Gradio's, for names of uploads; a call from before the last values were added gets their defaults."""
        inputs = [*inputs, *(block.value for block in block_fn.inputs[len(inputs) :])]
        inputs = traverse(inputs, _server_file, is_file_obj_with_meta)
        return await super().preprocess_data(block_fn, inputs, *args, **kwargs)

    async def postprocess_data(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As Gradio's, with names in place of paths."""
        return traverse(await super().postprocess_data(*args, **kwargs), _named_file, is_file_obj_with_meta)


def _server_file(file: dict[str, Any]) -> dict[str, Any]:
    """A file of a request where it lies; one that is named by an address or a path is refused."""
    path = str(file["path"])
    if is_http_url_like(path):
        raise gr.Error(texts.NO_URLS, print_exception=False)
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise gr.Error(f"{FileMissing.code}: {texts.NOT_ARRIVED}", print_exception=False)
    return {**file, "path": str(uploads.temp_dir() / path)}


def _deleted(file: dict[str, Any]) -> dict[str, Any]:
    uploads.discard(file)
    return file


def _named_file(file: dict[str, Any]) -> dict[str, Any]:
    """A file of an answer by its name."""
    return {
        k: uploads.outside(v) if k in ("path", "url") and isinstance(v, str) else v for k, v in file.items()
    }
