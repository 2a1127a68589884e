"""Interlaced video: whether two fields of different times are woven into its frames, and whole frames made of them.

A flag alone decides nothing, because progressive film is often stored as if it were interlaced, and interlaced film
encoded again loses its flag. Both are measured by FFmpeg's `idet`, and mended by FFmpeg's `bwdif`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal

import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame

Parity = Literal["tff", "bff"]  # the field that comes first: the top or the bottom one
Window = tuple[VideoFrame | None, VideoFrame, VideoFrame | None]  # frames that follow each other
NOTE = "The video is interlaced; whole frames were made of its fields."
COMBED_SHARE = 0.0003  # of the pixels looked at, in the mean frame: above it `idet` may be asked
MORE_THAN_COLUMNS = 3.0  # as often as columns that differ so from their neighbours: fine texture has both
COMBED_STEP = 15.0  # levels of 255 by which a line differs from both of its neighbours
MEASURED = 8  # frames that `idet` looks at
_LOOKED_AT = 64  # columns, and lines, of the shorter side; all are no better and take longer


class Watch:
    """Looks at the sampled frames of a video for signs that it is interlaced; costs little.

    Attributes:
        flagged: a frame says so itself.
    """

    def __init__(self) -> None:
        self.flagged = False
        self._combed: list[tuple[float, float]] = []

    def see(self, frame: VideoFrame) -> VideoFrame:
        """Take note of a frame and give it back."""
        self.flagged = self.flagged or frame.interlaced_frame
        self._combed.append(combed(frame))
        return frame

    @property
    def suspicious(self) -> bool:
        """Whether it is worth measuring."""
        if self.flagged or not self._combed:
            return self.flagged
        lines, columns = np.mean(self._combed, axis=0)
        return lines > max(COMBED_SHARE, MORE_THAN_COLUMNS * columns)


def combed(frame: VideoFrame) -> tuple[float, float]:
    """The shares of pixels that are brighter, or darker, than both neighbours above and below, and left and right."""
    luma = _luma(frame)
    if luma is None or min(luma.shape) < 3:
        return 0.0, 0.0
    step = max(1, min(luma.shape) // _LOOKED_AT)
    return _spikes(luma[:, ::step]), _spikes(luma[::step].T)


def _spikes(luma: np.ndarray) -> float:
    levels = luma.astype(np.int16)
    up, down = levels[1:-1] - levels[:-2], levels[1:-1] - levels[2:]
    stands_out = np.minimum(np.abs(up), np.abs(down)) > COMBED_STEP
    return float((stands_out & ((up > 0) == (down > 0))).mean())


def _luma(frame: VideoFrame) -> np.ndarray | None:
    """(H,W) brightness in levels of 255, None for formats without a plane of it."""
    first = frame.format.components[0]
    if not first.is_luma or len(frame.planes) < 2 or first.bits not in (8, 10, 12, 16):
        return None
    kind = np.uint8 if first.bits == 8 else np.dtype("<u2")
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height].view(kind)
    return rows[:, : frame.width] >> np.array(first.bits - 8, kind)


def windows(
    numbered: Iterator[tuple[int, VideoFrame]], wanted: Collection[int] | None
) -> Iterator[tuple[int, Window]]:
    """Each wanted frame (None: every one) with the one before and the one after it.

    Args:
        numbered: frames in order, those of `neighbours(wanted)` or more.
    """
    held: dict[int, VideoFrame] = {}
    i = -1
    for i, frame in numbered:
        held = {k: f for k, f in held.items() if k >= i - 2} | {i: frame}
        if i - 1 in held and (wanted is None or i - 1 in wanted):
            yield i - 1, (held.get(i - 2), held[i - 1], frame)
    if i in held and (wanted is None or i in wanted):
        yield i, (held.get(i - 1), held[i], None)


def neighbours(wanted: Collection[int], n_frames: int) -> list[int]:
    """The numbers of the wanted frames and of those beside them, in order."""
    return sorted({k for i in wanted for k in (i - 1, i, i + 1) if 0 <= k < n_frames})


def parity(found: Iterator[tuple[int, Window]]) -> Parity | None:
    """The field that comes first, by most of the frames; None for progressive video.

    A frame in which nothing moves says nothing.
    """
    votes = Counter(_type(window) for _, window in found)
    tff, bff = votes["tff"], votes["bff"]
    if tff + bff <= votes["progressive"]:
        return None
    return "tff" if tff >= bff else "bff"


def _type(window: Window) -> str:
    """What `idet` says of the middle frame: tff, bff, progressive or undetermined."""
    middle = _through(window, "idet", "")
    return "undetermined" if middle is None else middle.metadata.get("lavfi.idet.single.current_frame", "")


def mended(window: Window, first: Parity) -> VideoFrame:
    """The middle frame made whole: the lines of its later field are made anew from the frames around.

    Args:
        first: the field that comes first.
    """
    return _through(window, "bwdif", f"mode=send_frame:parity={first}:deint=all") or window[1]


def whole(numbered: Iterator[tuple[int, VideoFrame]], first: Parity) -> Iterator[tuple[int, VideoFrame]]:
    """All frames of a video that is read from the start, each made whole."""
    return ((i, mended(window, first)) for i, window in windows(numbered, None))


def _through(window: Window, name: str, options: str) -> VideoFrame | None:
    """The middle frame of a window as a filter gives it; None where the filter cannot take such frames."""
    _before, middle, _after = window
    same = [f for f in window if f is not None and (f.width, f.height) == (middle.width, middle.height)]
    graph = Graph()
    graph.threads = 1
    try:
        source = graph.add_buffer(
            width=middle.width, height=middle.height, format=middle.format, time_base=middle.time_base
        )
        nodes = source, graph.add(name, options), graph.add("buffersink")
        graph.link_nodes(*nodes).configure()
        for frame in same:
            graph.vpush(frame)
        graph.vpush(None)
        made = [graph.vpull() for _ in same]
    except (FFmpegError, ValueError):
        return None
    made = made[next(k for k, f in enumerate(same) if f is middle)]
    made.pts = middle.pts
    return made
