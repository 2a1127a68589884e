"""A child that lies about a file is a damaged file, whatever the lie; what is true comes through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tbd_app.errors import CorruptMedia
from tbd_app.media import answers, readers, sandbox
from tbd_app.media.open import open_media
from tbd_app.media.packets import MAX_INDEX_CHARS
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tbd_app.types import Content, Media
from tests.media import sandbox_jobs as jobs

LIMITS = Limits()
NAN, INF = float("nan"), float("inf")
N_BYTES = 5000
VIDEO = {
    "kind": "video", "width": 320, "height": 240, "fps": 25.0, "duration_s": 4.0, "n_frames": 100, "codec": "h264",
    "rotation_deg": 90, "warnings": ["The file is cut short."], "index": "[]",
}  # fmt: skip
IMAGE = VIDEO | {"kind": "image", "fps": None, "duration_s": None, "n_frames": 1, "index": ""}
ZIP = IMAGE | {"kind": "frames", "n_frames": 100}
CONTENTS = {
    "video": Content("video", "mov"),
    "image": Content("image", "PNG"),
    "frames": Content("zip", "zip"),
}
NO_NUMBERS: list[Any] = ["7", None, True, [7], {}, NAN, INF, -1, 0]
LIES: list[dict[str, Any]] = [
    *({"width": v} for v in (*NO_NUMBERS, 320.0, 10**9)),
    *({"height": v} for v in (*NO_NUMBERS, 240.0, 10**9)),
    *({"n_frames": v} for v in (*NO_NUMBERS, 100.0, N_BYTES + 1, 99)),
    *({"fps": v} for v in (*NO_NUMBERS, 24.0)),
    *({"duration_s": v} for v in (*NO_NUMBERS, 601.0)),
    *({"rotation_deg": v} for v in ("90", None, True, 45, 360, -90, 90.0)),
    *({"codec": v} for v in (None, 7, "", "h264\x1b[31m", "<b>", "x" * 41)),
    *({"kind": v} for v in (None, 7, "frames", "image", "film", ["video"])),
    *({"warnings": v} for v in (None, "cut", [7], ["x" * 501], ["\x1b[2J"], ["a\nb"], ["x"] * 101)),
    *({"index": v} for v in (None, 7, "x" * (MAX_INDEX_CHARS + 1))),
    {"path": "/etc/passwd"},
    {"sha256": "0" * 64},
]


def fields(info: dict[str, Any], limits: Limits = LIMITS) -> dict[str, Any]:
    return answers.media_fields(dict(info), CONTENTS[info["kind"]], N_BYTES, limits)


@pytest.mark.parametrize("info", [VIDEO, IMAGE, ZIP], ids=lambda i: i["kind"])
def test_what_may_be_true_comes_through(info) -> None:
    got = fields(info)
    assert got["content"] == replace(CONTENTS[info["kind"]], index=info["index"])
    assert got["warnings"] == ("The file is cut short.",)
    assert all(got[k] == v for k, v in info.items() if k not in ("index", "warnings"))


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: str(lie)[:40])
def test_a_lie_about_a_file_is_damage(lie) -> None:
    with pytest.raises(CorruptMedia, match="cannot be true"):
        answers.media_fields(VIDEO | lie, CONTENTS["video"], N_BYTES, LIMITS)


@pytest.mark.parametrize("missing", sorted(answers.FIELDS))
def test_all_is_said(missing) -> None:
    with pytest.raises(CorruptMedia):
        answers.media_fields(
            {k: v for k, v in VIDEO.items() if k != missing}, CONTENTS["video"], N_BYTES, LIMITS
        )


@pytest.mark.parametrize(
    ("info", "limits"),
    [
        (VIDEO, Limits(max_frame_mpx=0.07)),
        (VIDEO, Limits(max_duration_s=3.9)),
        (IMAGE, Limits(max_image_mpx=0.07)),
        (IMAGE | {"n_frames": 2}, LIMITS),
        (IMAGE | {"fps": 25.0}, LIMITS),
        (ZIP, Limits(max_zip_frames=99)),
    ],
)
def test_limits_hold_for_what_is_said_too(info, limits) -> None:
    with pytest.raises(CorruptMedia):
        fields(info, limits)


def media(kind: str) -> Media:
    info = {"video": VIDEO, "image": IMAGE, "frames": ZIP}[kind]
    return Media(path=Path("a"), name="a", sha256="", bytes=N_BYTES, **fields(info))


def frames(
    kind: str = "video", n: int = 4, sizes: tuple = ((24, 32, 3),) * 3, limits: Limits = LIMITS, **lie
):
    truth = {"indices": [0, 50, 99], "times_s": [0.0, 2.0, 3.96], "warnings": [], "sent": 7}
    return answers.frames(truth | lie, [np.zeros(s, np.uint8) for s in sizes], media(kind), n, limits)


def test_true_frames_come_through() -> None:
    got = frames()
    assert (got.indices.tolist(), got.times_s.tolist(), got.requested, len(got)) == (
        [0, 50, 99],
        [0, 2, 3.96],
        4,
        3,
    )
    assert len(frames("frames", times_s=[0, 50, 99])) == 3
    assert len(frames("image", sizes=((24, 32, 3),), indices=[0], times_s=[0])) == 1


@pytest.mark.parametrize(
    "lie",
    [
        {"indices": [0, 50]},
        {"indices": [0, 50, 50]},
        {"indices": [50, 0, 99]},
        {"indices": [-1, 50, 99]},
        {"indices": [0, 50, 10**20]},
        {"indices": [0, 50.0, 99]},
        {"indices": [False, 50, 99]},
        {"indices": {"0": 0}},
        {"indices": "abc"},
        {"times_s": [0.0, 2.0]},
        {"times_s": [0.0, NAN, 3.96]},
        {"times_s": [0.0, 2.0, INF]},
        {"times_s": [0.0, 2.0, 10**400]},
        {"times_s": [-0.1, 2.0, 3.96]},
        {"times_s": [0.0, 3.0, 2.0]},
        {"times_s": [0.0, "2", 3.96]},
        {"times_s": None},
        {"warnings": None},
        {"warnings": ["\x07"]},
        {"sizes": ()},
        {"sizes": ((24, 32, 3),) * 2},
        {"n": 2},
        {"limits": Limits(max_frame_mpx=0.0007)},
        {"kind": "frames", "indices": [0, 50, 100]},
        {"kind": "image"},
    ],
    ids=lambda lie: str(lie)[:40],
)  # fmt: skip
def test_a_lie_about_frames_is_damage(lie) -> None:
    with pytest.raises(CorruptMedia, match="cannot be true"):
        frames(**lie)


@pytest.mark.parametrize("n_bytes", [0, -1, 13, 6.0, True, None, "6"])
def test_a_film_is_as_long_as_its_pixels_at_most(n_bytes) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    assert answers.film({"bytes": 11, "mute": True}, [array]) == (bytes(range(11)), True)
    with pytest.raises(CorruptMedia):
        answers.film({"bytes": n_bytes, "mute": False}, [array])
    with pytest.raises(CorruptMedia):
        answers.film({"bytes": 11, "mute": False}, [])
    with pytest.raises(CorruptMedia):
        answers.film({"bytes": 11, "mute": 0}, [array])


def written(path: Path, answer: dict[str, Any]) -> Path:
    """A file that looks like a picture and holds what the child is to say."""
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + json.dumps(answer).encode())
    return path


@pytest.fixture
def lying_reader(monkeypatch) -> None:
    monkeypatch.setitem(readers.READERS, "image", readers.Reader(jobs.lying_probe, jobs.lying_decode))


@pytest.mark.usefixtures("lying_reader")
def test_no_lie_of_a_real_child_becomes_media_or_frames(tmp_path) -> None:
    truth = {k: v for k, v in IMAGE.items() if k != "index"}
    frame = {"indices": [0], "times_s": [0.0], "warnings": []}
    honest = open_media(written(tmp_path / "a", truth | frame), LIMITS)
    assert (honest.width, len(sample(honest, 8, LIMITS))) == (320, 1)
    for lie in ({"width": 10**9}, {"n_frames": NAN}, {"path": "/etc/passwd"}):
        with pytest.raises(CorruptMedia, match="cannot be true"):
            open_media(written(tmp_path / "b", truth | lie), LIMITS)
    for lie in ({"indices": [3]}, {"times_s": [INF]}, {"times_s": []}):
        liar = replace(honest, path=written(tmp_path / "b", frame | lie))
        with pytest.raises(CorruptMedia, match="cannot be true"):
            sample(liar, 8, LIMITS)
    sandbox.close()


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[" * 100_000,
        '{"info": {}}',
        '{"info": 7, "shapes": []}',
        '{"info": {}, "shapes": [["2", 2, 3]], "places": [0]}',
        '{"info": {}, "shapes": [[2.5, 2, 3]], "places": [0]}',
        '{"info": {}, "shapes": [[2, 2, 3]], "places": [-5]}',
        '{"info": {}, "shapes": [[2, 2, 3]], "places": [1e400]}',
        '{"error": 7}',
        '{"error": {"code": "too_long"}}',
        '{"error": {"code": ["too_long"], "message": "x"}}',
        '{"error": {"code": "too_long", "message": 7}}',
        '{"error": {"code": "too_long", "message": "x", "limit": "many"}}',
        '{"error": {"code": "too_long", "message": "x", "advice": "run this"}}',
        '{"error": {"code": "too_long", "message": "\\u001b[2J"}}',
        '{"error": {"code": "weights_corrupt", "message": "x"}}',
    ],
    ids=lambda text: text[:60],
)  # fmt: skip
def test_whatever_a_child_writes_the_file_is_damaged(text) -> None:
    with pytest.raises(CorruptMedia) as caught:
        sandbox.run(jobs.say, LIMITS, text=text)
    assert type(caught.value) is CorruptMedia
    sandbox.close()
