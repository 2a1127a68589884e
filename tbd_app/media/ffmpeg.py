"""A video opened within bounds, the one way for all who read one: one demuxer, no address, few threads, no huge frame.

Of several video streams the one is read that players show: the default one, and among equals the largest.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError, codecs_available
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tbd_app.errors import CorruptMedia, NotMedia
from tbd_app.media import bounds
from tbd_app.settings import Limits

NO_FILM = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
MAX_PIXEL_ASPECT = 8.0
SQUARE_ENOUGH = 0.02  # encoders round odd sizes to such aspects; resampling would only soften the picture
NAMED_STREAMS = 5  # as many are named in a warning
# FFmpeg's names of the codecs that people's files are in; hundreds more are in the library, old and seldom tested.
CODECS = frozenset(
    "av1 cfhd cinepak dnxhd dvvideo ffv1 ffvhuff flv1 gif h261 h263 h263p h264 hevc huffyuv jpeg2000 jpegls magicyuv mjpeg "
    "mpeg1video mpeg2video mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4v3 msvideo1 png prores qtrle r210 rawvideo rv10 rv20 rv30 rv40 "
    "svq1 svq3 theora tiff utvideo v210 v410 vc1 vp6 vp6a vp6f vp8 vp9 vvc webp wmv1 wmv2 wmv3 y41p yuv4".split()
)


@dataclass
class Tally:
    """What reading came to: packets given to the decoder, and whether the file ended in damage."""

    sent: int = 0
    cut: bool = False


@cache
def decoders(codecs: frozenset[str] = CODECS) -> list[str]:
    """FFmpeg's own names of the decoders of these codecs, the only ones that it may use while it looks at a file."""
    found = []
    for name in codecs_available:
        if name in codecs or name.startswith(("lib", "flv", "msmpeg4", "amr", "mp3")):
            with suppress(UnknownCodecError):  # it only encodes
                found.append(Codec(name, "r"))
    return sorted({codec.name for codec in found if codec.canonical_name in codecs})


def container_of(path: str, demuxer: str, codecs: frozenset[str] = CODECS) -> InputContainer:
    """The file opened by one demuxer, for codecs of these names alone.

    Raises:
        FFmpegError: it cannot be opened.
    """
    # The prefix and the whitelist keep FFmpeg from taking a name for an address or a command.
    options = {"protocol_whitelist": "file", "codec_whitelist": ",".join(decoders(codecs))}
    return av.open(f"file:{path}", "r", demuxer, options, metadata_errors="replace")


@contextmanager
def opened(path: str, demuxer: str, limits: Limits) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the video stream that players show, ready to decode.

    Args:
        demuxer: FFmpeg's name of the container format; no other is tried.

    Raises:
        NotMedia: no video stream, or no decoder for it.
        TooManyPixels: its header claims more than the limit; FFmpeg itself refuses such frames later.
        CorruptMedia: it cannot be opened.
    """
    try:
        container = container_of(path, demuxer)
    except FFmpegError as error:
        raise CorruptMedia(f"The video is damaged or cut short: {error.strerror}.") from error
    with container:
        if not container.streams:
            raise CorruptMedia("The video is damaged: it holds no stream.")
        stream = _shown_stream(container)
        if stream.codec_context.codec.canonical_name not in CODECS:
            raise NotMedia(
                f"Video of the codec {stream.codec_context.codec.canonical_name} is not decoded here."
            )
        bounds.check_frame(stream.width, stream.height, limits)
        stream.codec_context.options = {"max_pixels": str(int(limits.max_frame_mpx * 1e6))}
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(os.cpu_count() or 1, limits.decode_threads)
        yield container, stream


def _shown_stream(container: InputContainer) -> VideoStream:
    videos = films(container)
    if not videos:
        raise NotMedia("The file has sound but no video stream.")
    readable = [s for s in videos if s.codec_context is not None]
    if not readable:
        raise NotMedia("The video is in a format (codec) that cannot be decoded here.")
    defaults = [s for s in readable if Disposition(s.disposition) & Disposition.default]
    return max(defaults or readable, key=lambda s: s.width * s.height)


def films(container: InputContainer) -> list[VideoStream]:
    """The video streams that are no cover picture or thumbnail, also those that cannot be decoded."""
    return [s for s in container.streams.video if not Disposition(s.disposition) & NO_FILM]


def passed_over(container: InputContainer, stream: VideoStream) -> str:
    """A sentence that names the video streams beside the one that is read; "" where there is none."""
    others = [s for s in films(container) if s.index != stream.index]
    if not others:
        return ""
    sizes = [f"{s.width}×{s.height}" if s.codec_context else "not readable" for s in others[:NAMED_STREAMS]]
    more = ", ..." if len(others) > NAMED_STREAMS else ""
    return (
        f"The file holds {len(others) + 1} video streams. Only the one that players show "
        f"({stream.width}×{stream.height}) is judged, not the others ({', '.join(sizes)}{more})."
    )


def packets(container: InputContainer, stream: VideoStream | AudioStream, tally: Tally) -> Iterator[Packet]:
    """Packets with content, until the end or the first damage."""
    try:
        # An empty packet is a dropped frame of an AVI, or the end; to a decoder it would always be the end.
        for i, packet in enumerate(p for p in container.demux(stream) if p.size):
            bounds.check_count(i + 1)
            yield packet
    except FFmpegError:
        tally.cut = True


def header_fps(stream: VideoStream) -> float:
    """Frames a second by the header, 25 where it says nothing."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def decoded(
    container: InputContainer, stream: VideoStream, tally: Tally, start_pts: int | None = None
) -> Iterator[VideoFrame]:
    """Frames in order of presentation, from where the file stands or else the keyframe at `start_pts`.

    Packets that do not decode are passed over. Nothing comes when the file stands behind that keyframe.
    """
    for packet in packets(container, stream, tally):
        if start_pts is not None:
            if not packet.is_keyframe or packet.pts is None or packet.pts < start_pts:
                continue
            if packet.pts > start_pts:
                return
            start_pts = None
        tally.sent += 1
        yield from _decode_or_skip(stream, packet)
    yield from _decode_or_skip(stream, None)


def _decode_or_skip(stream: VideoStream, packet: Packet | None) -> list[VideoFrame]:
    try:
        return stream.decode(packet)
    except MemoryError:
        raise
    except FFmpegError:
        return []


def pixel_aspect(stream: VideoStream) -> float:
    """Width of a pixel over its height; 1 where nothing is said, or what no camera writes, or next to nothing."""
    aspect = float(stream.sample_aspect_ratio or 1)
    plausible = 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT
    return aspect if plausible and abs(aspect - 1) > SQUARE_ENOUGH else 1.0


def shown_size(width: int, height: int, aspect: float) -> tuple[int, int]:
    """Width and height of a stored frame as players show it, before it is turned: the height stays."""
    return max(1, round(width * aspect)), height


class Upright:
    """Pixels of the frames of one stream as they are meant to be seen.

    A frame whose side data was read stays in memory until the garbage collector meets it (PyAV 18: each holds the other),
    30 of 4K at a time. So it is read of the first frame, and again where frames come to be turned otherwise.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, bool]] = {}

    def __call__(self, rgb: np.ndarray, frame: VideoFrame) -> np.ndarray:
        """The pixels (H,W,3) of a frame, turned and mirrored; a view."""
        if frame.rotation not in self._known:
            self._known[frame.rotation] = orientation(frame)
        turns, mirrored = self._known[frame.rotation]
        return np.rot90(rgb[:, ::-1] if mirrored else rgb, -turns)


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Clockwise quarter turns for display, and whether to mirror left and right before."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False
    # Rows are the images of the x axis (a, b) and of the y axis (c, d), with y down.
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    return round(math.degrees(math.atan2(-c, d)) / 90) % 4, a * d - b * c < 0
