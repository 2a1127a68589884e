"""What the camera meant: frames as players show them, of files that say it in their own way."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from tbd_app.errors import TooManyPixels
from tbd_app.media import interlaced, video
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.media.sniff import HEAD_BYTES, sniff
from tbd_app.settings import Limits
from tests.barcode import coded_frame, coded_frames, numbers, woven_frames
from tests.media_factory import encode, faceless_frame, portrait_frame

LIMITS = Limits()
SIZE = (160, 96)
# Without B-frames: with them a file of two frames could now and then not be written.
QUIET = {"x265-params": "log-level=none:bframes=0"}
FIELDS = {"x264-params": "tff=1"}
BT709, BT2020, PQ, HLG, BT2020_10 = 1, 9, 16, 18, 14  # numbers of ITU-T H.273
# Of ITU-R BT.2087: linear light of BT.709 in the colours of BT.2020.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def read(path: Path, n: int = 8) -> tuple[SimpleNamespace, SimpleNamespace]:
    """What both jobs say of a file, as `Media` and `Frames` have it; without the confined process, which takes a second."""
    how = {"limits": LIMITS, "path": str(path), "format_name": sniff(path.read_bytes()[:HEAD_BYTES]).format}
    info, _ = video.probe(**how)
    got, images = video.decode(**how, n_frames=info["n_frames"], n=n, index=info["index"])
    media = SimpleNamespace(**info | {"warnings": tuple(info["warnings"])})
    indices, times_s = np.array(got["indices"]), np.array(got["times_s"])
    warnings = tuple(got["warnings"])
    return media, SimpleNamespace(images=images, indices=indices, times_s=times_s, warnings=warnings)


def far(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize(
    ("flagged", "file"), [(True, "a.mp4"), (False, "a.avi")]
)  # by seeking, and in one pass
def test_interlaced_frames_are_made_whole(tmp_path, flagged, file) -> None:
    size = (240, 160)
    options = {"x264-params": "tff=1" if flagged else "", "bf": "2"}
    woven = list(woven_frames(24, size))
    path = encode(tmp_path / file, woven, interlaced=flagged, options=options, crf=10)
    media, frames = read(path)
    assert (media.n_frames, frames.warnings) == (24, (interlaced.NOTE,))
    assert numbers(frames.images) == [2 * i for i in frames.indices]
    for i, image in zip(frames.indices, frames.images, strict=True):
        whole = coded_frame(2 * i, size)
        assert far(image, whole) < 0.7 * far(woven[i], whole)


def test_the_bottom_field_may_come_first(tmp_path) -> None:
    woven = [
        np.where(
            np.arange(SIZE[1])[:, None, None] % 2, coded_frame(2 * i, SIZE), coded_frame(2 * i + 1, SIZE)
        )
        for i in range(16)
    ]
    path = encode(tmp_path / "a.mp4", woven, interlaced=True, options={"x264-params": "bff=1"}, crf=10)
    _, frames = read(path)
    assert numbers(frames.images) == [2 * i for i in frames.indices]


def test_progressive_film_that_is_flagged_as_interlaced_is_left_as_it_is(tmp_path) -> None:
    path = encode(tmp_path / "a.mp4", coded_frames(24, SIZE), interlaced=True, options=FIELDS)
    with av.open(str(path)) as container:
        plain = [(f.interlaced_frame, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    _, frames = read(path)
    assert all(flag for flag, _ in plain)
    assert frames.warnings == ()
    for i, image in zip(frames.indices, frames.images, strict=True):
        np.testing.assert_array_equal(image, plain[i][1])


def test_fine_stripes_that_stand_still_are_no_interlacing(tmp_path) -> None:
    picture = portrait_frame(0, SIZE).copy()
    picture[::2] = picture[::2] // 2
    moving = [np.roll(picture, 2 * i, axis=0) for i in range(12)]
    _, frames = read(encode(tmp_path / "a.mp4", moving, crf=5))
    assert frames.warnings == ()


def test_the_annotated_video_shows_whole_frames_too(tmp_path) -> None:
    path = encode(tmp_path / "a.mp4", woven_frames(12, SIZE), interlaced=True, options=FIELDS, crf=10)
    shown = list(video.play(limits=LIMITS, path=str(path), format_name="mov", fit=lambda w, h: (w, h)))
    assert numbers([image for _, image in shown]) == [2 * i for i in range(12)]
    assert [t for t, _ in shown] == pytest.approx(np.arange(12) / 25)


def light(picture: np.ndarray) -> np.ndarray:
    """Display light of BT.709 pictures in the colours of BT.2020, 0 to 1; BT.1886 with a gamma of 2.4."""
    return np.clip((picture / 255.0) ** 2.4 @ TO_BT2020.T, 0, 1)


def pq(picture: np.ndarray) -> np.ndarray:
    """Source: SMPTE ST 2084; white at 203 nits, as ITU-R BT.2408 asks."""
    y = (light(picture) * 203 / 10000) ** 0.1593017578
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(picture: np.ndarray) -> np.ndarray:
    """Source: ITU-R BT.2100; white at 75 % of the signal."""
    e = 0.265 * light(picture) ** (1 / 1.2)
    return np.where(
        e <= 1 / 12, np.sqrt(3 * e), 0.17883277 * np.log(np.maximum(12 * e - 0.28466892, 1e-9)) + 0.55991073
    )


def sdr(picture: np.ndarray) -> np.ndarray:
    return light(picture) ** (1 / 2.4)


# HEVC of 10 bits with these colours goes into Matroska: FFmpeg's muxer of MP4 refuses it in a few of a hundred tries.
@pytest.mark.parametrize(
    ("transfer", "number", "name", "file", "codec"),
    [
        (pq, PQ, "PQ", "a.mkv", "libx265"),
        (hlg, HLG, "HLG", "a.mp4", "libsvtav1"),
        (sdr, BT2020_10, "BT.2020", "a.mkv", "libx265"),
    ],
    ids=["pq", "hlg", "bt2020"],
)
def test_hdr_looks_like_the_same_picture_in_bt_709(tmp_path, transfer, number, name, file, codec) -> None:
    picture = coded_frame(5, (320, 240))
    deep = np.rint(transfer(picture) * 65535).astype(np.uint16)
    options = QUIET if codec == "libx265" else {"preset": "12"}
    how = {"codec": codec, "pix_fmt": "yuv420p10le", "crf": 8, "options": options}
    path = encode(tmp_path / file, [deep] * 2, colours=(number, BT2020, BT2020), **how)
    frames = sample(open_media(path, LIMITS), 8, LIMITS)  # within the memory of the confined process
    assert frames.warnings == (
        f"The video has the colours of {name}; they were brought to the usual ones (BT.709).",
    )
    assert numbers(frames.images) == [5, 5]
    assert frames.images[0].shape == picture.shape
    portrait = picture[:200]
    assert far(frames.images[0][:200], portrait) < 9
    with av.open(str(path)) as container:
        unmapped = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert far(frames.images[0][:200], portrait) < 0.75 * far(unmapped[:200], portrait)


def test_ten_bits_alone_are_no_hdr(tmp_path) -> None:
    deep = {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": QUIET}
    path = encode(tmp_path / "a.mp4", coded_frames(4, SIZE), **deep)
    with av.open(str(path)) as container:
        plain = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    _, frames = read(path)
    assert frames.warnings == ()
    np.testing.assert_array_equal(frames.images, plain)


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("aspect", [Fraction(4), Fraction(2), Fraction(16, 15), Fraction(1, 2)])
def test_pixels_get_their_shape(tmp_path, aspect, rotation) -> None:
    shown = (round(160 * aspect), 96)
    size = shown if rotation == 0 else shown[::-1]
    stored = [np.asarray(f) for f in coded_frames(8, (160, 96) if rotation == 0 else (96, 160))]
    path = encode(tmp_path / "a.mp4", stored, aspect=aspect, rotation=rotation)
    media, frames = read(path)
    assert (media.width, media.height) == size
    assert frames.images[0].shape == (size[1], size[0], 3)
    assert numbers(frames.images) == list(range(8))


@pytest.mark.parametrize("aspect", [Fraction(405, 404), Fraction(20), Fraction(1, 30)])
def test_next_to_square_and_absurd_pixels_are_left_as_they_are(tmp_path, aspect) -> None:
    media, frames = read(encode(tmp_path / "a.mp4", coded_frames(4, SIZE), aspect=aspect))
    assert (media.width, media.height) == SIZE
    assert frames.images[0].shape == (96, 160, 3)


def test_wide_pixels_count_against_the_limit(tmp_path) -> None:
    path = encode(tmp_path / "a.mp4", coded_frames(2, SIZE), aspect=Fraction(4))
    with pytest.raises(TooManyPixels):
        open_media(path, Limits(max_frame_mpx=0.02))


def two_streams(path: Path, *, default: int) -> Path:
    """A small coded stream, and a larger one of black."""
    with av.open(str(path), "w") as out:
        streams = []
        for size in (SIZE, (320, 240)):
            stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            streams.append(stream)
        for k, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if k == default else av.stream.Disposition(0)
        for i in range(12):
            for stream, array in zip(
                streams, (coded_frame(i, SIZE), np.zeros((240, 320, 3), np.uint8)), strict=True
            ):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(array, "rgb24")))
        for stream in streams:
            out.mux(stream.encode())
    return path


@pytest.mark.parametrize("file", ["a.mkv", "a.mp4"])
def test_the_default_stream_wins_over_a_larger_one(tmp_path, file) -> None:
    media, frames = read(two_streams(tmp_path / file, default=0))
    assert (media.width, media.height) == SIZE
    assert numbers(frames.images) == frames.indices.tolist()
    assert media.warnings == (
        "The file holds 2 video streams. Only the one that players show (160×96) is judged, not the others (320×240).",
    )
    assert read(two_streams(tmp_path / file, default=1))[0].width == 320


@pytest.mark.parametrize("aud", ["0", "1"])  # begins with a delimiter, or with parameters
@pytest.mark.parametrize(("file", "codec"), [("a.h264", "libx264"), ("a.hevc", "libx265")])
def test_raw_streams_have_the_right_length(tmp_path, file, codec, aud) -> None:
    key = f"{codec[3:]}-params"
    options = {key: f"aud={aud}:log-level=none" if codec == "libx265" else f"aud={aud}"}
    path = encode(tmp_path / file, coded_frames(50, SIZE), codec=codec, options=options)
    media, frames = read(path)
    assert media.duration_s == pytest.approx(2.0)
    assert numbers(frames.images) == frames.indices.tolist()
    assert frames.times_s == pytest.approx(frames.indices / 25)


def test_times_may_be_negative(tmp_path) -> None:
    how = {"container_options": {"avoid_negative_ts": "disabled"}, "options": {"bf": "2"}}
    path = encode(tmp_path / "a.mkv", coded_frames(100, SIZE), start=-25, **how)
    media, frames = read(path)
    assert media.duration_s == pytest.approx(4.0)
    assert numbers(frames.images) == frames.indices.tolist()
    assert frames.times_s == pytest.approx(frames.indices / 25, abs=1e-3)


@pytest.mark.parametrize("gap", [0, 20 * 25])
def test_joined_recordings_follow_each_other(tmp_path, gap) -> None:
    """The clock starts again, or leaps ahead."""
    first = encode(tmp_path / "a.ts", coded_frames(25, SIZE)).read_bytes()
    second = encode(tmp_path / "b.ts", coded_frames(25, SIZE, start=25), start=gap).read_bytes()
    (tmp_path / "c.ts").write_bytes(first + second)
    media, frames = read(tmp_path / "c.ts", 10)
    assert (media.n_frames, media.duration_s, media.fps) == (50, pytest.approx(2.0), pytest.approx(25))
    assert numbers(frames.images) == frames.indices.tolist()
    assert frames.times_s == pytest.approx(frames.indices / 25)
    assert "several recordings" in media.warnings[0]
    played = list(
        video.play(limits=LIMITS, path=str(tmp_path / "c.ts"), format_name="mpegts", fit=lambda w, h: (w, h))
    )
    assert [t for t, _ in played] == pytest.approx(np.arange(50) / 25)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("ffv1", "yuva444p"), ("png", "rgba"), ("prores_ks", "yuva444p10le")]
)
def test_transparent_pixels_lie_over_a_neutral_ground(tmp_path, codec, pix_fmt) -> None:
    rgba = np.dstack([coded_frame(3, SIZE), np.full(SIZE[::-1], 255, np.uint8)])
    rgba[:40, :, 3] = 0
    file = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mov")
    path = encode(file, [rgba] * 3, codec=codec, pix_fmt=pix_fmt, crf=None)
    _, frames = read(path)
    assert numbers(frames.images) == [3, 3, 3]
    assert (frames.images[0][:38] >= 253).all()
    assert far(frames.images[0][42:], rgba[42:, :, :3]) < 6


def test_an_opaque_layer_changes_nothing(tmp_path) -> None:
    rgba = np.dstack([faceless_frame(3, SIZE), np.full(SIZE[::-1], 255, np.uint8)])
    path = encode(tmp_path / "a.mkv", [rgba] * 2, codec="ffv1", pix_fmt="yuva444p", crf=None)
    with av.open(str(path)) as container:
        plain = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    np.testing.assert_array_equal(read(path)[1].images, plain)
