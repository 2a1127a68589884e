"""The annotated video: same length and shape as the original, boxes where and when the faces are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import ImageColor

from tbd_app.errors import CorruptMedia, NotMedia, TooManyPixels
from tbd_app.media import ffmpeg
from tbd_app.media.open import open_media
from tbd_app.report import annotate, palette
from tbd_app.settings import Limits
from tbd_app.types import Report
from tests import media_factory
from tests.report_factory import make_report

BOX = np.array([80, 60, 160, 180], np.float32)  # xyxy px of a 320x240 frame


def report_of(path: Path, times_s: list[float], positions: list[int] | None = None) -> Report:
    """A report about a real file with one person, who stays in `BOX` at the given times."""
    base, n = make_report(n_people=1), len(times_s)
    person = base.people[0]
    track = replace(
        person.track,
        positions=np.array(positions or range(n)),
        boxes=np.tile(BOX, (n, 1)),
        landmarks=np.zeros((n, 5, 2), np.float32),
    )
    scores = tuple(
        replace(s, frame_fake_prob=s.frame_fake_prob and tuple(np.linspace(0.2, 0.9, n)))
        for s in person.scores
    )
    person = replace(
        person, track=track, times_s=tuple(times_s), span_s=(times_s[0], times_s[-1]), scores=scores
    )
    media = open_media(path, Limits())
    counts = replace(base.frames, size=(media.width, media.height))
    return replace(base, media=media, people=(person,), frames=counts, snapshots=())


def written(path: Path) -> tuple[list[float], np.ndarray]:
    """Times and (T,H,W,3) frames of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.time for f in frames], np.stack([f.to_ndarray(format="rgb24") for f in frames])


def box_is_drawn(frame: np.ndarray, box: np.ndarray = BOX) -> bool:
    """Whether the left and right edges of a box have the person's colour (H.264 blurs colours)."""
    x0, y0, x1, y1 = box.astype(int)
    want = np.array(ImageColor.getrgb(palette.person(0)))
    edges = np.concatenate([frame[y0 + 10 : y1 - 10, x0 : x0 + 2], frame[y0 + 10 : y1 - 10, x1 - 1 : x1 + 1]])
    return bool(np.abs(edges.mean(axis=(0, 1)) - want).mean() < 40)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=24)


def test_every_frame_is_there_and_the_box_follows(clip, tmp_path) -> None:
    annotate.write(report_of(clip, [0.0, 0.48, 0.92]), clip, tmp_path / "out.mp4")
    times, frames = written(tmp_path / "out.mp4")
    assert frames.shape == (24, 240, 320, 3)
    np.testing.assert_allclose(times, np.arange(24) / 25, atol=1e-3)
    assert all(box_is_drawn(f) for f in frames)
    assert not (tmp_path / "out.part").exists()


def test_no_frame_score_stands_beside_the_verdict_of_the_clip(clip) -> None:
    report = report_of(clip, [0.0, 0.48])
    track = annotate._track(report.people[0], report)
    for time_s in (0.0, 0.2, 0.48):
        box = annotate._box_at(track, time_s, (240, 320, 3))
        assert box is not None
        assert box.caption == "A: clear signs"


def test_no_box_where_nobody_was_seen(clip, tmp_path) -> None:
    report = report_of(clip, [0.2, 0.32, 0.6, 0.72], positions=[1, 2, 5, 6])
    annotate.write(report, clip, tmp_path / "out.mp4")
    times, frames = written(tmp_path / "out.mp4")
    drawn = [t for t, f in zip(times, frames, strict=True) if box_is_drawn(f)]
    np.testing.assert_allclose(drawn, [0.2, 0.24, 0.28, 0.32, 0.6, 0.64, 0.68, 0.72], atol=1e-3)


def test_boxes_measured_on_smaller_frames_fit_the_video(clip, tmp_path) -> None:
    report = report_of(clip, [0.0, 0.92])
    person = report.people[0]
    halved = replace(person, track=replace(person.track, boxes=person.track.boxes / 2))
    counts = replace(report.frames, size=(160, 120))
    annotate.write(replace(report, people=(halved,), frames=counts), clip, tmp_path / "out.mp4")
    assert box_is_drawn(written(tmp_path / "out.mp4")[1][0])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_phone_video_comes_out_upright(rotation, tmp_path) -> None:
    path = media_factory.portrait_clip(tmp_path / "phone.mp4", n_frames=6, rotation=rotation)
    annotate.write(report_of(path, [0.0, 0.2]), path, tmp_path / "out.mp4")
    _, frames = written(tmp_path / "out.mp4")
    assert frames.shape[1:3] == (240, 320)
    plain = media_factory.portrait_frame(0)
    assert np.abs(frames[0, 190:].astype(int) - plain[190:]).mean() < 12  # below the box and its caption


def test_a_mirrored_video_comes_out_as_it_was_analysed(tmp_path) -> None:
    plain = media_factory.portrait_frame(0)
    path = media_factory.encode(tmp_path / "selfie.mp4", [plain] * 6, mirrored=True)
    annotate.write(report_of(path, [0.0, 0.2]), path, tmp_path / "out.mp4")
    _, frames = written(tmp_path / "out.mp4")
    assert np.abs(frames[0, 190:].astype(int) - plain[190:]).mean() < 12


def test_variable_frame_rate_keeps_its_times(tmp_path) -> None:
    path = media_factory.portrait_clip(tmp_path / "vfr.mp4", n_frames=12, vfr=True)
    annotate.write(report_of(path, [0.0, 0.5]), path, tmp_path / "out.mp4")
    with av.open(str(path)) as container:
        original = [f.time for f in container.decode(video=0)]
    times, _ = written(tmp_path / "out.mp4")
    np.testing.assert_allclose(np.diff(times), np.diff(original), atol=2e-3)


@pytest.mark.parametrize(
    ("size", "expected"), [((321, 241), (320, 240)), ((2000, 1000), (1280, 640)), ((500, 1600), (400, 1280))]
)
def test_sizes_are_even_and_bounded(size, expected, tmp_path) -> None:
    path = media_factory.portrait_clip(tmp_path / "clip.mkv", n_frames=3, size=size, pix_fmt="yuv444p")
    annotate.write(report_of(path, [0.0, 0.08]), path, tmp_path / "out.mp4")
    _, frames = written(tmp_path / "out.mp4")
    assert (frames.shape[2], frames.shape[1]) == expected


def test_an_animation_becomes_a_video(tmp_path) -> None:
    path = media_factory.portrait_animation(tmp_path / "moving.gif", n_frames=6, size=(320, 240))
    annotate.write(report_of(path, [0.0, 0.4]), path, tmp_path / "out.mp4")
    times, frames = written(tmp_path / "out.mp4")
    np.testing.assert_allclose(times, np.arange(6) * 0.08, atol=2e-3)
    assert box_is_drawn(frames[2])


def test_a_cut_file_gives_what_can_be_read(tmp_path) -> None:
    path = media_factory.portrait_clip(tmp_path / "clip.mkv", n_frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    annotate.write(report_of(path, [0.0, 0.2]), path, tmp_path / "out.mp4")
    assert 5 < len(written(tmp_path / "out.mp4")[0]) < 30


def test_a_picture_has_no_video(tmp_path) -> None:
    path = media_factory.portrait_image(tmp_path / "face.png")
    with pytest.raises(NotMedia, match="not a video"):
        annotate.write(report_of(path, [0.0]), path, tmp_path / "out.mp4")


def test_an_old_file_survives_a_failure(clip, tmp_path) -> None:
    report = report_of(clip, [0.0, 0.2])
    out = tmp_path / "out.mp4"
    out.write_bytes(b"older")
    clip.write_bytes(clip.read_bytes()[:200])
    with pytest.raises(CorruptMedia):
        annotate.write(report, clip, out)
    assert out.read_bytes() == b"older"


@pytest.mark.parametrize("make", ["portrait_clip", "portrait_animation"])
def test_limits_hold_for_the_annotated_video_too(make, tmp_path) -> None:
    name = {"portrait_clip": "a.mp4", "portrait_animation": "a.gif"}[make]
    path = getattr(media_factory, make)(tmp_path / name, n_frames=3, size=(320, 240))
    report = report_of(path, [0.0, 0.08])
    with pytest.raises(TooManyPixels) as caught:
        annotate.write(report, path, tmp_path / "out.mp4", Limits(max_frame_mpx=0.07))
    assert caught.value.limit == 0.07
    assert not list(tmp_path.glob("out*"))


def test_it_is_decoded_by_few_threads(clip, monkeypatch) -> None:
    decoded, seen = ffmpeg.decoded, []
    monkeypatch.setattr(ffmpeg.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(
        ffmpeg, "decoded", lambda c, s, t: seen.append(s.codec_context.thread_count) or decoded(c, s, t)
    )
    info, _ = annotate.annotate(limits=Limits(), path=str(clip), reader="video", format_name="mov", tracks=[])
    assert (info["frames"], set(seen)) == (24, {Limits().decode_threads})


def test_a_film_that_cannot_be_true_is_not_written(clip, tmp_path, monkeypatch) -> None:
    report = report_of(clip, [0.0, 0.2])
    monkeypatch.setattr(
        annotate.sandbox,
        "run",
        lambda *_, **__: ({"bytes": 99, "mute": False}, [np.zeros((1, 4, 3), np.uint8)]),
    )
    with pytest.raises(CorruptMedia, match="cannot be true"):
        annotate.write(report, clip, tmp_path / "out.mp4")
    assert not list(tmp_path.glob("out*"))


def test_ffmpeg_can_write_h264() -> None:
    assert "libx264" in annotate.ffmpeg_version()
