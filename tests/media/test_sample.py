import gc
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tbd_app.errors import CorruptMedia, TooManyPixels
from tbd_app.media import video
from tbd_app.media.open import open_media
from tbd_app.media.packets import uniform_indices
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tests.media_factory import VFR_TICKS, encode, faceless_frame, portrait_clip, portrait_frame

LIMITS = Limits()
SMALL = (96, 64)
N = 120  # ten groups of pictures
TWO_B = {"bf": "2"}

# name: (file, encoding, whether seeking must save work)
CODECS = {
    "h264 closed gop": ("a.mp4", {"codec": "libx264", "options": {"bf": "3", "preset": "fast"}}, True),
    "h264 open gop": (
        "a.mkv",
        {"codec": "libx264", "options": {"bf": "3", "x264-params": "open-gop=1"}},
        True,
    ),
    "h264 variable rate": ("a.mov", {"codec": "libx264", "vfr": True}, True),
    "h264 transport stream": ("a.ts", {"codec": "libx264"}, True),
    "h264 avi": ("a.avi", {"codec": "libx264", "options": {"bf": "3"}}, False),
    "hevc open gop": ("a.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}, True),
    "hevc 10 bit": (
        "a.mp4",
        {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}},
        True,
    ),
    "vp8 hidden frames": (
        "a.webm",
        {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "b": "50k"}, "crf": None},
        True,
    ),
    "vp9": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}, True),
    "av1": ("a.mp4", {"codec": "libsvtav1", "crf": 40, "options": {"preset": "12"}}, True),
    "mpeg4": ("a.mp4", {"codec": "mpeg4", "crf": None, "options": TWO_B}, True),
    "mpeg4 avi": ("a.avi", {"codec": "mpeg4", "crf": None, "options": TWO_B}, True),
    "mpeg2 program stream": ("a.mpg", {"codec": "mpeg2video", "crf": None, "options": TWO_B}, False),
    "raw h264": ("a.h264", {"codec": "libx264", "options": {"bf": "3"}}, False),
    "h263": ("a.3gp", {"codec": "h263", "crf": None, "size": (176, 144), "aspect": Fraction(1)}, True),
    "mjpeg": ("a.avi", {"codec": "mjpeg", "crf": None, "pix_fmt": "yuvj420p"}, True),
}


def every_frame(path):
    """An independent decode of all, by the plainest means."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def demuxer(path):
    kinds = {".mkv": "matroska", ".webm": "matroska", ".avi": "avi", ".ts": "mpegts", ".mpg": "mpeg"}
    return kinds.get(path.suffix, "h264" if path.suffix == ".h264" else "mov")


def decode(path, n, limits=LIMITS):
    """Both jobs, as `open_media` and `sample` run them: what the probe wrote down is what is decoded by."""
    args = {"limits": limits, "path": str(path), "format_name": demuxer(path)}
    info, _ = video.probe(**args)
    return video.decode(**args, n_frames=info["n_frames"], n=n, index=info["index"])


@pytest.mark.parametrize("name", CODECS)
def test_seeking_gives_the_frames_of_a_full_decode(tmp_path, name):
    file, encoding, seeks = CODECS[name]
    path = portrait_clip(tmp_path / file, n_frames=N, **{"size": SMALL, **encoding})
    full = every_frame(path)
    info, arrays = decode(path, 8)
    assert info["indices"] == uniform_indices(len(full), 8)
    for i, array in zip(info["indices"], arrays, strict=True):
        np.testing.assert_array_equal(array, full[i])
    assert len(full) == N
    assert info["warnings"] == []
    if seeks:
        assert info["sent"] < N


def test_long_video_is_decoded_in_small_part(tmp_path):
    path = portrait_clip(
        tmp_path / "long.mp4", n_frames=3000, size=(64, 48), gop=30, options={"preset": "ultrafast"}
    )
    info, arrays = decode(path, 32)
    assert info["indices"] == uniform_indices(3000, 32)
    assert len(arrays) == 32
    assert info["sent"] < 1000


def test_times_are_those_of_presentation(tmp_path):
    path = portrait_clip(tmp_path / "vfr.mkv", n_frames=60, size=SMALL, vfr=True, fps=25)
    info, _ = decode(path, 60)
    ticks = np.cumsum([0, *(VFR_TICKS[i % len(VFR_TICKS)] for i in range(59))])
    assert info["times_s"] == pytest.approx(ticks / 25, abs=1e-3)


def test_times_start_at_zero_where_timestamps_do_not(tmp_path):
    info, _ = decode(portrait_clip(tmp_path / "a.ts", n_frames=10, size=SMALL), 10)
    assert info["times_s"] == pytest.approx(np.arange(10) / 25)


def test_times_of_a_video_whose_timestamps_are_a_guess(tmp_path):
    path = portrait_clip(tmp_path / "a.avi", n_frames=20, size=SMALL, options={"bf": "3"})
    assert decode(path, 20)[0]["times_s"] == pytest.approx(np.arange(20) / 25)


def quarters(width, height):
    """Red and green above, blue and white below: no turn nor mirror leaves it as it is."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 0] = 255
    picture[: height // 2, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 2] = 255
    picture[height // 2 :, width // 2 :] = 255
    return picture


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("file", ["a.mp4", "a.mkv"])
def test_rotation_is_applied(tmp_path, rotation, file):
    picture = quarters(96, 64)
    path = encode(tmp_path / file, [picture] * 10, rotation=rotation)
    media = open_media(path, LIMITS)
    assert (media.width, media.height, media.rotation_deg) == (96, 64, rotation)
    got = sample(media, 8, LIMITS).images[0]
    assert got.shape == picture.shape
    # the middle of each quarter, away from the blurred edges
    assert np.abs(got[16::32, 24::48].astype(int) - picture[16::32, 24::48]).max() < 12


def test_mirrored_video_is_mirrored_back(tmp_path):
    picture = quarters(96, 64)
    path = encode(tmp_path / "a.mp4", [picture] * 5, mirrored=True)
    _, arrays = decode(path, 1)
    assert np.abs(arrays[0][16::32, 24::48].astype(int) - picture[16::32, 24::48]).max() < 12


def test_odd_size_and_sound(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", size=(161, 121), pix_fmt="yuv444p", audio=True)
    media = open_media(path, LIMITS)
    assert (media.width, media.height, media.n_frames) == (161, 121, 30)
    assert sample(media, 8, LIMITS).images[0].shape == (121, 161, 3)


def test_colours_survive(tmp_path):
    path = encode(tmp_path / "a.mp4", [faceless_frame(0, (320, 240))] * 5, crf=5, pix_fmt="yuv444p")
    _, arrays = decode(path, 1)
    assert np.abs(arrays[0].astype(int) - faceless_frame(0, (320, 240))).mean() < 4


def test_short_clip_gives_what_it_has(tmp_path):
    media = open_media(portrait_clip(tmp_path / "a.mp4", n_frames=3, size=SMALL), LIMITS)
    got = sample(media, 8, LIMITS)
    assert got.indices.tolist() == [0, 1, 2]
    assert got.requested == 8


def test_frames_that_do_not_fit_are_reduced(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=10, size=(320, 240))
    info, arrays = decode(path, 10, Limits(max_decoded_mb=1))
    assert sum(a.nbytes for a in arrays) <= 1e6
    assert arrays[0].shape[1] / arrays[0].shape[0] == pytest.approx(4 / 3, rel=0.03)
    assert "reduced" in info["warnings"][0]
    expected = np.asarray(
        Image.fromarray(portrait_frame(0)).resize(arrays[0].shape[1::-1], Image.Resampling.BOX)
    )
    assert np.abs(arrays[0].astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("size", "expected"), [((640, 360), (320, 180)), ((320, 180), (320, 180))])
def test_a_larger_frame_than_any_that_was_measured_is_reduced(tmp_path, size, expected):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=3, size=size)
    info, arrays = decode(path, 3, Limits(frame_mpx=320 * 180 / 1e6))
    assert {a.shape[1::-1] for a in arrays} == {expected}
    assert ("reduced" in " ".join(info["warnings"])) == (size != expected)


def test_decoded_frames_do_not_pile_up(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=40, size=(160, 120))
    gc.collect()
    gc.disable()
    try:
        decode(path, 40)
        left = sum(type(o) is av.VideoFrame for o in gc.get_objects())
    finally:
        gc.enable()
    assert left <= 4


def test_frame_with_too_many_pixels(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=2, size=(320, 240))
    with pytest.raises(TooManyPixels) as caught:
        decode(path, 8, Limits(max_frame_mpx=0.05))
    assert (caught.value.limit, caught.value.value) == (0.05, 0.077)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("file", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_cut_short_gives_what_decodes(tmp_path, share, file):
    options = {"container_options": {"movflags": "faststart"}} if file == "a.mp4" else {}
    codec = {"codec": "mpeg4", "crf": None} if file == "a.avi" else {}
    path = portrait_clip(tmp_path / file, n_frames=100, size=(160, 120), **options, **codec)
    whole = every_frame(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    media = open_media(path, LIMITS)
    got = sample(media, 8, LIMITS)
    assert len(got) == 8
    assert 0 < got.indices[-1] < 99
    assert got.indices.tolist() == uniform_indices(got.indices[-1] + 1, 8)
    assert 8 < media.n_frames < 100
    if file != "a.ts":  # has no header that promises more
        assert "cut short" in media.warnings[0]
    for i, image in list(zip(got.indices, got.images, strict=True))[:-1]:
        np.testing.assert_array_equal(image, whole[i])


def test_wrong_frame_count_in_the_header(tmp_path):
    path = portrait_clip(tmp_path / "a.avi", n_frames=40, size=SMALL, codec="mpeg4", crf=None)
    content = bytearray(path.read_bytes())
    length = content.index(b"strh") + 8 + 32  # dwLength of the stream header
    assert int.from_bytes(content[length : length + 4], "little") == 40
    content[length : length + 4] = (4000).to_bytes(4, "little")
    path.write_bytes(content)
    media = open_media(path, LIMITS)
    assert media.n_frames == 40
    assert sample(media, 8, LIMITS).indices.tolist() == uniform_indices(40, 8)


def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=100, size=(160, 120), gop=10)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat")
    middle = start + (len(content) - start) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    got = sample(open_media(path, LIMITS), 32, LIMITS)
    assert len(got) == 32


def test_nothing_to_decode(tmp_path):
    path = portrait_clip(tmp_path / "a.mp4", n_frames=10, size=SMALL)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    with pytest.raises(CorruptMedia):
        open_media(path, LIMITS)


def test_a_video_is_read_whole_once(tmp_path, monkeypatch):
    """The timeline that the probe reads is what the frames are decoded by."""
    path = portrait_clip(tmp_path / "a.mp4", n_frames=60, size=SMALL)
    args = {"limits": LIMITS, "path": str(path), "format_name": "mov"}
    info, _ = video.probe(**args)
    again = {**args, "n_frames": 60, "n": 8}
    without, plain = video.decode(**again, index="")
    monkeypatch.setattr(video, "_timeline", None)
    got, arrays = video.decode(**again, index=info["index"])
    assert got == without
    np.testing.assert_array_equal(arrays, plain)


def test_a_timeline_of_another_file_leads_to_one_pass(tmp_path):
    """A file that changed after it was looked at gives its own frames."""
    long = portrait_clip(tmp_path / "long.mp4", n_frames=60, size=SMALL, fps=30, vfr=True)
    short = portrait_clip(tmp_path / "short.mp4", n_frames=20, size=SMALL)
    info, _ = video.probe(limits=LIMITS, path=str(long), format_name="mov")
    args = {"limits": LIMITS, "path": str(short), "format_name": "mov", "n": 8}
    got, arrays = video.decode(**args, n_frames=60, index=info["index"])
    assert got["indices"] == uniform_indices(20, 8)
    assert len(arrays) == 8


def test_what_a_file_is_is_found_once(tmp_path, monkeypatch):
    media = open_media(portrait_clip(tmp_path / "a.jpg", n_frames=12, size=SMALL, container="mp4"), LIMITS)
    assert (media.content.reader, media.content.format) == ("video", "mov")
    monkeypatch.setattr("tbd_app.media.open.sniff", None)
    assert len(sample(media, 8, LIMITS)) == 8
