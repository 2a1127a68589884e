"""What a confined child says, checked before anything is built of it: types, ranges, and whether it fits together.

The child has parsed a stranger's bytes and may do what these wanted, so its answer is as little trusted as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn, get_args

import numpy as np

from tbd_app import errors
from tbd_app.errors import CorruptMedia
from tbd_app.media.packets import MAX_INDEX_CHARS
from tbd_app.settings import Limits
from tbd_app.types import Content, Frames, ManifestState, Media, OriginHint

MAX_WARNINGS, MAX_SENTENCE = 100, 500
KINDS = {"video": ("video",), "image": ("image", "video"), "zip": ("frames",)}  # by reader
MAX_WORDS, MAX_LIST = 120, 20  # characters of a string, entries of a list, in what a file says of its origin
METADATA = ("make", "model", "software", "encoder", "created")
MANIFEST_STATES = get_args(ManifestState)
HINTS = get_args(OriginHint)
FIELDS = set("kind width height fps duration_s n_frames codec rotation_deg warnings".split())


def media_fields(info: dict[str, Any], content: Content, n_bytes: int, limits: Limits) -> dict[str, Any]:
    """The answer of a `Probe`, as arguments of `Media`.

    Args:
        content: what the file was recognised as.
        n_bytes: of the file.

    Raises:
        CorruptMedia: it cannot be true.
    """
    index = info.pop("index", "")
    _require(info.keys() == FIELDS and info["kind"] in KINDS[content.reader])
    kind, width, height, n_frames = (info[k] for k in ("kind", "width", "height", "n_frames"))
    most_mpx = limits.max_frame_mpx if kind == "video" else limits.max_image_mpx
    _require(_is_whole(width, 1) and _is_whole(height, 1) and width * height <= most_mpx * 1e6)
    # A frame takes a byte at least.
    most_frames = {"video": n_bytes, "image": 1, "frames": limits.max_zip_frames}[kind]
    _require(_is_whole(n_frames, 1, most_frames))
    fps, duration_s = info["fps"], info["duration_s"]
    if kind == "video":
        _require(_is_number(fps) and _is_number(duration_s) and 0 < duration_s <= limits.max_duration_s)
        _require(math.isclose(fps * duration_s, n_frames, rel_tol=1e-6))
    else:
        _require(fps is None and duration_s is None)
    codec, rotation = info["codec"], info["rotation_deg"]
    _require(isinstance(codec, str) and re.fullmatch(r"[a-z0-9_.+-]{1,40}", codec) is not None)
    _require(_is_whole(rotation, 0, 270) and rotation % 90 == 0)
    _require(isinstance(index, str) and len(index) <= MAX_INDEX_CHARS)
    found = Content(content.reader, content.format, index)
    return info | {"content": found, "warnings": _sentences(info["warnings"])}


def frames(
    info: dict[str, Any], images: Sequence[np.ndarray], media: Media, n: int, limits: Limits
) -> Frames:
    """The answer of a `Decode`.

    Args:
        images: the arrays that came with it, (H,W,3) uint8.
        media: what was decoded.
        n: how many frames were wanted.

    Raises:
        CorruptMedia: it cannot be true.
    """
    _require({"indices", "times_s", "warnings"} <= info.keys())
    indices, times = info["indices"], info["times_s"]
    _require(isinstance(indices, list) and isinstance(times, list))
    _require(1 <= len(images) <= n and len(indices) == len(times) == len(images))
    most = (
        media.n_frames if media.kind != "video" else media.bytes
    )  # decoding may find more frames than packets
    _require(all(_is_whole(i, 0, most - 1) for i in indices) and all(a < b for a, b in pairwise(indices)))
    _require(all(_is_number(t) and t >= 0 for t in times) and all(a <= b for a, b in pairwise(times)))
    most_mpx = limits.max_frame_mpx if media.kind == "video" else limits.max_image_mpx
    _require(all(a.shape[0] * a.shape[1] <= most_mpx * 1e6 for a in images))
    return Frames(
        images=tuple(images),
        indices=np.array(indices, np.int64),
        times_s=np.array(times, np.float64),
        requested=n,
        warnings=_sentences(info["warnings"]),
    )


def run_numbers(info: dict[str, Any], n_frames: int, count: int) -> list[int]:
    """Which run each frame of a `DecodeRuns` belongs to.

    Args:
        n_frames: that came with it.
        count: how many runs were wanted.

    Raises:
        CorruptMedia: it cannot be true.
    """
    said = info.get("run")
    run: list[int] = said if isinstance(said, list) else []
    _require(isinstance(said, list) and len(run) == n_frames)
    _require(all(_is_whole(r, 0, count - 1) for r in run) and all(a <= b for a, b in pairwise(run)))
    return run


def film(info: dict[str, Any], arrays: Sequence[np.ndarray]) -> tuple[bytes, bool]:
    """The answer of the job that makes the annotated video: a file, padded to whole pixels.

    Returns:
        The file, and whether sound is missing from it.

    Raises:
        CorruptMedia: it cannot be true.
    """
    _require(len(arrays) == 1 and _is_whole(info.get("bytes"), 1, arrays[0].size))
    _require(type(info.get("mute")) is bool)
    return arrays[0].tobytes()[: info["bytes"]], info["mute"]


def clean(text: Any) -> str | None:
    """What a file says, as a short printable string; None for nothing."""
    if text is None:
        return None
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    words = (
        "".join(c if c.isprintable() else " " for c in words[: 4 * MAX_WORDS])
        .encode("utf-8", "replace")
        .decode()
    )
    return " ".join(words.split())[:MAX_WORDS].strip() or None


def manifest(
    state: ManifestState,
    *,
    reader: str | None = None,
    trust_list: dict[str, Any] | None = None,
    signer: Any = None,
    signed_at: Any = None,
    program: Any = None,
    actions: Sequence[Any] = (),
    generated: bool = False,
    problems: Sequence[Any] = (),
) -> dict[str, Any]:
    """What is said of a C2PA manifest, within bounds; see `report/schema.json`."""
    return {
        "state": state,
        "reader": reader,
        "trust_list": trust_list,
        "signer": clean(signer),
        "signed_at": clean(signed_at),
        "program": clean(program),
        "actions": [text for a in list(actions)[:MAX_LIST] if (text := clean(a))],
        "said_to_be_generated": generated,
        "problems": [text for p in list(problems)[:MAX_LIST] if (text := clean(p))],
    }


def provenance(info: dict[str, Any], *, with_list: bool = False) -> dict[str, Any]:
    """The answer of an `Origin`.

    Args:
        with_list: trusted signers were named.

    Raises:
        CorruptMedia: it cannot be true.
    """
    _require(info.keys() == {"manifest", "metadata", "hints"})
    said, metadata, hints = info["manifest"], info["metadata"], info["hints"]
    _require(isinstance(said, dict) and said.keys() == manifest("absent").keys())
    _require(said["state"] in MANIFEST_STATES and _is_listing(said["trust_list"], with_list))
    _require(type(said["said_to_be_generated"]) is bool)
    _require(isinstance(metadata, dict) and metadata.keys() == set(METADATA))
    _require(isinstance(hints, list) and len(hints) <= len(HINTS) and all(hint in HINTS for hint in hints))
    lists = [said["actions"], said["problems"]]
    _require(all(isinstance(texts, list) and len(texts) <= MAX_LIST for texts in lists))
    single = [said[k] for k in ("reader", "signer", "signed_at", "program")] + list(metadata.values())
    texts = [text for text in single if text is not None] + [text for texts in lists for text in texts]
    _require(all(isinstance(t, str) and 0 < len(t) <= MAX_WORDS and t.isprintable() for t in texts))
    return info


def error_fields(error: Any) -> dict[str, Any]:
    """What a child says of an error, as arguments of `TBDError` and its `code`.

    Raises:
        CorruptMedia: it is no such thing.
    """
    _require(
        isinstance(error, dict)
        and {"code", "message"} <= error.keys() <= {"code", "message", "limit", "value"}
    )
    _sentences([error["code"], error["message"]])
    _require(all(_is_number(error[k]) for k in ("limit", "value") if k in error))
    return error


def raise_again(error: Any) -> NoReturn:
    """Raises what a child says of an error, as the class that has its code.

    Raises:
        InputError: that error, or `CorruptMedia` where it is none.
    """
    fields = error_fields(error)
    kinds = (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.InputError))
    kind = {c.code: c for c in kinds}.get(fields["code"], CorruptMedia)
    raise kind(fields["message"], limit=fields.get("limit"), value=fields.get("value"))


def _is_listing(value: Any, with_list: bool) -> bool:
    """Whether it says if a signer is listed, or says nothing where there is no list."""
    if not with_list:
        return value is None
    return (
        isinstance(value, dict)
        and value.keys() == {"signer_listed"}
        and type(value["signer_listed"]) in (bool, type(None))
    )


def _require(holds: bool) -> None:
    if not holds:
        raise CorruptMedia("The decoder's answer cannot be true; the file is damaged or made to do harm.")


def _is_whole(value: Any, least: int, most: float = math.inf) -> bool:
    return type(value) is int and least <= value <= most  # True is an int, too


def _is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return type(value) in (int, float) and abs(value) < 1e300


def _sentences(value: Any) -> tuple[str, ...]:
    """Warnings for people: a few, short, without characters that steer a terminal."""
    _require(isinstance(value, list) and len(value) <= MAX_WARNINGS)
    _require(
        all(isinstance(text, str) and len(text) <= MAX_SENTENCE and text.isprintable() for text in value)
    )
    return tuple(value)
