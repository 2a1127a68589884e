"""The language of a visitor: the one chosen on the page, which its address keeps, else the browser's."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from tbd_app.languages import Language, direction, language, of_visitor

PARAMETER = "language"  # of the page's address; Gradio's script sends it along with each event


def of_request(request: Any) -> Language:
    """The language of a request, as Starlette or Gradio has it."""
    return of_visitor(request.query_params.get(PARAMETER, ""), request.headers.get("accept-language", ""))


def rooted(send: Send) -> Send:
    """Sends Gradio's page with the language and direction at its root, in the language that is spoken now.

    Gradio asks the browser for the language of its own words, so the page gives the browser's answer.
    """
    root = f'lang="{language()}" dir="{direction()}"'.encode()
    asked = json.dumps({"language": {"value": language()}, "languages": {"value": [language()]}})
    script = f"<head><script>Object.defineProperties(navigator, {asked});</script>".encode()
    held: list[Message] = []

    async def whole(message: Message) -> None:
        held.append(message)
        if message["type"] == "http.response.start" or message.get("more_body"):
            return
        start, *parts = held
        page = b"".join(part.get("body", b"") for part in parts)
        if page:  # none where only the headers were asked for
            page = page.replace(b'lang="en"', root, 1).replace(b"<head>", script, 1)
            MutableHeaders(scope=start)["content-length"] = str(len(page))
        await send(start)
        await send({"type": "http.response.body", "body": page})

    return whole
