"""A regular file opened for reading, the one way for all who are given a name: no pipe, no device, no folder."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tbd_app.errors import FileMissing

NO_FILES = {
    stat.S_IFDIR: "a folder; give a file, or a zip of the frames in it",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFSOCK: "a socket, not a file",
}


def opened(path: Path) -> int:
    """A descriptor of a regular file, for reading; whatever else has a name is never waited for.

    Raises:
        FileMissing: it is not there, is a folder, a pipe or a device, or may not be read.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind == stat.S_IFREG:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            kind = stat.S_IFMT(os.fstat(file).st_mode)
            if kind == stat.S_IFREG:
                return file
            os.close(file)
    except FileNotFoundError as error:
        raise FileMissing(f"There is no file {path.name!r}.") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be one"
        raise FileMissing(f"The file {path.name!r} cannot be read: {why}.") from error
    raise FileMissing(f"{path.name!r} is {NO_FILES.get(kind, 'no regular file')}.")


@contextmanager
def handed(path: str | None) -> Iterator[int | None]:
    """The descriptor of a file while it is handed to a child; None without a file, or where a child cannot be given one.

    Raises:
        FileMissing: as for `opened`.
    """
    if path is None or not hasattr(socket, "send_fds") or not os.path.isdir("/proc/self/fd"):
        yield None
        return
    file = opened(Path(path))
    try:
        yield file
    finally:
        os.close(file)
