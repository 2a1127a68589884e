"""The sound of the annotated video: that of the file, in step with the pictures; without it there is a video all the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tbd_app.media import sandbox, sound
from tbd_app.report import annotate
from tbd_app.settings import Limits
from tests import media_factory
from tests.report.test_annotate import report_of, written

N, BEEP_S = 20, 0.4
DEMUXERS = {"mp4": "mov", "mov": "mov", "mkv": "matroska", "avi": "avi", "ts": "mpegts"}


def clip_with_sound(path: Path, **encoding) -> Path:
    encoding = {"audio": BEEP_S, "audio_codec": "aac", **encoding}
    return media_factory.faceless_clip(path, n_frames=N, size=(64, 48), **encoding)


def filmed(path: Path, out: Path) -> bool:
    """Writes the annotated video; whether sound is missing."""
    return annotate.write(report_of(path, [0.0, 0.2]), path, out)


def heard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and loudness of all samples of a file's sound; none where there is no sound."""
    times, loud = [np.zeros(0)], [np.zeros(0)]
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0) if container.streams.audio else ():
            times.append((frame.time or 0.0) + np.arange(frame.samples) / frame.sample_rate)
            loud.append(np.abs(frame.to_ndarray()[0]))
    return np.concatenate(times), np.concatenate(loud)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("a.mp4", {}),
        ("a.mkv", {"audio_codec": "libmp3lame", "start": 50}),
        ("a.ts", {"audio_codec": "mp2"}),
        ("a.avi", {"audio_codec": "pcm_s16le", "codec": "mpeg4", "crf": None}),
    ],
)
def test_the_sound_is_there_and_in_step_with_the_pictures(name, encoding, tmp_path) -> None:
    path = clip_with_sound(tmp_path / name, **encoding)
    assert not filmed(path, tmp_path / "out.mp4")
    times, loud = heard(tmp_path / "out.mp4")
    shown, _ = written(tmp_path / "out.mp4")
    assert len(shown) == N
    assert abs(times[loud > loud.max() / 2][0] - shown[0] - BEEP_S) < 0.01
    assert times[-1] == pytest.approx(N / 25, abs=0.1)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.streams.audio[0].codec_context.name == "aac"


def spoilt(path: Path) -> Path:
    """The file with noise in place of every packet of sound."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    content = bytearray(path.read_bytes())
    for at, size in places:
        content[at : at + size] = b"\xff" * size
    path.write_bytes(content)
    return path


def test_sound_that_cannot_be_decoded_costs_no_picture(tmp_path) -> None:
    path = spoilt(clip_with_sound(tmp_path / "a.mp4"))
    assert filmed(path, tmp_path / "out.mp4")
    assert len(written(tmp_path / "out.mp4")[0]) == N
    assert heard(tmp_path / "out.mp4")[0].size == 0


def test_a_codec_of_sound_outside_the_list_is_left_out(tmp_path) -> None:
    path = clip_with_sound(tmp_path / "a.mkv", audio_codec="wavpack")
    assert filmed(path, tmp_path / "out.mp4")
    assert len(written(tmp_path / "out.mp4")[0]) == N


def test_a_file_without_sound_lacks_none(tmp_path) -> None:
    path = clip_with_sound(tmp_path / "a.mp4", audio=False)
    assert not filmed(path, tmp_path / "out.mp4")
    assert heard(tmp_path / "out.mp4")[0].size == 0


def test_of_joined_recordings_no_sound_is_put_to_the_wrong_pictures(tmp_path) -> None:
    parts = [clip_with_sound(tmp_path / f"{i}.ts", audio_codec="mp2").read_bytes() for i in range(2)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    assert filmed(path, tmp_path / "out.mp4")
    assert len(written(tmp_path / "out.mp4")[0]) == 2 * N


def test_a_gap_is_silent_and_a_clock_that_leaps_makes_no_endless_silence(tmp_path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        film, stream = out.add_stream("ffv1", rate=25), out.add_stream("pcm_s16le", rate=16000, layout="mono")
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        out.mux([*film.encode(av.VideoFrame(64, 48, "yuv420p")), *film.encode()])
        for at_s in (0.0, 1.0, 9e4, 9.1e4):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, 1600), 9000, np.int16), format="s16", layout="mono"
            )
            frame.sample_rate = 16000
            (packet,) = stream.encode(frame)
            packet.time_base, packet.pts = Fraction(1, 1000), round(at_s * 1000)
            packet.dts = packet.pts
            out.mux(packet)
    frames = list(sound.Sound(str(path), "matroska", Limits()).frames(0.0))
    loud = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    seconds = np.flatnonzero(loud > 0.1) / sound.RATE
    assert {round(float(s), 1) for s in seconds} == {0.0, 0.1, 1.0, 1.1}
    assert len(loud) < 1.2 * sound.RATE


def test_sound_is_decoded_in_the_confined_process(tmp_path, monkeypatch) -> None:
    def never(*_) -> None:
        raise AssertionError("sound was opened outside")

    monkeypatch.setattr(sound.Sound, "frames", never)
    assert not filmed(clip_with_sound(tmp_path / "a.mp4"), tmp_path / "out.mp4")
    assert heard(tmp_path / "out.mp4")[0].size > 0
    sandbox.close()
