"""From a folder of media to cut faces: one small collection end to end, resuming, and what is told of trouble."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset

from tests.media_factory import faceless_clip, portrait_clip, portrait_image
from tests.training.layouts import touch
from training import extract_faces
from training.collect.cut import CutMedium, CutSettings, cut
from training.collect.medium import Medium
from training.collect.splits import shared_people
from training.collect.store import FaceWriter, read_failures
from training.extract_faces import Config, chosen, main
from training.faces.index import FACES

FRAMES = 3
CUT = CutSettings(frames=FRAMES)


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Path:
    """Two clips, two pictures, and two files that give no face."""
    root = tmp_path_factory.mktemp("media")
    for name in ("real", "fake/Toy"):
        (root / name).mkdir(parents=True)
    portrait_clip(root / "real" / "clip.mp4", n_frames=12)
    portrait_image(root / "real" / "picture.png", size=(480, 360))
    faceless_clip(root / "real" / "waves.mp4", n_frames=6)
    portrait_clip(root / "fake" / "Toy" / "clip.mp4", n_frames=9, size=(400, 400))
    portrait_image(root / "fake" / "Toy" / "picture.png", size=(480, 360), i=8)
    (root / "fake" / "Toy" / "broken.mp4").write_bytes(b"no video")
    return root


def config(collection: Path, out: Path, **options) -> Config:
    given = {"workers": 0, "faces_per_shard": 4, "random_split": "50/50", "cut": CUT} | options
    return Config(data=(f"folder={collection}",), out=out, **given)


@pytest.fixture(scope="module")
def shards(collection, tmp_path_factory) -> Path:
    """Cut by two worker processes."""
    out = tmp_path_factory.mktemp("shards")
    main(config(collection, out, workers=2))
    return out


@pytest.fixture(scope="module")
def alone(collection, tmp_path_factory) -> Path:
    """Cut by this process, without a stop."""
    out = tmp_path_factory.mktemp("alone")
    main(config(collection, out))
    return out


def contents(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_the_index_has_a_row_per_face(shards) -> None:
    table = pq.read_table(shards / "index.parquet")
    assert table.schema.equals(FACES)
    rows = table.to_pylist()
    assert [(r["media"], r["label"], r["method"], r["frame"]) for r in rows] == [
        *(("real/clip.mp4", 0, "", n) for n in (0, 6, 11)),
        ("real/picture.png", 0, "", 0),
        *(("fake/Toy/clip.mp4", 1, "Toy", n) for n in (0, 4, 8)),
        ("fake/Toy/picture.png", 1, "Toy", 0),
    ]
    assert {r["split"] for r in rows} == {"train", "val"}
    clip, picture = rows[0], rows[3]
    assert (clip["fps"], clip["frames"], clip["track_id"]) == (25, 12, 0)
    assert [r["kind"] for r in rows] == ["video"] * 3 + ["image"] + ["video"] * 3 + ["image"]
    assert rows[1]["time_s"] == pytest.approx(6 / 25)
    assert (picture["fps"], picture["frames"]) == (None, 1)
    assert clip["dataset"] == "folder"


def test_boxes_and_landmarks_lie_in_the_cut_picture(shards) -> None:
    for row in pq.read_table(shards / "index.parquet").to_pylist():
        with (shards / "shards" / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            image = cv2.imdecode(np.frombuffer(file.read(row["bytes"]), np.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        x0, y0, x1, y1 = row["box"]
        assert 0 <= x0 < x1 <= width
        assert 0 <= y0 < y1 <= height
        left_eye, right_eye, nose, *_ = np.array(row["landmarks"]).reshape(5, 2)
        assert x0 < left_eye[0] < nose[0] < right_eye[0] < x1
        assert max(width, height) <= 400


def test_shards_are_webdatasets(shards) -> None:
    names = sorted(p.name for p in (shards / "shards").iterdir())
    assert names == ["000000.tar", "000001.tar"]
    url = str(shards / "shards" / "{000000..000001}.tar")
    samples = list(webdataset.WebDataset(url, shardshuffle=False).decode("rgb8"))
    assert len(samples) == 8
    assert samples[0]["json"]["media"] == "real/clip.mp4"
    assert samples[0]["jpg"].dtype == np.uint8


def test_media_without_faces_are_listed_with_the_reason(shards, capsys) -> None:
    failures = {row["media"]: row["reason"] for row in read_failures(shards)}
    assert failures.keys() == {"real/waves.mp4", "fake/Toy/broken.mp4"}
    assert "No face was found" in failures["real/waves.mp4"]
    assert "not a video" in failures["fake/Toy/broken.mp4"]


def test_workers_do_not_change_the_result(alone, shards) -> None:
    ours, theirs = (pq.read_table(out / "index.parquet").to_pylist() for out in (alone, shards))
    assert [r["path"] for r in ours] == [r["path"] for r in theirs]
    for row, other in zip(ours, theirs, strict=True):
        assert row["box"] == pytest.approx(
            other["box"], abs=0.1
        )  # the detector's last digits depend on its threads
        assert row["landmarks"] == pytest.approx(other["landmarks"], abs=0.1)


@pytest.mark.parametrize("finished", [2, 5])
def test_a_killed_run_goes_on_to_the_same_result(collection, alone, tmp_path, finished) -> None:
    """As after SIGKILL: what is on the disk is all that is left, and no writer was closed."""
    ours = config(collection, tmp_path)
    writer = FaceWriter(tmp_path, "shards", ours.faces_per_shard)
    for medium in chosen(ours)[:finished]:
        writer.add(medium, cut(medium, CUT))
    assert not (tmp_path / "index.parquet").exists()
    del writer
    main(ours)
    assert contents(tmp_path) == contents(alone)


def test_ctrl_c_keeps_what_is_whole_and_goes_on(collection, alone, tmp_path, monkeypatch) -> None:
    ours, served = config(collection, tmp_path), []

    def interrupted(medium: Medium, settings: CutSettings) -> CutMedium:
        served.append(medium)
        if len(served) == 4:
            raise KeyboardInterrupt
        return cut(medium, settings)

    monkeypatch.setattr(extract_faces, "cut", interrupted)
    with pytest.raises(SystemExit, match="Stopped; the same command goes on"):
        main(ours)
    assert pq.read_table(tmp_path / "index.parquet").num_rows == 4  # the finished shard
    monkeypatch.undo()
    main(ours)
    assert contents(tmp_path) == contents(alone)


def test_a_finished_run_cuts_nothing_again(collection, shards, tmp_path, monkeypatch) -> None:
    shutil.copytree(shards, tmp_path / "out")
    before = contents(tmp_path / "out")
    monkeypatch.setattr(extract_faces, "cut", lambda *_: pytest.fail("cut again"))
    main(config(collection, tmp_path / "out"))
    assert contents(tmp_path / "out") == before


def test_a_deleted_failure_is_tried_again(collection, shards, tmp_path) -> None:
    media = shutil.copytree(collection, tmp_path / "media")
    out = shutil.copytree(shards, tmp_path / "out")
    portrait_clip(media / "fake" / "Toy" / "broken.mp4", n_frames=6)
    lines = (out / "failures.csv").read_text().splitlines(keepends=True)
    (out / "failures.csv").write_text("".join(line for line in lines if "broken" not in line))
    main(config(media, out))
    rows = pq.read_table(out / "index.parquet").to_pylist()
    assert [r["media"] for r in rows][-FRAMES:] == ["fake/Toy/broken.mp4"] * FRAMES
    assert [row["media"] for row in read_failures(out)] == ["real/waves.mp4"]


def test_other_settings_need_another_folder(collection, shards) -> None:
    other = dataclasses.replace(CUT, quality=80)
    with pytest.raises(SystemExit, match="was made with other settings"):
        main(config(collection, shards, cut=other))


def test_faces_of_folders_are_files(collection, alone, tmp_path, capsys) -> None:
    main(config(collection, tmp_path, store="folders"))
    printed = capsys.readouterr()
    assert "faces: 100%" in printed.err
    assert "2 without, listed in" in printed.out
    assert "fake/Toy/broken.mp4: This is not a video" in printed.out
    ours, theirs = (pq.read_table(out / "index.parquet").to_pylist() for out in (tmp_path, alone))
    assert [r["path"] for r in ours] == [r["path"] for r in theirs]
    for row, other in zip(ours, theirs, strict=True):
        with (alone / "shards" / other["shard"]).open("rb") as file:
            file.seek(other["offset"])
            assert (tmp_path / "faces" / row["path"]).read_bytes() == file.read(other["bytes"])
        assert row["shard"] == ""


def test_list_writes_nothing(collection, tmp_path, capsys) -> None:
    main(config(collection, tmp_path / "out", list=True))
    assert not (tmp_path / "out").exists()
    assert "6 media" in capsys.readouterr().out


def test_layout_shows_what_a_builder_expects(capsys) -> None:
    main(Config(layout="celebdf2"))
    assert "List_of_testing_videos.txt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"random_split": ""}, "folder has no split of its own: give --random-split"),
        ({"resplit": ("dfd",)}, "--resplit dfd is none of the data sets"),
        ({"data": ()}, "Name at least one data set"),
        ({"data": ("somewhere",)}, "must be BUILDER=FOLDER"),
        ({"methods": ("Deepfake",)}, r"no method 'Deepfake' in the data; there are \['Toy'\]"),
        ({"compression": ("c24",)}, "no compression 'c24'"),
        ({"val_percent": 10.0}, "no data set with train and without val"),
    ],
)
def test_options_that_do_not_fit_are_told(collection, tmp_path, options, words) -> None:
    with pytest.raises(SystemExit, match=words):
        chosen(dataclasses.replace(config(collection, tmp_path), **options))


def test_the_same_file_twice_is_refused(collection, tmp_path) -> None:
    double = dataclasses.replace(config(collection, tmp_path), data=(f"folder={collection}",) * 2)
    with pytest.raises(SystemExit, match=r"folder has real/clip\.mp4 twice"):
        chosen(double)


def test_filters_and_limits(tmp_path) -> None:
    names = [
        f"{split}/{kind}/{n}.mp4"
        for split in ("train", "val")
        for kind in ("real", "fake/A", "fake/B")
        for n in range(4)
    ]
    base = Config(data=(f"folder={touch(tmp_path, *names)}",))
    only = chosen(dataclasses.replace(base, methods=("A",), splits=("train",)))
    assert {(m.split, m.method) for m in only} == {("train", ""), ("train", "A")}
    few = chosen(dataclasses.replace(base, limit=3))
    assert [m.label for m in few].count(0) == [m.label for m in few].count(1) == 3


def test_an_official_split_is_given_up_only_by_name(tmp_path) -> None:
    own = touch(tmp_path / "own", *(f"{kind}/{n}.mp4" for kind in ("real", "fake") for n in range(20)))
    official = touch(
        tmp_path / "uadfv",
        *(f"{k}/{n:04d}{e}.mp4" for k, e in (("real", ""), ("fake", "_fake")) for n in range(20)),
    )
    base = Config(data=(f"folder={own}", f"uadfv={official}"), random_split="50/50")
    assert {m.split for m in chosen(base) if m.dataset == "uadfv"} == {"test"}
    assert {m.split for m in chosen(base) if m.dataset == "folder"} == {"train", "val"}
    drawn = chosen(dataclasses.replace(base, resplit=("uadfv",)))
    assert {m.split for m in drawn} == {"train", "val"}
    assert shared_people(drawn) == {}


def test_val_is_taken_from_train_where_a_set_has_none(tmp_path) -> None:
    names = [
        f"{split}/{kind}/{n}.mp4"
        for split in ("train", "test")
        for kind in ("real", "fake")
        for n in range(20)
    ]
    media = chosen(Config(data=(f"folder={touch(tmp_path, *names)}",), val_percent=20.0))
    counts = {split: sum(m.split == split for m in media) for split in ("train", "val", "test")}
    assert counts == {"train": 32, "val": 8, "test": 40}
    assert all(m.file.startswith("train/") for m in media if m.split == "val")


def test_the_split_is_written_beside_the_faces(shards) -> None:
    lines = (shards / "split.csv").read_text().splitlines()
    assert lines[0] == "dataset,media,split"
    assert len(lines) == 7
    assert json.loads((shards / "settings.json").read_text())["cut"]["frames"] == FRAMES
