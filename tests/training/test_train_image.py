"""The recipe of single pictures: the layout of 140k faces read whole, and the command on it and on the toy set."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.engine.test_loop import rows
from tests.training.toy_faces import face, faked, item
from training.datasets.pictures import Pictures, whole
from training.engine.config import load_preset
from training.train_image import SCRIPT, Config, main, read_pictures, some_of_each

PREPROCESS = for_spec(registry.spec("effnet_b0_image"))


def faces140k(root: Path, each: int = 2) -> Path:
    """A miniature of the true layout: 64 px pictures, the fakes with a coarse mouth."""
    for split in ("train", "valid", "test"):
        for kind in ("real", "fake"):
            folder = root / "real_vs_fake/real-vs-fake" / split / kind
            folder.mkdir(parents=True)
            for number in range(each):
                shown = face(number)
                picture = (faked(shown) if kind == "fake" else shown).image
                cv2.imwrite(str(folder / f"{number:05d}.jpg"), cv2.resize(picture, (64, 64))[..., ::-1])
    return root


def toy(out: Path, **changes: object) -> Config:
    return dataclasses.replace(load_preset(Config, SCRIPT, "toy"), out=out, **changes)


def test_the_toy_run_leaves_a_model_and_figures(tmp_path) -> None:
    main(toy(tmp_path))
    (row,) = rows(tmp_path)
    assert 0 <= float(row["image_auc"]) <= 1
    assert registry.spec("effnet_b0_image", tmp_path / "model.safetensors").input_size == 48
    assert not (tmp_path / "test.json").exists()


def test_140k_faces_are_trained_on_and_tested(tmp_path) -> None:
    main(toy(tmp_path / "run", data=faces140k(tmp_path / "data"), layout="faces140k", n_val=1, batch=2))
    tested = json.loads((tmp_path / "run/test.json").read_text(encoding="utf-8"))
    assert tested.keys() == {"original", "jpeg50"}
    for figures in tested.values():
        assert (figures["real"]["support"], figures["fake"]["support"]) == (2, 2)
        assert [sum(row) for row in figures["confusion"]] == [2, 2]
    split = (tmp_path / "run/splits/val.csv").read_text(encoding="utf-8").splitlines()
    assert len(split) == 3  # a header, one real, one fake
    assert split[1].startswith("real_vs_fake/real-vs-fake/valid/real/")


def test_labels_and_parts_follow_the_folders(tmp_path) -> None:
    config = toy(tmp_path, data=faces140k(tmp_path / "data"), layout="faces140k", n_train=1)
    parts = read_pictures(config, PREPROCESS)
    assert {split: [i.label for i in items] for split, (items, _) in parts.items()} == {
        "train": [0, 1], "val": [0, 0, 1, 1], "test": [0, 0, 1, 1]
    }  # fmt: skip
    items, cut = parts["test"]
    assert all(("fake" in i.path.parts[-2]) == i.label for i in items)
    assert cut(0).shape == (128, 128, 3)


def test_a_folder_without_a_val_part_is_an_error(tmp_path) -> None:
    for kind in ("real", "fake"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "train" / kind / "a.png"), face(0).image)
    with pytest.raises(SystemExit, match="no val part"):
        read_pictures(toy(tmp_path / "run", data=tmp_path, layout="folder"), PREPROCESS)


def test_some_of_each_class_are_drawn_once_and_again_the_same() -> None:
    items = [item(k, "image", int(k >= 10)) for k in range(30)]
    some = some_of_each(items, 4, seed=1)
    assert [i.label for i in some] == [0] * 4 + [1] * 4
    assert len({i.group for i in some}) == 8
    assert some == some_of_each(items, 4, seed=1) != some_of_each(items, 4, seed=2)
    assert len(some_of_each(items, 0, seed=1)) == 30


def test_a_picture_is_read_whole_and_only_mirrored(tmp_path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    items = [dataclasses.replace(item(0, "image"), path=tmp_path / "a.png")]
    pictures = Pictures(items, whole(items, PREPROCESS), PREPROCESS)
    seen = [pictures.example(0, np.random.default_rng(seed))["x"] for seed in range(6)]
    expected = [PREPROCESS.tensor(p[None])[0] for p in (picture, picture[:, ::-1])]
    assert all(any(np.array_equal(x, e) for e in expected) for x in seen)
    assert len({float(x[0, 0, 0]) for x in seen}) == 2


def test_robust_pictures_are_degraded(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), face(0).image)
    items = [dataclasses.replace(item(0, "image"), path=tmp_path / "a.png")]
    plain, robust = (Pictures(items, whole(items, PREPROCESS), PREPROCESS, robust=r) for r in (False, True))
    draws = range(12)
    looks = [
        len({float(p.example(0, np.random.default_rng(s))["x"].sum()) for s in draws})
        for p in (plain, robust)
    ]
    assert looks[0] <= 2 < looks[1]
