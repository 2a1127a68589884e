"""When each frame of a video is shown, and from where it can be decoded: worked out from packets alone."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tbd_app.medium import Runs

MAX_INDEX_CHARS = 1 << 20  # a video whose packed timeline is longer has it read again

BACK_S, LEAP_S = 0.1, 10.0


class PacketTimes(NamedTuple):
    """What a container says of one packet; times in ticks, None where it says nothing."""

    pts: int | None
    dts: int | None
    is_key: bool
    duration: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The packets of a video that show a frame, in decoding order.

    Attributes:
        pts: (N,) int64 presentation times in ticks.
        seek_pts: (N,) int64 the earlier of presentation and decoding time; where to seek for a packet.
        keys: (N,) bool, decoding can start here.
        tick_s: seconds of a tick.
        duration_s: with the last frame.
        trusted: `pts` are complete, distinct and in truth presentation times.
        joined: recordings follow each other whose clocks start anew; `pts` are put one after the other.
        order: (N,) int64 packet of each frame, in order of presentation; worked out from `pts`.
        times_s: (N,) float64 presentation times of the frames, from 0, in order; worked out from `pts`.
    """

    pts: np.ndarray
    seek_pts: np.ndarray
    keys: np.ndarray
    tick_s: float
    duration_s: float
    trusted: bool
    joined: bool = False
    order: np.ndarray = field(init=False)
    times_s: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.pts, kind="stable")
        object.__setattr__(self, "order", order)
        start = self.pts.min() if len(self.pts) else 0
        object.__setattr__(self, "times_s", (self.pts[order] - start) * self.tick_s)

    @classmethod
    def of(
        cls,
        packets: Sequence[PacketTimes],
        tick_s: float,
        fps: float,
        *,
        guessed: bool,
        leaps: bool = False,
    ) -> Timeline:
        """Put packets, given in decoding order, on a timeline.

        Args:
            tick_s: seconds of a tick, 0 when unknown.
            fps: frames a second by the header, for packets without times.
            guessed: the presentation times are known to be unreliable.
            leaps: the container's clock may leap ahead where recordings are joined.
        """
        packets, joined = _continued(packets, tick_s, fps, leaps)
        known = [t for p in packets if (t := p.dts if p.pts is None else p.pts) is not None]
        lasts_s = [p.duration * tick_s or 1 / fps for p in packets]
        if len(known) < len(packets) or not tick_s:
            known, tick_s, guessed = list(range(len(packets))), 1 / fps, True
        pts = np.array(known, np.int64)
        seek_pts = [t if p.dts is None else min(t, p.dts) for t, p in zip(known, packets, strict=True)]
        duration_s = 0.0
        if packets:
            last = int(np.argsort(pts, kind="stable")[-1])
            duration_s = float((pts[last] - pts.min()) * tick_s) + lasts_s[last]
        complete = all(p.pts is not None for p in packets)
        return cls(
            pts=pts,
            seek_pts=np.array(seek_pts, np.int64),
            keys=np.array([p.is_key for p in packets], bool),
            tick_s=tick_s,
            duration_s=duration_s,
            trusted=complete and not guessed and not joined and len(np.unique(pts)) == len(pts),
            joined=joined,
        )

    def packed(self) -> str:
        """All of it as a short text: even steps and few keyframes take nearly no room."""
        steps = [np.diff(column, prepend=0) for column in (self.pts, self.seek_pts)]
        columns = np.stack([*steps, self.keys]).astype("<i8")
        data = base64.b64encode(zlib.compress(columns.tobytes())).decode()
        return json.dumps([self.tick_s, self.duration_s, self.trusted, self.joined, data])

    @classmethod
    def unpacked(cls, text: str) -> Timeline:
        """The timeline of a text that `packed` gave."""
        tick_s, duration_s, trusted, joined, data = json.loads(text)
        columns = np.frombuffer(zlib.decompress(base64.b64decode(data)), "<i8").reshape(3, -1)
        pts, seek_pts = np.cumsum(columns[:2], axis=1)
        return cls(pts, seek_pts, columns[2].astype(bool), tick_s, duration_s, trusted, joined)

    def __len__(self) -> int:
        return len(self.pts)

    def key_before(self, packet: int) -> int:
        """The last packet from which a decoder reaches the frame of `packet`, 0 when there is none."""
        # A frame shown before a keyframe may follow it in the file, and then needs the keyframe before that.
        keys = np.flatnonzero(self.keys[: packet + 1] & (self.pts[: packet + 1] <= self.pts[packet]))
        return int(keys[-1]) if len(keys) else 0


def _continued(
    packets: Sequence[PacketTimes], tick_s: float, fps: float, leaps: bool
) -> tuple[Sequence[PacketTimes], bool]:
    """The packets on one clock, and whether it had to be mended: a clock that falls back, or leaps, starts a recording.

    Source: `ts_discontinuity_detect` of FFmpeg's fftools, with its bounds (dts_delta_threshold 10 s, back by 0.1 s).
    """
    shift, expected, last, mended = 0, None, None, []
    for packet in packets:
        now = packet.dts
        if now is not None and tick_s:
            gap_s = 0.0 if last is None else (now - last) * tick_s
            if expected is not None and (gap_s < -BACK_S or (leaps and gap_s > LEAP_S)):
                shift += expected - now
            last, expected = now, now + (packet.duration or round(1 / fps / tick_s))
        moved = [None if t is None else t + shift for t in packet[:2]]
        mended.append(packet._replace(pts=moved[0], dts=moved[1]))
    return (mended, True) if shift else (packets, False)


def planned(times_s: np.ndarray, runs: Runs) -> list[np.ndarray]:
    """Which frames make up each run: the middles of equal parts of the timeline, as many as fit without overlap.

    Args:
        times_s: (N,) of all frames, increasing; N is 1 at least.
        runs: what is wanted; a timeline shorter than one run is seen whole.

    Returns:
        One run at least, each (<= length,) int64, increasing.
    """
    n = len(times_s)
    if not runs.step_s:
        length = min(runs.length, n)
        count = min(runs.count, n // length)
        starts = [
            int(min(max(round((c + 0.5) * n / count - length / 2), 0), n - length)) for c in range(count)
        ]
        return [start + np.arange(length) for start in starts]
    whole = float(times_s[-1] - times_s[0])
    span = min((runs.length - 1) * runs.step_s, whole)
    count = min(runs.count, max(int((whole + runs.step_s) / (runs.length * runs.step_s) + 1e-6), 1))
    between = (times_s[1:] + times_s[:-1]) / 2
    out = []
    for c in range(count):
        earliest = times_s[0] + (c + 0.5) * whole / count - span / 2
        # On a frame: an even grid between frames would be rounded to uneven steps.
        start = times_s[max(int(np.searchsorted(times_s, earliest + 1e-6, side="right")) - 1, 0)]
        out.append(np.unique(np.searchsorted(between, start + np.linspace(0, span, runs.length))))
    return out


def uniform_indices(n_frames: int, n: int) -> list[int]:
    """At most `n` frame numbers, the rounded linear interpolation from the first to the last."""
    return [int(i) for i in np.unique(np.rint(np.linspace(0, n_frames - 1, min(n, n_frames))))]
