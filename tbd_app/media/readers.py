"""How each kind of file is read: one table of sandbox jobs with one signature, chosen by `Media.content`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tbd_app.media import archive, stills, video
from tbd_app.media.sandbox import Answer
from tbd_app.settings import Limits
from tbd_app.types import ReaderName


class Probe(Protocol):
    """Looks at a file and keeps no frame."""

    __module__: str
    __name__: str

    def __call__(self, *, limits: Limits, path: str, format_name: str) -> Answer:
        """The fields of `Media` that come from content, where it makes one an `index`, and no arrays.

        Args:
            format_name: `Content.format`; nothing else is tried.
        """
        ...


class Decode(Protocol):
    """Decodes frames, uniformly over the timeline."""

    __module__: str
    __name__: str

    def __call__(
        self, *, limits: Limits, path: str, format_name: str, n_frames: int, n: int, index: str
    ) -> Answer:
        """`{"indices", "times_s", "warnings"}` and as many arrays (H,W,3) uint8 RGB, upright.

        Args:
            format_name: `Content.format`.
            n_frames: how many the probe counted.
            n: how many are wanted.
            index: what the probe wrote down, or "".
        """
        ...


class Origin(Protocol):
    """Reads what a file says of its own origin."""

    __module__: str
    __name__: str

    def __call__(self, *, limits: Limits, path: str, format_name: str, trusted: str) -> Answer:
        """`{"manifest", "metadata", "hints"}` (see `answers.provenance`), and no arrays.

        Args:
            format_name: `Content.format`.
            trusted: PEM certificates of trusted signers, or "".
        """
        ...


class DecodeRuns(Protocol):
    """Decodes runs of frames that follow each other."""

    __module__: str
    __name__: str

    def __call__(
        self,
        *,
        limits: Limits,
        path: str,
        format_name: str,
        index: str,
        length: int,
        step_s: float,
        count: int,
    ) -> Answer:
        """As `Decode`, with "run", the number of the run that each frame belongs to.

        Args:
            format_name: `Content.format`.
            index: what the probe wrote down, or "".
            length: and step_s, count: see `Runs`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """The jobs of a kind of file."""

    probe: Probe
    decode: Decode
    origin: Origin | None = None
    runs: DecodeRuns | None = None


READERS: dict[ReaderName, Reader] = {
    "video": Reader(video.probe, video.decode, video.read_origin, video.decode_runs),
    "image": Reader(stills.probe, stills.decode, stills.read_origin),
    "zip": Reader(archive.probe, archive.decode),
}
