"""The builders of crops, pictures and collections of one's own, each on a miniature; and what all say of a wrong folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.training.faces.test_index import CLIP, CROP, write_index
from tests.training.layouts import by_file, facts, touch
from training.collect.builders import BUILDERS, build, layout
from training.collect.medium import Medium


def write_wilddeepfake(root: Path) -> Path:
    return touch(
        root,
        *(f"real_train/1/real/0/{n}.png" for n in (0, 1)),
        "real_train/1/real/1/7.png",
        "fake_train/1/fake/131/942.png",
        "real_test/extracted/2/2/real/5/0.png",
        "fake_test/2/fake/9/0.png",
    )


@pytest.mark.parametrize("inner", ["", "deepfake_in_the_wild"])
def test_wilddeepfake_lists_sequences_of_crops(tmp_path, inner) -> None:
    write_wilddeepfake(tmp_path / inner)
    media = build("wilddeepfake", tmp_path)
    assert [m.video_id for m in media] == [
        "real_train/1/real/0", "real_train/1/real/1", "real_test/extracted/2/2/real/5",
        "fake_train/1/fake/131", "fake_test/2/fake/9",
    ]  # fmt: skip
    assert [(m.label, m.split) for m in media] == [
        (0, "train"), (0, "train"), (0, "test"), (1, "train"), (1, "test"),
    ]  # fmt: skip
    assert media[0].people() == media[1].people() != media[3].people()
    assert all(m.path.is_dir() for m in media)
    box, landmarks = media[0].face.at(224, 224)
    assert landmarks is None
    assert box[2] - box[0] == pytest.approx(224 / 1.3)


def test_wilddeepfake_asks_to_unpack_its_archives(tmp_path) -> None:
    touch(tmp_path, "real_train/1.tar.gz", "real_train/2.tar.gz")
    with pytest.raises(SystemExit, match="unpack the 2 archives in real_train"):
        build("wilddeepfake", tmp_path)


def write_df40(root: Path) -> Path:
    real = "FaceForensics++/original_sequences/youtube/c23/frames/000/000.png"
    clip = [f"DF40/simswap/ff/frames/000_003/{n:03d}.png" for n in (0, 10)]
    held = "DF40/simswap/cdf/frames/id0_id1_0000/000.png"
    whole = "DF40/StyleGAN2/ff/054/000.png"
    touch(root, real, *clip, held, whole)
    at = "deepfakes_detection_datasets/"
    lists = {
        "simswap_ff": {
            "simswap_Real": {"train": {"c23": {"000": {"label": "simswap_Real", "frames": [at + real]}}}},
            "simswap_Fake": {
                "train": {"000_003": {"label": "simswap_Fake", "frames": [at + n for n in clip]}}
            },
        },
        "simswap_cdf": {
            "simswap_Fake": {
                split: {
                    "id0_id1_0000": {
                        "label": "simswap_Fake",
                        "frames": [at + held, at + held.replace("000.", "1.")],
                    }
                }
                for split in ("test", "val")
            }
        },
        "StyleGAN2_ff": {"StyleGAN2_Fake": {"train": {"054": {"frames": [(at + whole).replace("/", "\\")]}}}},
    }
    (root / "dataset_json").mkdir()
    for name, classes in lists.items():
        (root / "dataset_json" / f"{name}.json").write_text(json.dumps({name: classes}))
    return root


def test_df40_reads_the_lists_of_its_authors(tmp_path) -> None:
    media = build("df40", write_df40(tmp_path))
    real = "FaceForensics++/original_sequences/youtube/c23/frames/000/000.png"
    assert facts(media) == {
        "DF40/StyleGAN2/ff/054/000.png": (1, "train", "StyleGAN2"),
        "DF40/simswap/cdf/frames/id0_id1_0000": (1, "test", "simswap"),  # listed as val too
        real: (0, "train", ""),
        "DF40/simswap/ff/frames/000_003": (1, "train", "simswap"),
    }
    assert all(m.path.exists() for m in media)
    swap = by_file(media, "DF40/simswap/ff/frames/000_003")
    assert (swap.target_id, swap.source_id) == ("ffpp:000", "ffpp:003")
    _, landmarks = swap.face.at(256, 256)
    assert landmarks[2] == pytest.approx([128, 0.608 * 256])
    assert by_file(media, "DF40/StyleGAN2/ff/054/000.png").face is None
    assert by_file(media, "DF40/simswap/cdf/frames/id0_id1_0000").target_id == "celebdf:id0"


def test_df40_may_be_its_two_downloads(tmp_path) -> None:
    touch(
        tmp_path,
        "train/fomm/ff/frames/000/000.png",
        "test/MidJourney/fake/a.png",
        "test/MidJourney/fake/b.png",
        "test/MidJourney/real/c.png",
    )
    assert facts(build("df40", tmp_path)) == {
        "train/fomm/ff/frames/000": (1, "train", "fomm"),
        "test/MidJourney/fake/a.png": (1, "test", "MidJourney"),
        "test/MidJourney/fake/b.png": (1, "test", "MidJourney"),
        "test/MidJourney/real/c.png": (0, "test", ""),
    }


def test_df40_refuses_a_class_that_is_neither(tmp_path) -> None:
    write_df40(tmp_path)
    (tmp_path / "dataset_json" / "x.json").write_text(json.dumps({"x": {"e4e": {"test": {}}}}))
    with pytest.raises(SystemExit, match="class 'e4e' ends neither in Real nor in Fake"):
        build("df40", tmp_path)


@pytest.mark.parametrize("inner", ["", "real_vs_fake/real-vs-fake"])
def test_faces140k_reads_labels_off_its_folders(tmp_path, inner) -> None:
    splits = {"train": "train", "valid": "val", "test": "test"}
    touch(tmp_path / inner, *(f"{s}/{k}/0{k}.jpg" for s in splits for k in ("real", "fake")))
    media = build("faces140k", tmp_path)
    assert [(m.label, m.split) for m in media] == [(label, s) for s in splits.values() for label in (0, 1)]
    assert {m.method for m in media if m.label} == {"StyleGAN"}


def test_a_folder_names_methods_after_its_folders(tmp_path) -> None:
    touch(tmp_path, "real/a.mp4", "real/trip/b.JPG", "fake/SimSwap/c.mp4", "fake/d.png", "fake/readme.txt")
    assert facts(build("folder", tmp_path)) == {
        "real/a.mp4": (0, "", ""),
        "real/trip/b.JPG": (0, "", ""),
        "fake/d.png": (1, "", "unknown"),
        "fake/SimSwap/c.mp4": (1, "", "SimSwap"),
    }


def test_a_folder_may_bring_its_splits(tmp_path) -> None:
    touch(tmp_path, "train/real/a.mp4", "train/fake/b.mp4", "test/real/c.mp4")
    assert [(m.label, m.split) for m in build("folder", tmp_path)] == [
        (0, "train"),
        (1, "train"),
        (0, "test"),
    ]


def test_a_folder_without_fakes_is_told_so(tmp_path) -> None:
    with pytest.raises(SystemExit, match="no video or picture in fake/"):
        build("folder", touch(tmp_path, "real/a.mp4"))


def test_shared_reads_index_csv(tmp_path) -> None:
    (tmp_path / "stills").mkdir()
    Image.new("RGB", (256, 256)).save(tmp_path / "stills" / "a.jpg")
    crop, clip = build("shared", write_index(tmp_path, CROP, CLIP))
    assert facts([crop, clip]) == {"stills/a.jpg": (0, "train", ""), "clips/b.mp4": (1, "val", "Wav2Lip")}
    box, landmarks = crop.face.at(256, 256)
    assert box.tolist() == pytest.approx([61.2, 37.8, 194.8, 238.6])
    assert landmarks[0].tolist() == pytest.approx([91.9, 117.3])
    assert clip.face is None


@pytest.mark.parametrize("name", list(BUILDERS))
def test_a_wrong_folder_is_answered_with_the_expected_files(tmp_path, name) -> None:
    touch(tmp_path, "holiday/IMG_0001.HEIC")
    with pytest.raises(SystemExit) as caught:
        build(name, tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    expected = "index.csv is missing" if name == "shared" else layout(name)
    assert expected in message


@pytest.mark.parametrize("name", list(BUILDERS))
def test_a_folder_that_is_not_there_is_answered_with_the_layout(tmp_path, name) -> None:
    with pytest.raises(SystemExit, match="is not a folder") as caught:
        build(name, tmp_path / "nowhere")
    assert layout(name) in str(caught.value)


def test_an_unknown_builder_is_answered_with_the_known_ones(tmp_path) -> None:
    with pytest.raises(SystemExit, match="There is no builder 'ff'; there are ffpp, dfd, celebdf1"):
        build("ff", tmp_path)


@pytest.mark.parametrize("name", ["../x.mp4", "/etc/x.mp4", "a/../../x.mp4"])
def test_a_list_cannot_lead_out_of_the_folder(tmp_path, name) -> None:
    with pytest.raises(SystemExit, match="leads out of the data set's folder"):
        Medium(tmp_path, name, "dfdc", "x", 0, "test")
