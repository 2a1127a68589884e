"""The video again, with a box and a few words about the verdict at every face: boxes move evenly between the sampled frames.

Decoding and encoding run in the sandbox, like all else that parses what a user brought; only the finished mp4
leaves it. The sound is decoded and encoded anew as well, so that nothing of the file itself is in the mp4.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec import Codec
from av.container import OutputContainer
from av.video.frame import VideoFrame

from tbd_app.errors import CorruptMedia, NotMedia
from tbd_app.languages import spoken
from tbd_app.media import answers, sandbox, sound, stills, video
from tbd_app.report import overlays, palette, texts
from tbd_app.settings import Limits
from tbd_app.types import Person, Report

MAX_SIDE = 1280  # px
TICKS = 90_000  # a second of the output's clock
FRAMES_PER_TIMEOUT = 1000  # frames, encoded within one decode timeout at the slowest
SAME_TIME_S = 1e-3
SOUND_BITS = 128_000  # a second

PLAYERS = {"video": video.play, "image": stills.play}


def ffmpeg_version() -> str:
    """The FFmpeg that reads and writes video here, or an error when it cannot write H.264."""
    Codec("libx264", "w")
    return f"{av.ffmpeg_version_info} inside PyAV {av.__version__}, with libx264"


def write(report: Report, media_path: Path, out_path: Path, limits: Limits | None = None) -> bool:
    """Write the annotated mp4 (H.264, 1280 px at most, upright; the sound as AAC).

    Args:
        report: of the file at `media_path`.
        out_path: replaced when it exists, and only by a complete file.

    Returns:
        Whether the file has sound that could not be read and is missing.

    Raises:
        NotMedia: the report is not about a video.
        CorruptMedia, DecodeTimeout, TooManyPixels: it cannot be decoded again.
    """
    if report.media.kind != "video":
        raise NotMedia("There is no annotated video of something that is not a video.")
    limits = limits or Limits.from_env()
    patience = 1 + report.media.n_frames / FRAMES_PER_TIMEOUT
    info, arrays = sandbox.run(
        annotate,
        replace(limits, decode_timeout_s=limits.decode_timeout_s * patience),
        path=str(media_path.absolute()),
        cpu_s=limits.decode_timeout_s * patience * (os.cpu_count() or 1),
        reader=report.media.content.reader,
        format_name=report.media.content.format,
        tracks=[_track(p, report) for p in report.people],
    )
    film, is_mute = answers.film(info, arrays)
    part = out_path.with_suffix(".part")
    part.write_bytes(film)
    part.replace(out_path)
    return is_mute


def annotate(
    *, limits: Limits, path: str, reader: str, format_name: str, tracks: list[dict[str, Any]]
) -> sandbox.Answer:
    """Sandbox job: decode, draw, encode.

    Args:
        reader: `Content.reader`, a key of `PLAYERS`.
        format_name: `Content.format`; nothing else is tried.
        tracks: what `_track` gives.

    Returns:
        `{"bytes", "frames", "mute"}` and the mp4 in one array, padded to whole pixels; "mute" says that there is sound
        which could not be read.

    Raises:
        CorruptMedia: no frame can be decoded.
        NotMedia, TooManyPixels: as for the first look at the file.
    """
    frames = PLAYERS[reader](limits=limits, path=path, format_name=format_name, fit=_fit)
    heard = sound.Sound(path, format_name, limits) if reader == "video" else None
    buffer, n_frames, last, start_s = io.BytesIO(), 0, -1, 0.0
    with av.open(buffer, "w", format="mp4") as out:
        stream = beside = None
        for file_s, image in frames:
            if stream is None or beside is None:
                start_s = file_s
                stream = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "23"})
                stream.width, stream.height = (side // 2 * 2 for side in image.shape[1::-1])
                stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, TICKS)
                beside = _Beside(out, heard.frames(start_s) if heard else iter(()))
            time_s = file_s - start_s
            boxes = [box for track in tracks if (box := _box_at(track, time_s, image.shape))]
            drawn = overlays.draw(image, boxes)
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(drawn), format="rgb24")
            last = max(last + 1, round(time_s * TICKS))
            frame.pts, frame.time_base = last, Fraction(1, TICKS)
            out.mux(stream.encode(frame.reformat(stream.width, stream.height, "yuv420p")))
            beside.until(time_s)
            n_frames += 1
        if stream is None or beside is None:
            raise CorruptMedia("No frame of the video can be decoded.")
        out.mux(stream.encode())
        beside.until(math.inf)
    data = buffer.getvalue()
    pixels = np.frombuffer(data + bytes(-len(data) % 3), np.uint8).reshape(1, -1, 3)
    mute = heard is not None and heard.there and not beside.any
    return {"bytes": len(data), "frames": n_frames, "mute": mute}, [pixels]


class _Beside:
    """The sound of an mp4 that is being written, beside its pictures.

    Args:
        frames: sound that starts with the pictures.

    Attributes:
        any: whether there is any.
    """

    def __init__(self, out: OutputContainer, frames: Iterator[AudioFrame]) -> None:
        self._out, self._frames, self._next = out, frames, next(frames, None)
        self._stream: AudioStream | None = None
        if self._next is not None:  # before anything is written: streams are named at the head of a file
            made = out.add_stream("aac", rate=sound.RATE, layout=self._next.layout.name)
            made.bit_rate = SOUND_BITS
            self._stream = made
        self.any = self._stream is not None

    def until(self, time_s: float) -> None:
        """Write what is heard up to a time; all that is left where it has no end."""
        if self._stream is None:
            return
        while self._next is not None and (self._next.time or 0.0) <= time_s:
            self._out.mux(self._stream.encode(self._next))
            self._next = next(self._frames, None)
        if math.isinf(time_s):
            self._out.mux(self._stream.encode())


def _fit(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))


def _track(person: Person, report: Report) -> dict[str, Any]:
    """One person as plain data: boxes as shares of the width and height of the frames in which they were measured."""
    with spoken("en"):  # the letters that OpenCV has
        caption = texts.person_caption(person, report)
    return {
        "times_s": list(person.times_s),
        "positions": person.track.positions.tolist(),
        "boxes": (person.track.boxes / np.array(report.frames.size * 2)).tolist(),
        "caption": caption,
        "colour": palette.person(person.track.track_id),
    }


def _box_at(track: dict[str, Any], time_s: float, shape: tuple[int, ...]) -> overlays.Box | None:
    """Where the person is at a time, between the sampled frames; None while out of sight."""
    times = np.asarray(track["times_s"])
    after = int(np.searchsorted(times, time_s - SAME_TIME_S))
    if after == len(times):
        return None
    at_sample = time_s >= times[after] - SAME_TIME_S
    positions = track["positions"]
    if not at_sample and (after == 0 or positions[after] - positions[after - 1] > 1):
        return None
    boxes = np.asarray(track["boxes"])
    share = np.array([np.interp(time_s, times, boxes[:, k]) for k in range(4)])
    height, width = shape[:2]
    return overlays.Box(share * [width, height, width, height], track["caption"], track["colour"])
