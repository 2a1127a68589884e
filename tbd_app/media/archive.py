"""A zip of frames, read member by member in memory: nothing is ever written under a name that the zip gives.

Runs in the sandbox. `zipfile` never hands out more bytes than a member's header claims, and checks its CRC:
the claimed sizes are true upper bounds, and a header that lies makes its own frame unreadable, nothing else.
"""

from __future__ import annotations

import lzma
import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import numpy as np

from tbd_app.errors import (
    CorruptMedia,
    EncryptedZip,
    NestedZip,
    NotMedia,
    TooLarge,
    TooManyFrames,
    UnpackRatio,
    UnsafeZipPath,
)
from tbd_app.media import bounds, stills
from tbd_app.media.packets import uniform_indices
from tbd_app.media.sandbox import Answer
from tbd_app.media.sniff import HEAD_BYTES, OTHER_ARCHIVE, sniff
from tbd_app.settings import Limits
from tbd_app.types import Content

RATIO_FLOOR_BYTES = 1_000_000  # a few plain bitmaps pack better than any limit and do no harm
BYTES_PER_PIXEL = 8  # 16-bit RGBA: no picture within the pixel limit unpacks to more
ENCRYPTED = 0x1 | 0x40 | 0x2000  # flag bits: encrypted, strongly encrypted, encrypted directory
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"}
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
NOTES = {".txt", ".json", ".csv", ".md", ".log"}
CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}

DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)

Frame = tuple[zipfile.ZipInfo, str]  # member and Pillow plugin, "" when its content is no picture


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key that puts frame2 before frame10, without regard to case."""
    # Digits compare by length, then text: names may hold more digits than int() takes.
    parts = re.split(r"([0-9]+)", name.lower())
    return [(len(p.lstrip("0")), p.lstrip("0")) if i % 2 else (0, p) for i, p in enumerate(parts)]


def probe(*, limits: Limits, path: str, format_name: str) -> Answer:
    """Sandbox job: look at a zip of frames; see `readers`.

    Returns:
        The fields of `Media` that come from content (size and codec of the first readable frame), no arrays.

    Raises:
        EncryptedZip, UnsafeZipPath, NestedZip: what such a zip must not be.
        TooManyFrames, TooLarge, UnpackRatio, TooManyPixels: a limit is passed.
        NotMedia: it holds no picture, or something that is neither a picture nor a note.
        CorruptMedia: the zip is damaged, or no frame can be read.
    """
    with _opened(path) as archive:
        frames, warnings = _frames(archive, limits)
        error: Exception = CorruptMedia("No frame of the zip can be read.")
        for member, plugin in frames:
            try:
                image, _ = _read(archive, member, plugin, limits, math.inf)
            except (CorruptMedia, NotMedia) as caught:
                error = caught
                continue
            height, width = image.shape[:2]
            info = {"kind": "frames", "width": width, "height": height, "fps": None, "duration_s": None}
            info |= {"n_frames": len(frames), "codec": plugin.lower(), "rotation_deg": 0}
            return {**info, "warnings": warnings}, ()
        raise error


def decode(*, limits: Limits, path: str, format_name: str, n_frames: int, n: int, index: str) -> Answer:
    """Sandbox job: up to `n` frames, in natural order of names; see `readers`.

    Returns:
        `{"indices", "times_s", "warnings"}` and as many arrays (H,W,3) uint8 RGB;
        unreadable frames are left out.

    Raises:
        CorruptMedia: none of them can be read.
    """
    indices = uniform_indices(n_frames, n)
    read: dict[int, np.ndarray] = {}
    warnings, reduced = [], False
    max_bytes = limits.max_decoded_mb * 1e6 / len(indices)
    with _opened(path) as archive:
        frames, _ = _frames(archive, limits)
        for i in indices:
            try:
                read[i], small = _read(archive, *frames[i], limits, max_bytes)
                reduced = reduced or small
            except (CorruptMedia, NotMedia) as error:
                warnings.append(f"Frame {_shown(frames[i][0])} was skipped: {error.message}")
    if not read:
        raise CorruptMedia("No frame of the zip can be read.")
    if reduced:
        warnings.append(bounds.reduced_warning(limits))
    info = {"indices": list(read), "times_s": [float(i) for i in read], "warnings": warnings}
    return info, list(read.values())


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise CorruptMedia("The zip is damaged or cut short.") from error


def _frames(archive: zipfile.ZipFile, limits: Limits) -> tuple[list[Frame], list[str]]:
    """The members that are pictures, in natural order of names, and a sentence on what was left out."""
    members = archive.infolist()
    for member in members:
        _check_safe(member)
    members = [m for m in members if not m.is_dir() and not _is_clutter(m)]
    _check_sizes(members, os.path.getsize(str(archive.filename)), limits)
    others = [m for m in members if _suffix(m) not in NOTES]
    if len(others) > limits.max_zip_frames:
        raise TooManyFrames(
            f"A zip may hold {limits.max_zip_frames} frames at most, this one holds {len(others)}.",
            limit=limits.max_zip_frames,
            value=len(others),
        )
    if not others:
        raise NotMedia("The zip holds no picture; give a zip of frames.")
    frames = [_frame(archive, m) for m in sorted(others, key=lambda m: natural_key(m.filename))]
    n_notes = len(members) - len(others)
    return frames, [f"{n_notes} file(s) in the zip are not pictures and were left out."] if n_notes else []


def _frame(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Frame:
    try:
        with archive.open(member) as stream:
            content = sniff(stream.read(HEAD_BYTES))
    except DAMAGE:
        content = Content("other", "")
    if content.reader == "zip" or content.format == OTHER_ARCHIVE or _suffix(member) in ARCHIVES:
        raise NestedZip(f"The zip holds another archive, {_shown(member)}; give the frames directly.")
    if content.reader == "image":
        return member, content.format
    if _suffix(member) in PICTURES:
        return member, ""
    raise NotMedia(f"The zip holds {_shown(member)}, which is not a picture; give a zip of frames.")


def _check_safe(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        raise UnsafeZipPath(f"The zip holds a path that leaves its folder, {_shown(member)}.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UnsafeZipPath(f"The zip holds a link, {_shown(member)}.")
    if member.flag_bits & ENCRYPTED:
        raise EncryptedZip("The zip is protected by a password; give it without one.")


def _check_sizes(members: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    # Against the size of the whole file, so that members which share their packed bytes do not look small.
    total = sum(m.file_size for m in members)
    ratio = total / max(packed, 1)
    if total > RATIO_FLOOR_BYTES and ratio > limits.max_unpack_ratio:
        raise UnpackRatio(
            f"The zip unpacks to {ratio:.0f} times its size; {limits.max_unpack_ratio:g} times is allowed.",
            limit=limits.max_unpack_ratio,
            value=round(ratio, 1),
        )
    if total > limits.max_unpacked_mb * 1e6:
        raise TooLarge(
            f"The zip unpacks to {total / 1e6:.0f} MB, {limits.max_unpacked_mb:g} MB at most is allowed.",
            limit=limits.max_unpacked_mb,
            value=round(total / 1e6, 3),
        )
    largest = max((m.file_size for m in members), default=0) / 1e6
    bound = limits.max_image_mpx * BYTES_PER_PIXEL
    if largest > bound:
        raise TooLarge(
            f"A frame of the zip unpacks to {largest:.0f} MB, {bound:g} MB at most is allowed.",
            limit=bound,
            value=round(largest, 3),
        )


def _suffix(member: zipfile.ZipInfo) -> str:
    return PurePosixPath(member.filename).suffix.lower()


def _is_clutter(member: zipfile.ZipInfo) -> bool:
    return any(p.startswith(".") or p in CLUTTER for p in member.filename.lower().split("/"))


def _read(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, plugin: str, limits: Limits, max_bytes: float
) -> tuple[np.ndarray, bool]:
    if not plugin:
        raise CorruptMedia("Its content is not a picture.")
    try:
        content = archive.read(member)
    except DAMAGE as error:
        raise CorruptMedia("Its bytes are damaged.") from error
    return stills.read(content, plugin, limits, max_bytes)


def _shown(member: zipfile.ZipInfo) -> str:
    """The member's name, short and harmless enough for a message."""
    return repr(member.filename[-80:])
