"""The builders of video data sets, each on a miniature of its set's true layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.layouts import by_file, facts, touch
from training.collect.builders import build
from training.collect.splits import shared_people

FF_SPLITS = {"train": [["071", "054"]], "val": [["720", "672"]], "test": [["953", "974"]]}
FF_REAL, FF_FAKE = "original_sequences/youtube", "manipulated_sequences"


def write_ffpp(root: Path, splits_at: str = "splits") -> Path:
    for name, pairs in FF_SPLITS.items():
        path = root / splits_at / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(pairs))
        for a, b in pairs:
            for compression in ("raw", "c23", "c40"):
                touch(
                    root, f"{FF_REAL}/{compression}/videos/{a}.mp4", f"{FF_REAL}/{compression}/videos/{b}.mp4"
                )
            for method in ("Deepfakes", "NeuralTextures", "FaceShifter"):
                touch(
                    root,
                    f"{FF_FAKE}/{method}/c23/videos/{a}_{b}.mp4",
                    f"{FF_FAKE}/{method}/c23/videos/{b}_{a}.mp4",
                )
            touch(root, f"{FF_FAKE}/Deepfakes/masks/videos/{a}_{b}.mp4")
    return root


@pytest.mark.parametrize("splits_at", ["splits", ".", "dataset/splits"])
def test_ffpp_reads_pairs_compressions_and_methods(tmp_path, splits_at) -> None:
    media = build("ffpp", write_ffpp(tmp_path, splits_at))
    assert len(media) == 3 * 2 * 3 + 3 * 2 * 3
    assert {m.compression for m in media} == {"c0", "c23", "c40"}
    assert {m.method for m in media} == {"", "Deepfakes", "NeuralTextures", "FaceShifter"}
    fake = by_file(media, f"{FF_FAKE}/Deepfakes/c23/videos/953_974.mp4")
    assert (fake.label, fake.split, fake.target_id, fake.source_id) == (1, "test", "ffpp:953", "ffpp:974")
    assert fake.mask == f"{FF_FAKE}/Deepfakes/masks/videos/953_974.mp4"
    other = by_file(media, f"{FF_FAKE}/FaceShifter/c23/videos/974_953.mp4")
    assert (other.target_id, other.source_id, other.mask) == ("ffpp:974", "ffpp:953", "")
    real = by_file(media, f"{FF_REAL}/raw/videos/054.mp4")
    assert (real.label, real.split, real.compression) == (0, "train", "c0")
    assert real.source_id == real.target_id == "ffpp:054"
    assert shared_people(media) == {}


def test_ffpp_refuses_a_fake_whose_videos_are_in_two_splits(tmp_path) -> None:
    write_ffpp(tmp_path)
    touch(tmp_path, f"{FF_FAKE}/Face2Face/c40/videos/071_953.mp4")
    with pytest.raises(SystemExit, match="different splits"):
        build("ffpp", tmp_path)


def test_ffpp_refuses_a_video_that_no_split_knows(tmp_path) -> None:
    touch(write_ffpp(tmp_path), f"{FF_REAL}/c23/videos/111.mp4")
    with pytest.raises(SystemExit, match="video 111 is in none of the split files"):
        build("ffpp", tmp_path)


def test_ffpp_without_split_files_invents_none(tmp_path) -> None:
    (write_ffpp(tmp_path) / "splits" / "val.json").unlink()
    with pytest.raises(
        SystemExit, match=r"(?s)train\.json, val\.json and test\.json are missing.*Expected:.*splits/"
    ):
        build("ffpp", tmp_path)


DFD_FAKE = f"{FF_FAKE}/DeepFakeDetection"


def write_dfd(root: Path) -> Path:
    fake = "01_02__outside_talking_still_laughing__YVGY8LOK.mp4"
    return touch(
        root,
        "original_sequences/actors/c23/videos/01__outside_talking_still_laughing.mp4",
        f"{DFD_FAKE}/c23/videos/{fake}",
        f"{DFD_FAKE}/masks/videos/{fake}",
    )


def test_dfd_knows_actors_and_masks(tmp_path) -> None:
    real, fake = build("dfd", write_dfd(tmp_path))
    assert (real.label, real.target_id, real.source_id, real.mask) == (0, "dfd:01", "dfd:01", "")
    assert (fake.label, fake.target_id, fake.source_id, fake.split) == (1, "dfd:01", "dfd:02", "test")
    assert (tmp_path / fake.mask).is_file()
    assert fake.mask != fake.file


def test_dfd_without_masks_cannot_tell_the_fake_face(tmp_path) -> None:
    next((write_dfd(tmp_path) / DFD_FAKE / "masks" / "videos").iterdir()).unlink()
    with pytest.raises(SystemExit, match="1 fakes have no mask, the first is 01_02__outside"):
        build("dfd", tmp_path)


def write_celebdf(root: Path, inner: str = "") -> Path:
    touch(
        root,
        *(f"Celeb-real/{inner}{n}.mp4" for n in ("id0_0000", "id1_0000", "id2_0003")),
        *(f"YouTube-real/{inner}{n}.mp4" for n in ("00000", "00170")),
        *(f"Celeb-synthesis/{inner}{n}.mp4" for n in ("id0_id1_0000", "id1_id0_0000")),
    )
    lines = [
        "1 YouTube-real/00170.mp4",
        "1 Celeb-real/id1_0000.mp4",
        "0 Celeb-synthesis/id1_id0_0000.mp4",
        "",
    ]
    (root / "List_of_testing_videos.txt").write_text("\n".join(lines))
    return root


@pytest.mark.parametrize("inner", ["", "videos/"])
@pytest.mark.parametrize("name", ["celebdf1", "celebdf2"])
def test_celebdf_turns_its_labels_round(tmp_path, name, inner) -> None:
    media = build(name, write_celebdf(tmp_path, inner))
    assert facts(media) == {
        f"Celeb-real/{inner}id0_0000.mp4": (0, "train", ""),
        f"Celeb-real/{inner}id1_0000.mp4": (0, "test", ""),
        f"Celeb-real/{inner}id2_0003.mp4": (0, "train", ""),
        f"YouTube-real/{inner}00000.mp4": (0, "train", ""),
        f"YouTube-real/{inner}00170.mp4": (0, "test", ""),
        f"Celeb-synthesis/{inner}id0_id1_0000.mp4": (1, "train", "Celeb-synthesis"),
        f"Celeb-synthesis/{inner}id1_id0_0000.mp4": (1, "test", "Celeb-synthesis"),
    }
    fake = by_file(media, f"Celeb-synthesis/{inner}id0_id1_0000.mp4")
    assert (fake.target_id, fake.source_id, fake.dataset) == ("celebdf:id0", "celebdf:id1", name)
    # The official test list shares people with train; that is told, not hidden.
    assert shared_people(media) == {"celebdf:id0": {"train", "test"}, "celebdf:id1": {"train", "test"}}


def test_celebdf_refuses_a_line_that_contradicts_its_folder(tmp_path) -> None:
    write_celebdf(tmp_path)
    (tmp_path / "List_of_testing_videos.txt").write_text("1 Celeb-synthesis/id0_id1_0000.mp4\n")
    with pytest.raises(SystemExit, match="line 1 contradicts its folder"):
        build("celebdf2", tmp_path)


def test_celebdf_names_listed_videos_that_are_missing(tmp_path) -> None:
    (write_celebdf(tmp_path) / "YouTube-real" / "00170.mp4").unlink()
    with pytest.raises(
        SystemExit, match=r"1 videos of List.* are missing, the first is YouTube-real/00170\.mp4"
    ):
        build("celebdf2", tmp_path)


def write_dfdc(root: Path) -> Path:
    part = {
        "aaa.mp4": {"label": "REAL", "split": "train"},
        "bbb.mp4": {"label": "FAKE", "split": "train", "original": "aaa.mp4"},
    }
    touch(root, *(f"train/dfdc_train_part_0/{n}" for n in part), "validation/v.mp4", "test/videos/t.mp4")
    (root / "train/dfdc_train_part_0/metadata.json").write_text(json.dumps(part))
    (root / "validation/labels.csv").write_text("filename,label\nv.mp4,0\n")
    (root / "test/labels.csv").write_text("filename,label\nt.mp4,1\ngone.mp4,0\n")
    return root


def test_dfdc_reads_metadata_and_labels(tmp_path) -> None:
    media = build("dfdc", write_dfdc(tmp_path))
    assert facts(media) == {
        "train/dfdc_train_part_0/aaa.mp4": (0, "train", ""),
        "train/dfdc_train_part_0/bbb.mp4": (1, "train", "DFDC"),
        "validation/v.mp4": (0, "val", ""),
        "test/videos/t.mp4": (1, "test", "DFDC"),
        "test/videos/gone.mp4": (0, "test", ""),  # listed, so it is counted, and fails when cut
    }
    fake = by_file(media, "train/dfdc_train_part_0/bbb.mp4")
    assert (fake.target_id, fake.source_id) == ("dfdc:aaa", "")


def test_dfdc_may_be_a_single_part_or_the_test_set(tmp_path) -> None:
    write_dfdc(tmp_path)
    assert {m.split for m in build("dfdc", tmp_path / "train")} == {"train"}
    assert facts(build("dfdc", tmp_path / "test")).keys() == {"videos/t.mp4", "videos/gone.mp4"}


@pytest.mark.parametrize("inner", ["", "videos/"])
def test_dfdcp_reads_its_json(tmp_path, inner) -> None:
    real = "original_videos/643049/643049_A_001.mp4"
    fake = "method_A/1224068/1224068_C/643049_1224068_C_001.mp4"
    listed = {
        real: {"label": "real", "set": "test", "target_id": 643049, "swapped_id": None, "augmentations": []},
        fake: {
            "label": "fake",
            "set": "train",
            "target_id": 1224068,
            "swapped_id": 643049,
            "augmentations": [],
        },
    }
    places = [name.replace("/", f"/{inner}", 1) for name in listed]
    touch(tmp_path, *(f"dfdc_preview_set/{p}" for p in places))
    (tmp_path / "dfdc_preview_set" / "dataset.json").write_text(json.dumps(listed))
    media = build("dfdcp", tmp_path)
    assert [m.path.is_file() for m in media] == [True, True]
    assert [(m.label, m.split, m.method) for m in media] == [(0, "test", ""), (1, "train", "method_A")]
    assert (media[1].target_id, media[1].source_id) == ("dfdcp:1224068", "dfdcp:643049")


def test_dfdcp_refuses_a_set_that_it_does_not_know(tmp_path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"method_A/a.mp4": {"label": "fake", "set": "dev"}}))
    with pytest.raises(SystemExit, match=r"label or set of method_A/a\.mp4"):
        build("dfdcp", tmp_path)


def test_uadfv_pairs_a_fake_with_its_real(tmp_path) -> None:
    media = build("uadfv", touch(tmp_path, "real/0000.mp4", "fake/0000_fake.mp4"))
    assert facts(media) == {"real/0000.mp4": (0, "test", ""), "fake/0000_fake.mp4": (1, "test", "UADFV")}
    assert media[0].target_id == media[1].target_id == "uadfv:0000"


@pytest.mark.parametrize("inner", ["", "FFIW10K-v1-release"])
def test_ffiw_pairs_targets_with_sources_and_masks(tmp_path, inner) -> None:
    touch(
        tmp_path / inner,
        "source/val/val_00000000.mp4",
        "target/val/val_00000000.mp4",
        "target_mask/val/val_00000000_mask.mp4",
        "source/train/videos/train_00000003.mp4",
    )
    media = build("ffiw", tmp_path)
    assert [(m.label, m.split, m.video_id) for m in media] == [
        (0, "train", "source/train_00000003"),
        (0, "val", "source/val_00000000"),
        (1, "val", "target/val_00000000"),
    ]
    assert media[1].people() == media[2].people() == {"ffiw:val/val_00000000"}
    assert (tmp_path / media[2].mask).name == "val_00000000_mask.mp4"
    assert media[1].mask == ""
