"""What a user brought, told by its content and held to the limits: `open_media(path, limits) -> Media`."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tbd_app.errors import FileMissing, NotMedia
from tbd_app.media import answers, bounds, regular, sandbox
from tbd_app.media.readers import READERS
from tbd_app.media.sniff import HEAD_BYTES, sniff
from tbd_app.names import shown
from tbd_app.settings import Limits
from tbd_app.types import Media


def open_media(path: str | Path, limits: Limits) -> Media:
    """Look at a video, a picture or a zip of frames without keeping any decoded frame.

    Everything that parses the content runs in a child process (`sandbox`).

    Raises:
        FileMissing: it is not there, is not a file or may not be read.
        EmptyFile, TooLarge: by its bytes.
        NotMedia: its content is none of the three kinds.
        InputError: another subclass, when the content is damaged or passes a limit (see `video.probe`,
            `stills.probe` and `archive.probe`), or takes too long to look at.
    """
    path = Path(path)
    seen = identify(path, limits)
    content, where = sniff(seen.head), str(path.absolute())
    if content.reader == "other":
        what = f"it looks like {content.format}" if content.format else "its content is not recognised"
        raise NotMedia(f"This is not a video, a picture or a zip of frames: {what}.")
    info, _ = sandbox.run(READERS[content.reader].probe, limits, path=where, format_name=content.format)
    return Media(
        path=path,
        name=shown(path.name),
        sha256=seen.sha256,
        bytes=seen.bytes,
        **answers.media_fields(info, content, seen.bytes, limits),
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is known by: its size in bytes, its first bytes, the sha256 of all of them (hex digest)."""

    bytes: int
    head: bytes
    sha256: str


def identify(path: Path, limits: Limits) -> Identity:
    """Read a file once through, without parsing anything in it.

    Raises:
        FileMissing: it is not there, is not a regular file or may not be read.
        EmptyFile, TooLarge: by its bytes.
    """
    try:
        with os.fdopen(regular.opened(path), "rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            bounds.check_bytes(n_bytes, limits)
            head = file.read(HEAD_BYTES)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:  # a loop of links among them
        raise FileMissing(f"The file {path.name!r} cannot be read: {error.strerror}.") from error
    return Identity(n_bytes, head, sha256)
