"""Which files a scan is about: `listed(sources)` walks folders, lists, patterns and addresses, one path at a time."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from tbd_app.errors import BadSetting, FileMissing, TBDError
from tbd_app.media import bounds
from tbd_app.settings import Limits

LISTS = (".txt", ".lst", ".list")
PATTERN = re.compile(r"[*?\[]")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
COPY_BYTES = 1 << 20


def listed(sources: Iterable[str]) -> Iterator[str]:
    """Absolute paths and addresses of all files that sources stand for; hidden files of folders are left out.

    Args:
        sources: each a folder (with all below it), a pattern (`*`, `?`, `[...]`, `**`), a list (a file that ends in .txt,
            .lst or .list, or `-` for standard input, with a path or an address a line; relative ones count from the current
            folder), a single file, or an address of one of these that fsspec knows (`s3://bucket/clips`).

    Yields:
        Files in the order of their names within each folder. Links are followed, and each real folder is walked once, so
        that a loop of links ends. What is no regular file (a pipe, a link to nothing) is named, too, and refused later.

    Raises:
        BadSetting: a pattern matches nothing, or a list or a store cannot be read.
    """
    for source in sources:
        if source == "-":
            yield from _each(sys.stdin)
        elif ADDRESS.match(source):
            yield from _remote(source)
        else:
            yield from _local(source)


def _local(source: str) -> Iterator[str]:
    path = Path(source)
    if path.is_dir():
        yield from _below(path)
    elif path.suffix.lower() in LISTS and path.is_file():
        try:
            with path.open(encoding="utf-8", errors="surrogateescape") as lines:
                yield from _each(lines)
        except OSError as error:
            raise BadSetting(f"{path} cannot be read: {error.strerror}.") from error
    elif PATTERN.search(source) and not path.exists():
        yield from _matching(path)
    else:
        yield os.path.abspath(path)


def _each(lines: Iterable[str]) -> Iterator[str]:
    """What the lines of a list name; each stands for itself, so a folder in it is a row that says so."""
    for line in lines:
        name = line.rstrip("\r\n")
        if name.strip():
            yield name if ADDRESS.match(name) else os.path.abspath(name)


def _matching(pattern: Path) -> Iterator[str]:
    anchor = Path(pattern.anchor)
    found = False
    # pathlib's ** passes links to folders by, so it cannot run in a circle.
    for name in sorted(map(str, anchor.glob(str(pattern.relative_to(anchor))))):
        path = Path(name)
        if any(part[0] == "." and part not in pattern.parts for part in path.parts):
            continue
        found = True
        if not path.is_dir():
            yield os.path.abspath(name)
        elif "**" not in pattern.parts:
            yield from _below(path)
    if not found:
        raise BadSetting(f"Nothing matches {str(pattern)!r}.")


def _below(folder: Path) -> Iterator[str]:
    """All files below a folder, each real folder once however many links lead to it."""
    walked: set[tuple[int, int]] = set()

    def walk(here: str) -> Iterator[str]:
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in walked:
                return
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                inside = sorted((e for e in entries if e.name[0] != "."), key=lambda e: e.name)
        except OSError:
            yield here  # a folder that may not be read is a row that says so
            return
        for entry in inside:
            if _is_folder(entry):
                yield from walk(entry.path)
            else:
                yield entry.path

    yield from walk(os.path.abspath(folder))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _remote(address: str) -> Iterator[str]:
    with _store_errors(address, BadSetting):
        store, path = _opened(address)
        if _is_local(store) and Path(path).suffix.lower() not in LISTS:
            yield from map(store.unstrip_protocol, _local(path))
        elif Path(path).suffix.lower() in LISTS:
            with store.open(path, "rt", encoding="utf-8", errors="surrogateescape") as lines:
                yield from _each(lines)
        elif PATTERN.search(path):
            matches = [match for match in sorted(store.glob(path)) if not _is_hidden(match)]
            if not matches:
                raise BadSetting(f"Nothing matches {address!r}.")
            yield from map(store.unstrip_protocol, matches)
        elif store.isdir(path):
            for here, _, names in store.walk(path):
                inside = (f"{here.rstrip('/')}/{name}" for name in sorted(names))
                yield from (store.unstrip_protocol(name) for name in inside if not _is_hidden(name))
        else:
            yield address


def _is_local(store: Any) -> bool:
    return isinstance(store, LocalFileSystem)


def _is_hidden(path: str) -> bool:
    return "/." in path


@contextmanager
def at_hand(path: str, folder: Path | None, limits: Limits) -> Iterator[Path]:
    """A local file for a path or an address; what was fetched is deleted at the end.

    Args:
        folder: where fetched files lie meanwhile; None for the system's temporary folder.

    Raises:
        FileMissing, TooLarge: it cannot be fetched.
    """
    if not ADDRESS.match(path):
        yield Path(path)
        return
    with TemporaryDirectory(prefix="tbd-scan-", dir=folder) as private:
        copy = Path(private) / name_of(path)
        with _store_errors(path, FileMissing):
            store, inside = _opened(path)
            bounds.check_bytes(store.size(inside) or 1, limits)  # some stores do not know
            _fetch(store, inside, copy, limits)
        yield copy


def _opened(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, whose types are loose, and the path in it."""
    return fsspec.core.url_to_fs(address)


def _fetch(store: Any, inside: str, copy: Path, limits: Limits) -> None:
    n_bytes = 0
    with store.open(inside, "rb") as source, copy.open("wb") as target:
        while block := source.read(COPY_BYTES):
            n_bytes += len(block)
            bounds.check_bytes(n_bytes, limits)
            target.write(block)


def name_of(path: str) -> str:
    """The file's own name, for the report."""
    return path.rstrip("/").rpartition("/")[2] if ADDRESS.match(path) else Path(path).name


@contextmanager
def _store_errors(address: str, kind: type[TBDError]) -> Iterator[None]:
    """What libraries of object stores raise, as one error of ours; they have no common base."""
    try:
        yield
    except TBDError:
        raise
    except Exception as error:
        raise kind(f"{address} cannot be read: {type(error).__name__}: {error}") from error
