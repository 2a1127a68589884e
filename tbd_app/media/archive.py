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
import struct
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
MAX_NOTES = 40  # sentences about single frames
NAMED = 3  # as many files that are left out are named
DOCUMENTS = {
    "[content_types].xml": "an office document",
    "mimetype": "an office document or an e-book",
    "androidmanifest.xml": "an Android app",
    "meta-inf/manifest.mf": "a Java program",
}
CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}

# What `zipfile` raises for damaged bytes; a name that is no UTF-8 is a ValueError.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, OSError, ValueError,
)  # fmt: skip

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
        NotMedia: it holds no picture, or is a document or a program that happens to be a zip.
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
    warnings: list[str] = []
    max_bytes = bounds.frame_bytes(len(indices), limits)
    with _opened(path) as archive:
        frames, _ = _frames(archive, limits)
        for i in indices:
            try:
                read[i], notes = _read(archive, *frames[i], limits, max_bytes)
                warnings += (_note(text, frames[i][0], limits) for text in notes)
            except (CorruptMedia, NotMedia) as error:
                warnings.append(f"Frame {_shown(frames[i][0])} was skipped: {error.message}")
    if not read:
        raise CorruptMedia("No frame of the zip can be read.")
    said = list(dict.fromkeys(warnings))[:MAX_NOTES]
    info = {"indices": list(read), "times_s": [float(i) for i in read], "warnings": said}
    return info, list(read.values())


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise CorruptMedia("The zip is damaged or cut short.") from error
    with archive:
        yield archive


def _frames(archive: zipfile.ZipFile, limits: Limits) -> tuple[list[Frame], list[str]]:
    """The members that are pictures, in natural order of names, and a sentence on what was left out."""
    members = archive.infolist()
    for member in members:
        _check_safe(member)
    # `is_dir` of older Pythons fails where a name is empty.
    members = [m for m in members if m.filename and not m.is_dir() and not _is_clutter(m)]
    _check_sizes(members, os.path.getsize(str(archive.filename)), limits)
    named = {m.filename.lower() for m in members}
    if kind := next((kind for name, kind in DOCUMENTS.items() if name in named), ""):
        raise NotMedia(f"This is {kind}, which is not read here; give a zip of frames.")
    maybe = [m for m in members if _suffix(m) not in NOTES]
    if len(maybe) > limits.max_zip_frames:
        raise TooManyFrames(
            f"A zip may hold {limits.max_zip_frames} frames at most, this one holds {len(maybe)}.",
            limit=limits.max_zip_frames,
            value=len(maybe),
        )
    found = [(m, _plugin(archive, m)) for m in sorted(maybe, key=lambda m: natural_key(m.filename))]
    frames = [(m, plugin) for m, plugin in found if plugin is not None]
    others = [m for m in members if all(m is not frame for frame, _ in frames)]
    if not frames:
        holds = f" It holds {_listed(others)}." if others else ""
        raise NotMedia(f"The zip holds no picture; give a zip of frames.{holds}")
    left_out = f"Left out of the zip, because they are no pictures: {_listed(others)}."
    return frames, [left_out] if others else []


def _listed(members: list[zipfile.ZipInfo]) -> str:
    """The first names, and how many more there are."""
    names = ", ".join(_shown(m) for m in members[:NAMED])
    return names + (f" and {len(members) - NAMED} more" if len(members) > NAMED else "")


def _plugin(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    """Pillow's plugin for a member, "" for one that only its name calls a picture, None for another file."""
    try:
        with archive.open(member) as stream:
            content = sniff(stream.read(HEAD_BYTES))
    except DAMAGE:
        content = Content("other", "")
    if content.reader == "zip" or content.format == OTHER_ARCHIVE or _suffix(member) in ARCHIVES:
        raise NestedZip(f"The zip holds another archive, {_shown(member)}; give the frames directly.")
    if content.reader == "image":
        return content.format
    return "" if _suffix(member) in PICTURES else None


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
) -> tuple[np.ndarray, list[str]]:
    if not plugin:
        raise CorruptMedia("Its content is not a picture.")
    try:
        content = archive.read(member)
    except DAMAGE as error:
        raise CorruptMedia("Its bytes are damaged.") from error
    return stills.read(content, plugin, limits, max_bytes)


def _note(text: str, member: zipfile.ZipInfo, limits: Limits) -> str:
    """A sentence on one frame, with its name; one that is about all is said once."""
    return text if text == bounds.reduced_warning(limits) else f"Frame {_shown(member)}: {text}"


def _shown(member: zipfile.ZipInfo) -> str:
    """The member's name, short and harmless enough for a message."""
    return repr(member.filename[-60:])[:100]
