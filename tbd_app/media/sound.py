"""What is heard beside the pictures of a video, decoded for an encoder; for jobs in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import BlockingIOError as Hungry
from av.error import EOFError as Ended
from av.error import FFmpegError
from av.filter import Graph
from av.stream import Disposition

from tbd_app.media import ffmpeg, video
from tbd_app.settings import Limits

RATE = 48_000  # samples a second, of what comes out
FRAME = 1024  # samples of a frame of AAC
# FFmpeg's names of the codecs of sound that cameras, phones and messengers write.
CODECS = frozenset(
    "aac ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms alac amr_nb amr_wb eac3 flac mp2 mp3 opus pcm_alaw pcm_f32le pcm_mulaw "
    "pcm_s16be pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_u8 vorbis wmav1 wmav2".split()
)


class Sound:
    """The sound of one video, of the stream that players play.

    Attributes:
        there: whether the file has sound at all, readable or not; known once frames were asked for.
    """

    def __init__(self, path: str, demuxer: str, limits: Limits) -> None:
        self.there = False
        self._path, self._demuxer, self._limits = path, demuxer, limits

    def frames(self, start_s: float) -> Iterator[AudioFrame]:
        """Decoded sound without gaps, silent where nothing could be read; it ends at damage that cannot be passed over.

        Args:
            start_s: what the file's clock shows at the first picture; what was heard before is left out.

        Yields:
            `FRAME` samples (the last: fewer), float32, mono or stereo, of which the first is at 0.
        """
        # Its own clock starts anew with each recording: what belongs together is not known.
        joined = video.read_timeline(self._path, self._demuxer, self._limits, ffmpeg.Tally()).joined
        try:
            with ffmpeg.container_of(self._path, self._demuxer, CODECS) as container:
                self.there = bool(container.streams.audio)
                if (stream := _played(container)) is not None and not joined:
                    yield from self._even(container, stream, start_s)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            return

    def _even(self, container: InputContainer, stream: AudioStream, start_s: float) -> Iterator[AudioFrame]:
        graph, form = None, None
        for frame in self._decoded(container, stream, start_s):
            if graph is None:
                form = _form(frame)
                graph = _evened(*form)
            if _form(frame) == form:
                graph.push(frame)
                yield from _pulled(graph)
        if graph is not None:
            graph.push(None)
            yield from _pulled(graph)

    def _decoded(
        self, container: InputContainer, stream: AudioStream, start_s: float
    ) -> Iterator[AudioFrame]:
        """Frames on the clock of the pictures, within the longest video; those that fall back are passed over."""
        tick_s, last_s = float(stream.time_base or 0), -1.0
        for packet in ffmpeg.packets(container, stream, ffmpeg.Tally()):
            frames: list[AudioFrame] = []
            with suppress(FFmpegError):
                frames = stream.codec_context.decode(packet)
            for frame in frames:
                if frame.pts is None or not tick_s:
                    continue
                at_s = frame.pts * tick_s - start_s
                if last_s <= at_s <= self._limits.max_duration_s:
                    last_s = at_s
                    frame.time_base = Fraction(1, frame.sample_rate)
                    frame.pts = round(at_s * frame.sample_rate)
                    yield frame


def _played(container: InputContainer) -> AudioStream | None:
    """The default stream among those that can be decoded, else the first; None where there is none."""
    known = [
        s
        for s in container.streams.audio
        if s.codec_context is not None and s.codec_context.codec.canonical_name in CODECS
    ]
    defaults = [s for s in known if Disposition(s.disposition) & Disposition.default]
    return next(iter(defaults or known), None)


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _evened(form: str, layout: str, rate: int) -> Graph:
    """A filter that fills gaps, cuts overlaps and starts at 0."""
    graph = Graph()
    made = f"osr={RATE}:osf=fltp:ochl={'mono' if layout == 'mono' else 'stereo'}:async=1:first_pts=0"
    graph.link_nodes(
        graph.add_abuffer(format=form, layout=layout, sample_rate=rate, time_base=Fraction(1, rate)),
        graph.add("aresample", made),
        graph.add("asetnsamples", f"n={FRAME}:p=0"),
        graph.add("abuffersink"),
    ).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[AudioFrame]:
    with suppress(Hungry, Ended):
        while True:
            frame = graph.pull()
            if isinstance(frame, AudioFrame):
                yield frame
