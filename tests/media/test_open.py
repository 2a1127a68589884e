import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tbd_app import errors
from tbd_app.media import sandbox
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tests.media.test_sandbox import children
from tests.media_factory import (
    audio_only,
    faceless_clip,
    frames_zip,
    portrait_animation,
    portrait_clip,
    portrait_image,
    zip_of,
)

LIMITS = Limits()
SMALL = (96, 64)
SHARED_CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    """The work leaves no temporary file, no child process, and nothing beside its input."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(temp.iterdir()) == []
    assert len(list(folder.rglob("*"))) <= 1
    sandbox.close()  # the decoder that waits for a next file
    assert children() == []


def make(path, kind):
    return {
        "video": lambda: portrait_clip(path, n_frames=12, size=SMALL, container="mp4"),
        "webm": lambda: portrait_clip(path, n_frames=12, size=SMALL, container="webm", codec="libvpx-vp9"),
        "gif": lambda: portrait_animation(path, size=SMALL, format="GIF"),
        "image": lambda: portrait_image(path, size=SMALL, format="PNG"),
        "frames": lambda: frames_zip(path, size=SMALL),
    }[kind]()


@pytest.mark.parametrize(
    ("name", "made", "kind", "codec"),
    [
        ("clip.mp4", "video", "video", "h264"),
        ("clip.jpg", "video", "video", "h264"),
        ("clip", "webm", "video", "vp9"),
        ("clip.png", "gif", "video", "gif"),
        ("photo.mp4", "image", "image", "png"),
        ("photo.zip", "image", "image", "png"),
        ("frames.mov", "frames", "frames", "png"),
        ("concat:%03d|[*].mp4", "video", "video", "h264"),
        ("Grüße und Küsse.zip", "frames", "frames", "png"),
    ],
)
def test_content_decides_and_not_the_name(nothing_left, name, made, kind, codec):
    path = make(nothing_left / name, made)
    media = open_media(path, LIMITS)
    assert (media.kind, media.codec, media.name) == (kind, codec, name)
    assert (media.width, media.height) == SMALL
    assert media.n_frames == (1 if kind == "image" else 12)
    assert media.bytes == path.stat().st_size
    assert media.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    frames = sample(media, 8, LIMITS)
    assert len(frames) == min(8, media.n_frames)
    assert all(f.shape == (64, 96, 3) and f.dtype == np.uint8 for f in frames.images)


def test_times_of_a_video(nothing_left):
    media = open_media(faceless_clip(nothing_left / "a.mp4", n_frames=30, size=SMALL, fps=30), LIMITS)
    assert media.fps == pytest.approx(30)
    assert media.duration_s == pytest.approx(1.0)
    frames = sample(media, 8, LIMITS)
    assert frames.times_s.dtype == np.float64
    assert frames.times_s == pytest.approx(frames.indices / 30)


def test_relative_paths_and_strings(nothing_left):
    make(nothing_left / "a.mp4", "video")
    assert sample(open_media("a.mp4", LIMITS), 8, LIMITS).indices.tolist() == [0, 2, 3, 5, 6, 8, 9, 11]


def text(path):
    path.write_text("This is a diary, not a film. " * 100)


def playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


def magic_and_noise(magic):
    return lambda path: path.write_bytes(magic + np.random.default_rng(0).bytes(20_000))


def cut_mp4(n_bytes):
    def write(path):
        portrait_clip(path, n_frames=20, size=SMALL)
        path.write_bytes(path.read_bytes()[:n_bytes])

    return write


HOSTILE = {
    "empty": (lambda p: p.write_bytes(b""), errors.EmptyFile, {}),
    "missing": (lambda p: None, errors.FileMissing, {}),
    "folder": (lambda p: p.mkdir(), errors.FileMissing, {}),
    "text": (text, errors.NotMedia, {}),
    "playlist": (playlist, errors.NotMedia, {}),
    "pdf": (magic_and_noise(b"%PDF-1.7\n"), errors.NotMedia, {}),
    "sound only": (lambda p: audio_only(p), errors.NotMedia, {}),
    "mp4 of noise": (magic_and_noise(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"), errors.CorruptMedia, {}),
    "mkv of noise": (magic_and_noise(b"\x1a\x45\xdf\xa3"), errors.CorruptMedia, {}),
    "avi of noise": (magic_and_noise(b"RIFF\0\0\1\0AVI LIST"), errors.CorruptMedia, {}),
    "mpeg of noise": (magic_and_noise(b"\0\0\1\xba"), errors.CorruptMedia, {}),
    "png of noise": (magic_and_noise(b"\x89PNG\r\n\x1a\n"), errors.CorruptMedia, {}),
    "jpeg of noise": (magic_and_noise(b"\xff\xd8\xff\xe0"), errors.CorruptMedia, {}),
    "gif of noise": (
        magic_and_noise(b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\x0f"),
        errors.CorruptMedia,
        {},
    ),
    "zip of noise": (magic_and_noise(b"PK\3\4"), errors.CorruptMedia, {}),
    "mp4 cut in its head": (cut_mp4(30), errors.CorruptMedia, {}),
    "mp4 cut before its index": (cut_mp4(2000), errors.CorruptMedia, {}),
    "too many bytes": (magic_and_noise(b"\x1a\x45\xdf\xa3"), errors.TooLarge, {"max_file_mb": 0.01}),
    "too long": (
        lambda p: portrait_clip(p, n_frames=30, size=SMALL, fps=10),
        errors.TooLong,
        {"max_duration_s": 2},
    ),
    "too many pixels in a picture": (
        lambda p: portrait_image(p, size=SMALL, format="PNG"),
        errors.TooManyPixels,
        {"max_image_mpx": 0.005},
    ),
    "too many pixels in a video": (
        lambda p: portrait_clip(p, n_frames=2, size=(320, 240)),
        errors.TooManyPixels,
        {"max_frame_mpx": 0.05},
    ),
    "too many frames": (
        lambda p: frames_zip(p, n_frames=5, size=SMALL),
        errors.TooManyFrames,
        {"max_zip_frames": 4},
    ),
    "bomb": (lambda p: zip_of(p, {"a.png": bytes(50_000_000)}), errors.UnpackRatio, {}),
    "path trick": (lambda p: zip_of(p, {"../../a.png": b"x"}), errors.UnsafeZipPath, {}),
    "zip in a zip": (lambda p: zip_of(p, {"a.zip": b"PK\5\6" + bytes(18)}), errors.NestedZip, {}),
    "no time": (
        lambda p: portrait_clip(p, n_frames=60, size=SMALL),
        errors.DecodeTimeout,
        {"decode_timeout_s": 0.0001},  # a decoder that waits already answers within milliseconds
    ),
    "no memory": (
        lambda p: portrait_clip(p, n_frames=5, size=SMALL),
        errors.CorruptMedia,
        {"decode_memory_mb": 50},
    ),
}
WITH_LIMIT = (
    errors.TooLarge,
    errors.TooLong,
    errors.TooManyPixels,
    errors.TooManyFrames,
    errors.UnpackRatio,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_ends_in_a_clear_error(nothing_left, name):
    write, error_class, limits = HOSTILE[name]
    path = nothing_left / "upload.mp4"
    write(path)
    with pytest.raises(errors.InputError) as caught:
        open_media(path, Limits(**limits))
    error = caught.value
    assert type(error) is error_class
    assert error.code == error_class.code
    assert error.message[0].isupper() or error.message[0] == "'"
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert str(nothing_left) not in error.message
    if error_class in WITH_LIMIT:
        assert error.value > error.limit
        assert f"{error.limit:g}" in error.message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read anything")
def test_unreadable_file(tmp_path):
    path = make(tmp_path / "a.mp4", "video")
    path.chmod(0)
    with pytest.raises(errors.FileMissing, match="cannot be read"):
        open_media(path, LIMITS)


def random_damage(content, rng):
    """Overwrite some runs of bytes, and sometimes cut the end off."""
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 8)):
        start = int(rng.integers(0, len(damaged)))
        run = rng.bytes(int(rng.integers(1, 64)))
        damaged[start : start + len(run)] = run
    return bytes(damaged[: int(rng.integers(len(damaged) // 2, len(damaged) + 1))])


@pytest.mark.parametrize("kind", ["video", "webm", "gif", "image", "frames"])
def test_random_damage_gives_frames_or_a_clear_error(nothing_left, kind):
    path = make(nothing_left / "upload", kind)
    content = path.read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(3):
        path.write_bytes(random_damage(content, rng))
        try:
            frames = sample(open_media(path, LIMITS), 8, LIMITS)
        except errors.InputError as error:
            assert error.message.endswith("."), error.message  # noqa: PT017 - either end is right
        else:
            assert 1 <= len(frames) <= 8
            assert (np.diff(frames.indices) > 0).all()
            assert (np.diff(frames.times_s) > 0).all()


def shared_clips():
    """A dozen clips over every container there is."""
    by_suffix = {}
    for path in sorted(SHARED_CLIPS.rglob("*.*")):
        by_suffix.setdefault(path.suffix, []).append(path)
    return [p for paths in by_suffix.values() for p in paths[:: max(1, len(paths) // 3)][:4]]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED_CLIPS.is_dir(), reason="the shared clips are not here")
@pytest.mark.parametrize("path", shared_clips(), ids=lambda p: p.name)
def test_clips_from_the_wild(path):
    media = open_media(path, LIMITS)
    frames = sample(media, 8, LIMITS)
    assert len(frames) == 8
    assert frames.indices[-1] == media.n_frames - 1
    assert frames.images[0].shape == (media.height, media.width, 3)
    assert frames.times_s[-1] < media.duration_s
    assert media.warnings == frames.warnings == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_who_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(errors.FileMissing, match="a named pipe"):
        open_media(tmp_path / "clip.mp4", LIMITS)
