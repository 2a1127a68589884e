"""What stands between the page and strangers: a password, a rate, bounds on what is sent, headers, and who still waits.

Gradio's own routes lie behind it; only uploads are received here (`intake`), because Gradio keeps them under the hash of
their content, where visitors with the same file meet.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tbd_app.errors import FileMissing
from tbd_app.languages import spoken
from tbd_app.settings import Edge as Settings
from tbd_app.web import intake, metrics, texts, uploads, visitor

API = "/gradio_api"
UPLOAD, FILE, STARTED, HEALTH, METRICS = (
    f"{API}/upload",
    f"{API}/file=",
    f"{API}/startup-events",
    "/healthz",
    "/metrics",
)
COSTLY = (UPLOAD, f"{API}/call/", f"{API}/queue/join", f"{API}/run/", f"{API}/api/")
MAX_BODY = 1_000_000  # bytes of a request that is no upload
MAX_CLIENTS = 10_000  # whose rate is remembered
PATIENCE_S = 30  # that an answer of the HTTP interface waits for somebody to read it


def policy(frame_ancestors: str) -> str:
    """The content security policy: nothing comes from elsewhere and nothing goes there.

    Gradio's page has scripts and styles within it, and its plots compile expressions, so these three are allowed.
    """
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {frame_ancestors}",
        )
    )


class Edge:
    """ASGI middleware around Gradio's app."""

    def __init__(self, app: ASGIApp, settings: Settings, max_file_bytes: int, waiting: Waiting) -> None:
        self.app, self.settings, self.max_file_bytes, self.waiting = app, settings, max_file_bytes, waiting
        self.rate = Rate(settings.requests_per_minute)
        self.headers = {
            "content-security-policy": policy(settings.frame_ancestors),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        with spoken(visitor.of_request(Request(scope))):
            await self._answer(scope, receive, visitor.rooted(send) if scope["path"] == "/" else send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                metrics.answered(message["status"])
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        answer = await self._own(scope, receive)
        if answer is not None:
            await answer(scope, receive, reply)
            return
        key = _listener(scope)
        self.waiting.come(key)
        try:
            await self.app(_pointed(scope), _bounded(receive), reply)
        finally:
            self.waiting.go(key)

    async def _own(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer to what is not Gradio's to answer, or None."""
        path, headers = scope["path"], Headers(scope=scope)
        if path == HEALTH:
            return PlainTextResponse("ok")
        client = scope["client"][0] if scope.get("client") else ""
        if self.settings.password and path != STARTED and not _knows(headers, self.settings.password):
            if not self.rate.admits(f"{client} guesses"):
                return _too_many()
            challenge = {"www-authenticate": 'Basic realm="TBD", charset="UTF-8"'}
            return PlainTextResponse(texts.LOCKED, 401, challenge)
        if path == METRICS and self.settings.metrics:
            return Response(metrics.page(), media_type=metrics.MEDIA_TYPE)
        # Gradio would write what the session shows to the disk, for a link to it.
        if path.startswith(f"{API}/deep_link"):
            return PlainTextResponse("", 404)
        if path.startswith((FILE, f"{API}/file/")) and _upload(path) is None:
            return PlainTextResponse(texts.NOT_ARRIVED, 404)
        if scope["method"] != "POST":
            return None
        if path.startswith(COSTLY) and not self.rate.admits(client):
            return _too_many()
        if path.rstrip("/") == UPLOAD:
            return await intake.receive(Request(scope, receive), self.max_file_bytes, self.settings)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return JSONResponse({"detail": f"too_large: {texts.BODY_TOO_LARGE}"}, 413)
        return None


class Rate:
    """A bucket of requests for each client, which fills again within a minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, client: str, now: float | None = None) -> bool:
        """Whether one more request may pass, which is then counted."""
        now = time.monotonic() if now is None else now
        left, at = self._left.pop(client, (float(self.per_minute), now))
        left = min(self.per_minute, left + (now - at) * self.per_minute / 60)
        admitted = left >= 1
        self._left[client] = (left - admitted, now)
        if len(self._left) > MAX_CLIENTS:
            self._left.popitem(last=False)
        return admitted


class Waiting:
    """Who reads the answers of the HTTP interface, by session or event."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._readers: Counter[str] = Counter()
        self._left: OrderedDict[str, float] = OrderedDict()

    def come(self, key: str) -> None:
        """Somebody begins to read."""
        self._readers[key] += 1
        self._left.pop(key, None)

    def go(self, key: str) -> None:
        """Somebody stops."""
        self._readers[key] -= 1
        if not self._readers[key]:
            del self._readers[key]
            self._left[key] = self.clock()
            if len(self._left) > MAX_CLIENTS:
                self._left.popitem(last=False)

    def in_vain(self, key: str, since: float) -> bool:
        """Whether an answer that is worked on since then has had no reader for `PATIENCE_S`."""
        if self._readers[key]:
            return False
        # An event's own id, 32 digits, is also the key where the client named no session; another key may be read by its
        # event, which is not known here.
        if key not in self._left and len(key) != 32:
            return False
        return self.clock() - max(self._left.get(key, since), since) > PATIENCE_S


def _too_many() -> Response:
    return JSONResponse({"detail": f"too_many_requests: {texts.TOO_MANY}"}, 429, {"retry-after": "60"})


def _listener(scope: Scope) -> str:
    """Under which key the answer is read that this request waits for, "" when it waits for none."""
    path = scope["path"]
    if scope["method"] == "GET" and path.startswith(f"{API}/call/"):
        return path.rstrip("/").rsplit("/", 1)[1]
    if path.startswith(f"{API}/queue/data"):
        return parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
    return ""


def _upload(path: str) -> Path | None:
    """Where the upload lies that a path of the page names, None when there is no such."""
    try:
        return uploads.find(path.removeprefix(FILE))
    except FileMissing:
        return None


def _pointed(scope: Scope) -> Scope:
    """The request, with the server's path in place of the name that an upload was given."""
    if not scope["path"].startswith(FILE):
        return scope
    path = f"{FILE}{_upload(scope['path'])}"
    return {**scope, "path": path, "raw_path": path.encode()}


def _bounded(receive: Receive) -> Receive:
    """A body that ends where it grows too long; what it was cut to is then refused as damaged."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.request", "body": b"", "more_body": False} if seen > MAX_BODY else message

    return bounded


def _knows(headers: Headers, password: str) -> bool:
    kind, _, given = headers.get("authorization", "").partition(" ")
    try:
        pair = base64.b64decode(given, validate=True)
    except ValueError:
        return False
    return kind.lower() == "basic" and secrets.compare_digest(pair.partition(b":")[2], password.encode())
