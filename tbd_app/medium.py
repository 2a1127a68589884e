"""A file that was looked at, and the frames that are sampled from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

MediaKind = Literal["video", "image", "frames"]
ReaderName = Literal["video", "image", "zip", "other"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a file was recognised as, once, from its first bytes.

    Attributes:
        reader: "video" for FFmpeg, "image" for Pillow, "zip", or "other" for what cannot be read.
        format: FFmpeg's demuxer, Pillow's format, "zip", or a phrase that names what else it is ("" unknown).
        index: where the frames lie, as the reader's `probe` wrote it down for its `decode`; "" where it wrote nothing.
    """

    reader: ReaderName
    format: str
    index: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Media:
    """One input file, looked at but not decoded.

    Attributes:
        path: where it lies; never shown or stored.
        name: the file's own name, for people.
        kind: found by content.
        sha256: hex digest of the file.
        width: px, after rotation; of the first frame for a zip of mixed sizes.
        fps: average frames a second, None for images and zips.
        duration_s: None for images and zips.
        n_frames: frames that exist (counted, not taken from the header), 1 for an image.
        codec: FFmpeg's or Pillow's lower-case name.
        content: how it is read.
        rotation_deg: clockwise turn already applied to width and height (0, 90, 180, 270).
        warnings: sentences for the report.
    """

    path: Path
    name: str
    kind: MediaKind
    sha256: str
    bytes: int
    width: int
    height: int
    fps: float | None
    duration_s: float | None
    n_frames: int
    codec: str
    content: Content
    rotation_deg: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of frames that follow each other, as a model that was trained on them asks for.

    Attributes:
        length: frames of a run.
        step_s: seconds from one to the next; 0 takes the file's frames one after the other.
        count: runs at most, spread evenly over the timeline without overlap.
    """

    length: int
    step_s: float = 0.0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames sampled uniformly over the whole timeline, in order.

    Attributes:
        images: T arrays (H,W,3) uint8 RGB, upright; sizes may differ for a zip.
        indices: (T,) int64 frame numbers in the media.
        times_s: (T,) float64 presentation times; the index itself for a zip, 0 for an image.
        requested: how many were asked for.
        warnings: sentences for the report.
        runs: runs of frames besides, for the models that ask for them.
    """

    images: tuple[np.ndarray, ...]
    indices: np.ndarray
    times_s: np.ndarray
    requested: int
    warnings: tuple[str, ...] = ()
    runs: Mapping[Runs, tuple[Frames, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)
