"""Frames of a video by their numbers: by seeking, or in one pass from the start where times or seeking mislead.

Interlaced frames are made whole with the help of their neighbours; progressive ones are left as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tbd_app.media import bounds, confined, ffmpeg, interlaced
from tbd_app.media.ffmpeg import Tally
from tbd_app.media.packets import Timeline
from tbd_app.media.rendering import Renderer
from tbd_app.settings import Limits

MAX_WAITING = 2  # decoded frames that wait to be rendered
SEEK_GAIN = 8  # frames; a seek drains the decoder's threads, which costs about as much


class Unreliable(Exception):
    """The timestamps or the seeking of this file do not lead to the wanted frames."""


class Film:
    """Frames of one video by their numbers.

    Attributes:
        seeks: whether frames are sought; where one does not turn up at its time, `Unreliable` is raised.
        times_s: seconds of all frames: of the timeline, or those that the last whole pass found.
        notes: sentences on how pictures were made.
    """

    def __init__(self, path: str, format_name: str, limits: Limits, line: Timeline, tally: Tally) -> None:
        self.path, self.format_name, self.limits = path, format_name, limits
        self.line, self.tally = line, tally
        self.seeks, self.times_s = True, line.times_s
        self.notes: list[str] = []
        self._aspect = 1.0

    def pictures(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """The frames with these increasing numbers, as far as they exist: (H,W,3) uint8 RGB, upright.

        Raises:
            Unreliable: frames are sought and one does not turn up.
            TooManyPixels: a frame passes the limit.
        """
        watch = interlaced.Watch()
        picked = self._rendered(indices, watch, None)
        if watch.suspicious and (first := self._parity(indices)):
            picked = self._rendered(indices, watch, first)
            self.notes.append(interlaced.NOTE)
        return picked

    def first_field(self, indices: Sequence[int]) -> interlaced.Parity | None:
        """Which field comes first, judged by the frames with these numbers; None for progressive video."""
        watch = interlaced.Watch()
        for _, frame in self._numbered(indices):
            watch.see(frame)
        return self._parity(indices) if watch.suspicious else None

    def _parity(self, indices: Sequence[int]) -> interlaced.Parity | None:
        some = indices[:: max(1, len(indices) // interlaced.MEASURED)]
        return interlaced.parity(interlaced.windows(self._numbered(self._beside(some)), set(some)))

    def _rendered(
        self, indices: Sequence[int], watch: interlaced.Watch, first: interlaced.Parity | None
    ) -> dict[int, np.ndarray]:
        confined.start_over()
        max_bytes = bounds.frame_bytes(len(indices), self.limits)
        render = Renderer(self.limits, lambda w, h: bounds.fitted_size(w, h, max_bytes))
        wanted = set(indices)
        if first is None:
            frames = ((i, watch.see(f)) for i, f in self._numbered(indices))
        else:
            windows = interlaced.windows(self._numbered(self._beside(indices)), wanted)
            frames = ((i, interlaced.mended(window, first)) for i, window in windows)
        picked: dict[int, Future[np.ndarray]] = {}
        with ThreadPoolExecutor(1, "tbd-render") as renderer:  # beside the decoder
            for i, frame in frames:
                render.aspect = self._aspect
                picked[i] = renderer.submit(lambda shown: confined.keep(render(shown)), frame)
                if len(picked) > MAX_WAITING:
                    list(picked.values())[-MAX_WAITING].result()
        self.notes = render.notes()
        return {i: found.result() for i, found in picked.items()}

    def _beside(self, indices: Sequence[int]) -> list[int]:
        return interlaced.neighbours(indices, len(self.times_s))

    def _numbered(self, indices: Sequence[int]) -> Iterator[tuple[int, VideoFrame]]:
        """The frames with these increasing numbers, as far as they exist."""
        with ffmpeg.opened(self.path, self.format_name, self.limits) as (container, stream):
            self._aspect = ffmpeg.pixel_aspect(stream)
            if self.seeks:
                yield from zip(indices, self._sought(container, stream, indices), strict=True)
                return
            wanted, ticks = set(indices), []
            for i, frame in enumerate(ffmpeg.decoded(container, stream, self.tally)):
                ticks.append(frame.pts)
                if i in wanted:
                    yield i, frame
            self.times_s = self._times(ticks, stream)

    def _times(self, ticks: list[int | None], stream: VideoStream) -> np.ndarray:
        """Seconds of all frames, by their ticks in the order in which they were decoded."""
        if self.line.joined and len(ticks) == len(self.line):
            return self.line.times_s
        known = [t for t in ticks if t is not None]
        if self.line.joined or stream.time_base is None or len(set(known)) < len(ticks):
            return np.arange(len(ticks)) / ffmpeg.header_fps(stream)
        # Sorted, for where the times are those of decoding: they lie on the same grid.
        return (np.sort(known) - min(known, default=0)) * float(stream.time_base)

    def _sought(
        self, container: InputContainer, stream: VideoStream, indices: Sequence[int]
    ) -> Iterator[VideoFrame]:
        """Each from the nearest keyframe where that saves decoding."""
        line, tally = self.line, self.tally
        if not line.trusted:
            raise Unreliable
        frames, behind, last = ffmpeg.decoded(container, stream, tally), -tally.sent, None
        for packet in (int(line.order[i]) for i in indices):
            key = line.key_before(packet)
            if key > tally.sent + behind + SEEK_GAIN:
                try:
                    container.seek(int(line.seek_pts[key]), stream=stream)
                except FFmpegError:
                    raise Unreliable from None
                frames = ffmpeg.decoded(container, stream, tally, int(line.pts[key]))
                behind, last = key - tally.sent, None
            for frame in frames:
                in_order = frame.pts is not None and (last is None or frame.pts > last)
                if not in_order or frame.pts > line.pts[packet]:
                    raise Unreliable
                last = frame.pts
                if frame.pts == line.pts[packet]:
                    yield frame
                    break
            else:
                raise Unreliable
