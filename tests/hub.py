"""A model hub on this machine, for the real client of huggingface_hub: the part of its HTTP interface that moves files.

The client reads its environment once, so a test asks in a process of its own, with `Hub.environment`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "a token of a test"  # noqa: S105


@dataclass
class Hub:
    """Repositories by name, each with its commits in order: {revision: {path: content}}; "main" is the last one."""

    url: str = ""
    repos: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)  # large files by sha256, before their commit
    requests: list[str] = field(default_factory=list)  # "METHOD /path"

    def commit(self, repo: str, **files: bytes) -> str:
        """Adds a commit with these files on top of the last one; its revision, 40 hex digits."""
        commits = self.repos.setdefault(repo, {})
        content = self.files(repo) | files
        listing = [
            f"{len(commits)}",
            *(f"{path} {hashlib.sha256(content[path]).hexdigest()}" for path in content),
        ]
        revision = hashlib.sha1("\n".join(listing).encode(), usedforsecurity=False).hexdigest()
        commits[revision] = content
        return revision

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """What a repository holds."""
        commits = self.repos[repo]
        return commits.get(revision) or (list(commits.values())[-1] if revision == "main" and commits else {})

    def environment(self, cache: Path, **more: str) -> dict[str, str]:
        """Of a process that knows this hub and no other, and keeps what it fetches below `cache`."""
        own = {key: text for key, text in os.environ.items() if not key.startswith("HF_")}
        own |= {"HF_ENDPOINT": self.url, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
        return own | {"NO_PROXY": "127.0.0.1"} | more


@contextmanager
def serve() -> Iterator[Hub]:
    """A hub that answers until the end of the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        self._resolve()

    def _resolve(self) -> None:
        """/OWNER/NAME/resolve/REVISION/PATH."""
        self.hub.requests.append(f"{self.command} {self.path}")
        owner, name, _, revision, path = (*self.path.lstrip("/").split("/", 4), *[""] * 5)[:5]
        repo = f"{owner}/{name}"
        if repo not in self.hub.repos:
            return self._answer(401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        content = self.hub.files(repo, revision).get(path)
        if content is None:
            return self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        commit = list(self.hub.repos[repo])[-1] if revision == "main" else revision
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        self._answer(200, content, {"X-Repo-Commit": commit, "ETag": etag})

    def do_POST(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self._body()
        match self.path.lstrip("/").split("/"):
            case ["api", "validate-yaml"]:
                self._answer(200, {"warnings": [], "errors": []})
            case [_, repo, "info", "lfs", "objects", "batch"]:
                # The client compares the answer with what it asked; the link is where the bytes go.
                wanted = json.loads(body)["objects"]
                href = f"{self.hub.url}/store/{repo}"
                links = [w | {"actions": {"upload": {"href": f"{href}/{w['oid']}"}}} for w in wanted]
                self._answer(200, {"objects": links, "transfer": "basic"})
            case _ if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._answer(401, {"error": "Invalid username or password."})
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                repo = f"{asked['organization']}/{asked['name']}"
                known = repo in self.hub.repos
                self.hub.repos.setdefault(repo, {})
                self._answer(409 if known else 200, {"url": f"{self.hub.url}/{repo}"})
            case ["api", "models", _, _, "preupload", "main"]:
                asked = [file["path"] for file in json.loads(body)["files"]]
                modes = {path: "lfs" if path.endswith(".safetensors") else "regular" for path in asked}
                files = [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes.items()]
                self._answer(200, {"files": files})
            case ["api", "models", owner, name, "commit", "main"]:
                lines = [json.loads(line) for line in body.splitlines()]
                files = {
                    line["value"]["path"]: self._content(line) for line in lines if line["key"] != "header"
                }
                oid = self.hub.commit(f"{owner}/{name}", **files)
                self._answer(
                    200, {"commitOid": oid, "commitUrl": f"{self.hub.url}/{owner}/{name}/commit/{oid}"}
                )
            case _:
                self._answer(404, {"error": "Not found"})

    def _content(self, line: dict[str, Any]) -> bytes:
        value = line["value"]
        return base64.b64decode(value["content"]) if line["key"] == "file" else self.hub.uploads[value["oid"]]

    def do_PUT(self) -> None:
        """/store/NAME/SHA256: a large file, refused where it is not what it says."""
        self.hub.requests.append(f"{self.command} {self.path}")
        content, digest = self._body(), self.path.rsplit("/", 1)[-1]
        right = hashlib.sha256(content).hexdigest() == digest
        self.hub.uploads |= {digest: content} if right else {}
        self._answer(200 if right else 400, {})

    def _body(self) -> bytes:
        if (length := self.headers.get("Content-Length")) is not None:
            return self.rfile.read(int(length))
        parts = []  # chunked
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(
        self, status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        """Quiet."""
