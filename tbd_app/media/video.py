"""Reading video through PyAV: the sandbox jobs `probe` and `decode`.

Frames are counted by demuxing, which is cheap and needs no trust in headers; a long video is decoded only
around the wanted frames. Where timestamps or seeking prove unreliable, one pass from the start settles it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from tbd_app.errors import CorruptMedia
from tbd_app.media import bounds, ffmpeg, interlaced, origin
from tbd_app.media.ffmpeg import Tally
from tbd_app.media.film import Film, Unreliable
from tbd_app.media.packets import MAX_INDEX_CHARS, PacketTimes, Timeline, planned, uniform_indices
from tbd_app.media.rendering import Renderer
from tbd_app.media.sandbox import Answer
from tbd_app.medium import Runs
from tbd_app.settings import Limits

HEADER_TELLS_DURATION = ("mov", "matroska", "avi", "asf", "flv")
LEAPING = ("mpegts", "mpeg", "ogg")  # containers whose clock may leap (AVFMT_TS_DISCONT of FFmpeg)
LOOKED_AT = 16  # frames by which `play` decides whether a video is interlaced


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
        warnings = _about(container, stream, line)
        aspect = ffmpeg.pixel_aspect(stream)
    if line.duration_s > limits.max_duration_s:
        raise bounds.too_long(limits, line.duration_s)
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        first = next(ffmpeg.decoded(container, stream, tally), None)
        if first is None or not len(line):
            raise CorruptMedia("No frame of the video can be decoded.")
        turns, _ = ffmpeg.orientation(first)
        width, height = ffmpeg.shown_size(first.width, first.height, aspect)
        bounds.check_frame(width, height, limits)
        width, height = (height, width) if turns % 2 else (width, height)
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
    tally, lost = Tally(), []
    line = Timeline.unpacked(index) if index else read_timeline(path, format_name, limits, tally)
    film = Film(path, format_name, limits, line, tally)
    found = len(line)
    _, picked = _picked(film, lambda times_s: [np.array(uniform_indices(len(times_s), n), int)])
    if (missing := found - len(film.times_s)) > 0:
        lost.append(f"{missing} of {found} frames of the video could not be decoded.")
    times = [float(film.times_s[i]) for i in picked]
    info = {"indices": list(picked), "times_s": times, "warnings": [*lost, *film.notes], "sent": tally.sent}
    return info, list(picked.values())


def decode_runs(
    *, limits: Limits, path: str, format_name: str, index: str, length: int, step_s: float, count: int
) -> Answer:
    """Sandbox job: runs of frames that follow each other; a run is decoded once, behind its seek.

    Returns:
        As `decode`, with "run", the number of the run that each frame belongs to.

    Raises:
        CorruptMedia: nothing can be decoded.
        TooManyPixels: a frame passes the limit.
    """
    tally, wanted = Tally(), Runs(length, step_s, count)
    line = Timeline.unpacked(index) if index else read_timeline(path, format_name, limits, tally)
    if not len(line):
        raise CorruptMedia("No frame of the video can be decoded.")
    film = Film(path, format_name, limits, line, tally)
    groups, picked = _picked(film, lambda times_s: planned(times_s, wanted))
    run_of = {int(i): number for number, group in enumerate(groups) for i in group}
    info = {
        "indices": list(picked),
        "times_s": [float(film.times_s[i]) for i in picked],
        "run": [run_of[i] for i in picked],
        "warnings": film.notes,
        "sent": tally.sent,
    }
    return info, list(picked.values())


def _picked(
    film: Film, plan: Callable[[np.ndarray], list[np.ndarray]]
) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
    """The frames of a plan, seeking; in one pass where seeking proves unreliable.

    Args:
        plan: from the times of all frames to groups of frame numbers.

    Returns:
        The groups, and the pictures by number, of those that could be decoded.

    Raises:
        CorruptMedia: nothing can be decoded.
    """
    found, groups = len(film.times_s), plan(film.times_s)
    try:
        return groups, film.pictures(_numbers(groups))
    except Unreliable:
        film.seeks = False
    picked = film.pictures(_numbers(groups))
    if 0 < len(film.times_s) != found:  # the true number of frames is known only now
        groups = plan(film.times_s)
        picked = film.pictures(_numbers(groups))
    if not picked:
        raise CorruptMedia("No frame of the video can be decoded.")
    return groups, picked


def _numbers(groups: Sequence[np.ndarray]) -> list[int]:
    return sorted({int(i) for group in groups for i in group})


def read_origin(*, limits: Limits, path: str, format_name: str, trusted: str) -> Answer:
    """Sandbox job: what the file says of its own origin; see `readers`."""
    return origin.of_video(path, format_name, limits, trusted), ()


def play(
    *, limits: Limits, path: str, format_name: str, fit: Callable[[int, int], tuple[int, int]]
) -> Iterator[tuple[float, np.ndarray]]:
    """All frames of a video in order, until the first damage that cannot be passed over; for jobs in the sandbox.

    Args:
        fit: from width and height, px, to those that are wanted, before the frame is turned upright.

    Yields:
        Seconds on the file's clock, from 0 where recordings are joined, and the frame (H,W,3) uint8 RGB, upright.

    Raises:
        NotMedia, TooManyPixels, CorruptMedia: as for `probe`.
    """
    line = read_timeline(path, format_name, limits, Tally())
    first = _first_field(Film(path, format_name, limits, line, Tally()))
    with ffmpeg.opened(path, format_name, limits) as (container, stream):
        render = Renderer(limits, fit, ffmpeg.pixel_aspect(stream))
        # The stream's clock: frames that the decoder gives up last carry none of their own.
        tick_s, interval_s = stream.time_base, 1 / ffmpeg.header_fps(stream)
        frames = enumerate(ffmpeg.decoded(container, stream, Tally()))
        for i, frame in frames if first is None else interlaced.whole(frames, first):
            pts = frame.pts
            if line.joined and i < len(line):
                time_s = float(line.times_s[i])
            else:
                time_s = i * interval_s if pts is None or tick_s is None else float(pts * tick_s)
            yield time_s, np.ascontiguousarray(render(frame))


def _first_field(film: Film) -> interlaced.Parity | None:
    some = uniform_indices(len(film.line), LOOKED_AT)
    try:
        return film.first_field(some)
    except Unreliable:
        film.seeks = False
        return film.first_field(some)


def read_timeline(path: str, format_name: str, limits: Limits, tally: Tally) -> Timeline:
    """When each frame is shown, of the whole file; for jobs in the sandbox."""
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
    leaps = container.format.name in LEAPING
    return Timeline.of(
        packets, float(stream.time_base or 0), ffmpeg.header_fps(stream), guessed=guessed, leaps=leaps
    )


def _about(container: InputContainer, stream: VideoStream, line: Timeline) -> list[str]:
    """Sentences on what else the file holds."""
    sentences = [ffmpeg.passed_over(container, stream)]
    if line.joined:
        sentences.append("The file holds several recordings, joined; their times follow each other here.")
    if stream.metadata.get("alpha_mode") == "1":
        sentences.append("The video has a transparent layer that is not read; what it hides may be seen.")
    return [text for text in sentences if text]


def _claimed_duration(container: InputContainer, stream: VideoStream) -> float:
    """What the header says of the video, in seconds; 0 when it says nothing (FFmpeg may still estimate)."""
    if not container.format.name.startswith(HEADER_TELLS_DURATION):
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1
    return (container.duration or 0) / av.time_base if alone else 0.0
