"""Reading video through PyAV: the sandbox jobs `probe` and `decode`.

Frames are counted by demuxing, which is cheap and needs no trust in headers; a long video is decoded only
around the wanted frames. Where timestamps or seeking prove unreliable, one pass from the start settles it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tbd_app.errors import CorruptMedia
from tbd_app.media import bounds, confined, ffmpeg
from tbd_app.media.ffmpeg import Tally
from tbd_app.media.packets import MAX_INDEX_CHARS, PacketTimes, Timeline, uniform_indices
from tbd_app.media.sandbox import Answer
from tbd_app.settings import Limits

SEEK_GAIN = 8  # frames; a seek drains the decoder's threads, which costs about as much
HEADER_TELLS_DURATION = ("mov", "matroska", "avi", "asf", "flv")


def probe(*, limits: Limits, path: str, format_name: str) -> Answer:
    """Sandbox job: count the frames of a video and decode its first; see `readers`.

    Args:
        format_name: of FFmpeg's demuxer; no other is tried.

    Returns:
        The fields of `Media` that come from content, and no arrays.

    Raises:
        NotMedia: no video stream, or no decoder for it.
        TooLong, TooManyPixels: a limit is passed.
        CorruptMedia: nothing can be decoded.
    """
    tally = Tally()
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        codec = stream.codec_context.codec.canonical_name
        line = _timeline(container, stream, tally)
        claimed_s = _claimed_duration(container, stream)
    if line.duration_s > limits.max_duration_s:
        raise bounds.too_long(limits, line.duration_s)
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        first = next(ffmpeg.decoded(container, stream, tally), None)
        if first is None or not len(line):
            raise CorruptMedia("No frame of the video can be decoded.")
        turns, _ = ffmpeg.orientation(first)
        width, height = (first.height, first.width) if turns % 2 else (first.width, first.height)
    warnings = []
    if tally.cut or claimed_s > max(1.02 * line.duration_s, line.duration_s + 0.2):
        promised = f" of {claimed_s:.1f} s" if claimed_s > line.duration_s else ""
        warnings.append(
            f"The file is cut short or damaged: {line.duration_s:.1f} s{promised} can be read, and are used."
        )
    return {
        "kind": "video",
        "width": width,
        "height": height,
        "fps": len(line) / line.duration_s,
        "duration_s": line.duration_s,
        "n_frames": len(line),
        "codec": codec,
        "rotation_deg": 90 * turns,
        "warnings": warnings,
        "index": index if len(index := line.packed()) <= MAX_INDEX_CHARS else "",
    }, ()


def decode(*, limits: Limits, path: str, format_name: str, n_frames: int, n: int, index: str) -> Answer:
    """Sandbox job: up to `n` frames of a video, uniformly over the timeline; see `readers`.

    Returns:
        `{"indices", "times_s", "warnings", "sent"}` and as many arrays (H,W,3) uint8 RGB; `sent` counts the
        packets given to the decoder.

    Raises:
        CorruptMedia: nothing can be decoded.
        TooManyPixels: a frame passes the limit.
    """
    tally, warnings = Tally(), []
    line = Timeline.unpacked(index) if index else _read_timeline(path, format_name, limits, tally)
    found, indices = len(line), uniform_indices(len(line), n)
    render = _Renderer(limits, len(indices))
    try:
        with ffmpeg.opened(path, format_name, limits) as (container, stream):
            arrays = [render(f) for f in _seek(container, stream, line, indices, tally)]
        times_s = line.times_s
    except _Unreliable:
        picked, times_s = _one_pass(path, format_name, limits, n, found, tally, render)
        if len(times_s) != found:  # the true number of frames is known only now
            picked, times_s = _one_pass(path, format_name, limits, n, len(times_s), tally, render)
        if not picked:
            raise CorruptMedia("No frame of the video can be decoded.") from None
        indices, arrays = list(picked), list(picked.values())
        if len(times_s) < found:
            warnings.append(f"{found - len(times_s)} of {found} frames of the video could not be decoded.")
    if render.reduced:
        warnings.append(bounds.reduced_warning(limits))
    times = [float(times_s[i]) for i in indices]
    return {"indices": indices, "times_s": times, "warnings": warnings, "sent": tally.sent}, arrays


def play(
    *, limits: Limits, path: str, format_name: str, fit: Callable[[int, int], tuple[int, int]]
) -> Iterator[tuple[float, np.ndarray]]:
    """All frames of a video in order, until the first damage that cannot be passed over; for jobs in the sandbox.

    Args:
        fit: from width and height, px, to those that are wanted, before the frame is turned upright.

    Yields:
        Seconds since the first frame, and the frame (H,W,3) uint8 RGB, upright.

    Raises:
        NotMedia, TooManyPixels, CorruptMedia: as for `probe`.
    """
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        # The stream's clock: frames that the decoder gives up last carry none of their own.
        start_s, tick_s, interval_s = None, stream.time_base, 1 / ffmpeg.header_fps(stream)
        for i, frame in enumerate(ffmpeg.decoded(container, stream, Tally())):
            bounds.check_frame(frame.width, frame.height, limits)
            rgb = frame.reformat(*fit(frame.width, frame.height), "rgb24").to_ndarray()
            pts = frame.pts
            time_s = i * interval_s if pts is None or tick_s is None else float(pts * tick_s)
            start_s = time_s if start_s is None else start_s
            yield time_s - start_s, np.ascontiguousarray(ffmpeg.upright(rgb, frame))


class _Unreliable(Exception):
    """The timestamps or the seeking of this file do not lead to the wanted frames."""


class _Renderer:
    """Turns decoded frames into upright RGB arrays that fit in the memory limit together."""

    def __init__(self, limits: Limits, n_frames: int) -> None:
        self.limits = limits
        self.max_bytes = limits.max_decoded_mb * 1e6 / max(n_frames, 1)
        self.reduced = False

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """(H,W,3) uint8 RGB.

        Raises:
            TooManyPixels: the frame passes the limit.
        """
        bounds.check_frame(frame.width, frame.height, self.limits)
        width, height = bounds.fitted_size(frame.width, frame.height, self.max_bytes)
        kind = "BILINEAR" if width == frame.width else "AREA"
        self.reduced = self.reduced or kind == "AREA"
        rgb = frame.reformat(width, height, "rgb24", interpolation=kind).to_ndarray()
        return confined.keep(ffmpeg.upright(rgb, frame))


def _read_timeline(path: str, format_name: str, limits: Limits, tally: Tally) -> Timeline:
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        return _timeline(container, stream, tally)


def _timeline(container: InputContainer, stream: VideoStream, tally: Tally) -> Timeline:
    packets, last_is_whole = [], True
    for packet in ffmpeg.packets(container, stream, tally):
        # VP8 keeps hidden reference frames in packets of their own: bit 4 of the first byte says "show".
        hidden = stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10
        if not packet.is_discard and not hidden:
            packets.append(PacketTimes(packet.pts, packet.dts, packet.is_keyframe, packet.duration or 0))
            last_is_whole = not packet.is_corrupt
    if not last_is_whole:
        tally.cut = True
        packets.pop()
    # AVI has no presentation times: for codecs that reorder, FFmpeg's are a guess.
    guessed = container.format.name == "avi" and stream.codec_context.name in ("h264", "hevc")
    return Timeline.of(packets, float(stream.time_base or 0), ffmpeg.header_fps(stream), guessed=guessed)


def _claimed_duration(container: InputContainer, stream: VideoStream) -> float:
    """What the header says of the video, in seconds; 0 when it says nothing (FFmpeg may still estimate)."""
    if not container.format.name.startswith(HEADER_TELLS_DURATION):
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1
    return (container.duration or 0) / av.time_base if alone else 0.0


def _seek(
    container: InputContainer, stream: VideoStream, line: Timeline, indices: list[int], tally: Tally
) -> Iterator[VideoFrame]:
    """The frames with these increasing numbers, each from the nearest keyframe where that saves decoding.

    Raises:
        _Unreliable: one of them does not turn up at its time.
    """
    if not line.trusted:
        raise _Unreliable
    frames, behind, last = ffmpeg.decoded(container, stream, tally), -tally.sent, None
    for packet in (int(line.order[i]) for i in indices):
        key = line.key_before(packet)
        if key > tally.sent + behind + SEEK_GAIN:
            try:
                container.seek(int(line.seek_pts[key]), stream=stream)
            except FFmpegError:
                raise _Unreliable from None
            frames = ffmpeg.decoded(container, stream, tally, int(line.pts[key]))
            behind, last = key - tally.sent, None
        for frame in frames:
            in_order = frame.pts is not None and (last is None or frame.pts > last)
            if not in_order or frame.pts > line.pts[packet]:
                raise _Unreliable
            last = frame.pts
            if frame.pts == line.pts[packet]:
                yield frame
                break
        else:
            raise _Unreliable


def _one_pass(
    path: str, format_name: str, limits: Limits, n: int, n_frames: int, tally: Tally, render: _Renderer
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Decode all: the pictures wanted from `n_frames` frames, and the times of all frames that there are."""
    confined.start_over()
    wanted, picked, ticks = set(uniform_indices(n_frames, n)) if n_frames else set(), {}, []
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        for i, frame in enumerate(ffmpeg.decoded(container, stream, tally)):
            ticks.append(frame.pts)
            if i in wanted:
                picked[i] = render(frame)
        tick, fps = stream.time_base, ffmpeg.header_fps(stream)
    if None in ticks or tick is None or len(set(ticks)) < len(ticks):
        return picked, np.arange(len(ticks)) / fps
    # Sorted, for where the times are those of decoding: they lie on the same grid.
    return picked, (np.sort(ticks) - min(ticks, default=0)) * float(tick)
