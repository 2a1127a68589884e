"""Uploaded files: where they lie, and that none outlives its analysis."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tbd_app.errors import FileMissing, NoRoom
from tbd_app.names import shown
from tbd_app.settings import Edge
from tbd_app.web import sentences, texts

_PREFIX = "upload-"
KEEP_S = 3600  # that an upload may wait
_claimed: set[Path] = set()  # folders of requests that are worked on
_own: list[Path] = []
_held: list[IO[str]] = []  # keeps this process's lock for as long as it lives


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that belongs to one request.

    Attributes:
        path: where it lies, under a name that the server chose.
        name: the user's own base name, for the report.
    """

    path: Path
    name: str


def prepare_temp_dir() -> Path:
    """Give this process a private folder for uploads and delete those of processes that have ended.

    To be called before gradio is imported, which reads `GRADIO_TEMP_DIR`. A value set by the operator is the
    parent. A lock that dies with its process tells a running server's folder from a crashed one's.

    Raises:
        NoRoom: it cannot be made or written to.
    """
    try:
        return _prepared(Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()))
    except OSError as error:
        where = os.environ.get("GRADIO_TEMP_DIR") or "the temporary folder"
        raise NoRoom(
            f"Uploads cannot be kept in {where}: {error.strerror}; GRADIO_TEMP_DIR names another."
        ) from error


def _prepared(parent: Path) -> Path:
    root = parent / f"tbd-web-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (entry for entry in root.iterdir() if entry.is_dir()):
        if (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
    own = Path(tempfile.mkdtemp(dir=root))
    (own / ".probe").write_bytes(bytes(1 << 16))  # a full disk may still take a folder
    (own / ".probe").unlink()
    lock = _lock(own)
    if lock is not None:
        _held.append(lock)
    _own.append(own)
    os.environ["GRADIO_TEMP_DIR"] = str(own)
    return own


def _lock(folder: Path) -> IO[str] | None:
    handle = (folder / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def temp_dir() -> Path:
    """The folder outside which nothing is read or deleted."""
    return Path(os.environ["GRADIO_TEMP_DIR"]).resolve()


def close() -> None:
    """Delete the folders that this process was given, whatever lies in them."""
    for folder in _own:
        shutil.rmtree(folder, ignore_errors=True)


def new_folder() -> Path:
    """An empty folder for one request, under a name that cannot be guessed: who knows it may claim what lies in it."""
    folder = temp_dir() / f"{_PREFIX}{secrets.token_urlsafe(18)}"
    folder.mkdir(mode=0o700)
    return folder


def sweep(older_than_s: float = KEEP_S) -> None:
    """Delete uploads that nobody has claimed for so long."""
    for folder in temp_dir().glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder not in _claimed and time.time() - folder.stat().st_mtime > older_than_s:
                shutil.rmtree(folder, ignore_errors=True)


def require_room(n_bytes: int, settings: Edge) -> None:
    """Whether another upload of this size may be kept.

    Raises:
        NoRoom: the disk is nearly full, or too much waits already.
    """
    stored = 0
    for folder, _, files in os.walk(temp_dir()):  # which passes over folders that are just deleted
        for name in files:
            with suppress(OSError):  # so may be the file
                stored += os.lstat(os.path.join(folder, name)).st_size
    free = shutil.disk_usage(temp_dir()).free
    if n_bytes + settings.spare_disk_mb * 1e6 > free or stored + n_bytes > settings.stored_uploads_mb * 1e6:
        raise NoRoom(texts.NO_ROOM)


def outside(path: str) -> str:
    """A path of the server as it may be said: without where the folder lies."""
    return path.replace(f"{temp_dir()}/", "")


@contextmanager
def claimed(payload: Any, at_most: int = 1) -> Iterator[list[Upload]]:
    """Take the files of a request out of the web server's reach and delete them in the end.

    Each upload lies in a folder of its own, so that nobody meets another's file, also where both are the same.

    Args:
        payload: Gradio's file dictionary, a list of them, or None.
        at_most: files.

    Raises:
        FileMissing: nothing was sent, it is gone, or too much was sent.
    """
    entries = _entries(payload)
    folder = new_folder()
    _claimed.add(folder)
    try:
        if len(entries) > at_most:
            discard(payload)
            raise FileMissing(sentences.too_many(at_most))
        yield [_take(entry, folder / str(i)) for i, entry in enumerate(entries)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _claimed.discard(folder)


def discard(payload: Any) -> None:
    """Delete uploads that no analysis has claimed."""
    with suppress(FileMissing):
        for entry in _entries(payload):
            path = _file(entry)
            path.unlink(missing_ok=True)
            _drop_empty(path.parent)


def stage(source: Path) -> Path:
    """A copy of an example in a folder of its own, to be treated like an upload."""
    return Path(shutil.copy(source, new_folder() / source.name))


def stem(name: str) -> str:
    """A file's name without its suffix, safe as the name of a download on any system."""
    return re.sub(r"[^\w-]+", "_", Path(name).stem)[:60].strip("_") or "report"


def sha256(path: Path) -> str:
    """The hash of a file's content, as reports carry it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(payload: Any) -> list[dict[str, Any]]:
    entries = payload if isinstance(payload, list) else [payload]
    found = [e for e in entries if isinstance(e, dict) and isinstance(e.get("path"), str)]
    if not found:
        raise FileMissing(texts.CHOOSE_FILE)
    return found


def _take(entry: dict[str, Any], target: Path) -> Upload:
    path = _file(entry)
    os.replace(path, target)
    _drop_empty(path.parent)
    # Gradio strips characters from the name on disk; the original one is kept beside it.
    return Upload(target, shown(Path(str(entry.get("orig_name") or path.name)).name[:255]))


def _file(entry: dict[str, Any]) -> Path:
    return find(entry["path"])


def find(name: str) -> Path:
    """Where an upload lies, by the name that it was given.

    Raises:
        FileMissing: there is none.
    """
    path = _inside(name)
    if not path.is_file():
        raise FileMissing(texts.NOT_ARRIVED)
    return path


def _inside(path: str | Path) -> Path:
    try:
        resolved = (temp_dir() / path).resolve()
    except (OSError, ValueError):
        raise FileMissing(texts.NOT_ARRIVED) from None
    if temp_dir() not in resolved.parents:
        raise FileMissing(texts.NOT_ARRIVED)
    return resolved


def _drop_empty(folder: Path) -> None:
    with suppress(OSError):  # another of the same upload may lie there
        while folder != temp_dir():
            folder.rmdir()
            folder = folder.parent
