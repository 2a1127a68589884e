"""When each frame of a video is shown, and from where it can be decoded: worked out from packets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


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
        order: (N,) int64 packet of each frame, in order of presentation.
        times_s: (N,) float64 presentation times of the frames, from 0, in order.
        duration_s: with the last frame.
        trusted: `pts` are complete, distinct and in truth presentation times.
    """

    pts: np.ndarray
    seek_pts: np.ndarray
    keys: np.ndarray
    order: np.ndarray
    times_s: np.ndarray
    duration_s: float
    trusted: bool

    @classmethod
    def of(cls, packets: Sequence[PacketTimes], tick_s: float, fps: float, *, guessed: bool) -> Timeline:
        """Put packets, given in decoding order, on a timeline.

        Args:
            tick_s: seconds of a tick, 0 when unknown.
            fps: frames a second by the header, for packets without times.
            guessed: the presentation times are known to be unreliable.
        """
        known = [t for p in packets if (t := p.dts if p.pts is None else p.pts) is not None]
        if len(known) < len(packets) or not tick_s:
            known, tick_s, guessed = list(range(len(packets))), 1 / fps, True
        pts = np.array(known, np.int64)
        seek_pts = [t if p.dts is None else min(t, p.dts) for t, p in zip(known, packets, strict=True)]
        order = np.argsort(pts, kind="stable")
        times_s = (pts[order] - (pts.min() if len(pts) else 0)) * tick_s
        last_s = (packets[order[-1]].duration * tick_s or 1 / fps) if packets else 0.0
        complete = all(p.pts is not None for p in packets)
        return cls(
            pts=pts,
            seek_pts=np.array(seek_pts, np.int64),
            keys=np.array([p.is_key for p in packets], bool),
            order=order,
            times_s=times_s,
            duration_s=float(times_s[-1]) + last_s if packets else 0.0,
            trusted=complete and not guessed and len(np.unique(pts)) == len(pts),
        )

    def __len__(self) -> int:
        return len(self.pts)

    def key_before(self, packet: int) -> int:
        """The last packet from which a decoder reaches the frame of `packet`, 0 when there is none."""
        # A frame shown before a keyframe may follow it in the file, and then needs the keyframe before that.
        keys = np.flatnonzero(self.keys[: packet + 1] & (self.pts[: packet + 1] <= self.pts[packet]))
        return int(keys[-1]) if len(keys) else 0


def uniform_indices(n_frames: int, n: int) -> list[int]:
    """At most `n` frame numbers, the rounded linear interpolation from the first to the last."""
    return [int(i) for i in np.unique(np.rint(np.linspace(0, n_frames - 1, min(n, n_frames))))]
