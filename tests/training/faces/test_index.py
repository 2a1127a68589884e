"""Reading index.csv, and the family of a generator."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from training.faces.index import FAMILIES, even_shares, family, read_index

COLUMNS = ["path", "kind", "label", "split", "identity", "generator", "face_box", "landmarks"]
CROP = {
    "path": "stills/a.jpg",
    "kind": "crop",
    "label": "real",
    "split": "train",
    "identity": "a",
    "generator": "",
    "face_box": "61.2 37.8 194.8 238.6",
    "landmarks": "91.9 117.3 157.7 116.4 122.7 165.5 96.3 191.5 151.1 193.3",
}
CLIP = CROP | {"path": "clips/b.mp4", "kind": "video", "label": "fake", "split": "val", "identity": "b",
               "generator": "Wav2Lip", "face_box": "", "landmarks": ""}  # fmt: skip


def write_index(root: Path, *rows: dict[str, str], columns: list[str] = COLUMNS) -> Path:
    with (root / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return root


def test_rows_become_items(tmp_path) -> None:
    crop, clip = read_index(write_index(tmp_path, CROP, CLIP))
    assert (crop.path, crop.kind, crop.label, crop.split, crop.group) == (
        tmp_path / "stills/a.jpg", "crop", 0, "train", "a",
    )  # fmt: skip
    np.testing.assert_allclose(crop.box, [61.2, 37.8, 194.8, 238.6], rtol=1e-6)
    assert crop.landmarks.shape == (5, 2)
    np.testing.assert_allclose(crop.landmarks[1], [157.7, 116.4], rtol=1e-6)
    assert (clip.label, clip.generator, clip.box, clip.landmarks) == (1, "Wav2Lip", None, None)


def test_numbers_may_be_parted_by_commas(tmp_path) -> None:
    (item,) = read_index(write_index(tmp_path, CROP | {"face_box": "1,2, 3,4"}))
    np.testing.assert_array_equal(item.box, [1, 2, 3, 4])


def test_further_columns_are_allowed(tmp_path) -> None:
    rows = [CROP | {"licence": "CC0"}]
    assert len(read_index(write_index(tmp_path, *rows, columns=[*COLUMNS, "licence"]))) == 1


def test_a_folder_without_index_is_named(tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"index\.csv is missing.*--data"):
        read_index(tmp_path)


def test_missing_columns_are_named(tmp_path) -> None:
    root = write_index(tmp_path, CROP, columns=[c for c in COLUMNS if c not in ("split", "landmarks")])
    with pytest.raises(SystemExit, match=r"lacks the columns \['landmarks', 'split'\]"):
        read_index(root)


def test_an_empty_index_is_refused(tmp_path) -> None:
    (tmp_path / "index.csv").touch()
    with pytest.raises(SystemExit, match="lacks the columns"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("change", "family", "groups"),
    [
        ({}, "blending", [True, False]),  # no such column, or empty: by the generator's name
        ({"family": "swap"}, "swap", [True, False]),
        ({"family": "lipsync"}, "lipsync", [True, False]),
        ({"family": "talking"}, "talking", [False, True]),
        ({"family": "edit"}, "edit", [False, False]),
        ({"family": "unknown"}, "unknown", [False, False]),
        ({"family": "", "generator": ""}, "unknown", [False, False]),
        ({"family": "real", "label": "real", "generator": ""}, "", [False, False]),
    ],
)
def test_the_family_is_the_column_or_else_by_the_generator(tmp_path, change, family, groups) -> None:
    columns = [*COLUMNS, "family"] if "family" in change else COLUMNS
    (item,) = read_index(write_index(tmp_path, CLIP | change, columns=columns))
    assert item.family == family
    assert [item.is_of(group) for group in ("blending", "synthesis")] == groups


def test_a_family_that_no_one_knows_is_refused(tmp_path) -> None:
    root = write_index(tmp_path, CLIP | {"family": "lipsink"}, columns=[*COLUMNS, "family"])
    with pytest.raises(SystemExit, match=r"line 2 .*family must be .*not 'lipsink'"):
        read_index(root)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": "genuine"}, "label must be real or fake, not 'genuine'"),
        ({"kind": "gif"}, "kind must be crop, image, video, not 'gif'"),
        ({"face_box": "1 2 3"}, "face_box must be 4 numbers, not '1 2 3'"),
        ({"landmarks": "a b c d e f g h i j"}, "landmarks must be 10 numbers"),
    ],
)
def test_a_value_that_no_one_knows_is_told_with_its_line(tmp_path, change, words) -> None:
    with pytest.raises(SystemExit, match=r"index\.csv, line 3 \(stills/a\.jpg\).*" + words):
        read_index(write_index(tmp_path, CLIP, CROP | change))


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("", ""),
        ("Wav2Lip", "blending"),
        ("part swap (eyes)", "blending"),
        ("UADFV", "blending"),
        ("LivePortrait", "synthesis"),
        ("first-order-model", "synthesis"),
        ("StyleGAN2", "synthesis"),
        ("FaceShifter", "blending"),
        ("sit", "synthesis"),
        ("a visit", "unknown"),
        ("nobody knows", "unknown"),
    ],
)
def test_families(generator, expected) -> None:
    assert family(generator) == expected


def test_no_generator_is_in_two_families() -> None:
    names = [name for names in FAMILIES.values() for name in names]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


def test_a_page_with_many_files_does_not_outweigh_many_pages() -> None:
    labels = np.array([0] * 9 + [0] * 4 + [1])
    sources = np.array(["many"] * 9 + list("abcd") + ["fake"])
    share = even_shares(labels, sources)
    assert share.sum() == pytest.approx(1)
    assert share[labels == 1].sum() == pytest.approx(0.5)
    assert share[:9].sum() / share[9:13].sum() == pytest.approx(3 / 4)


def test_two_groupings_multiply() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    share = even_shares(labels, ["a", "b", "c", "d", "e"], ["", "", "swap", "swap", "talking"])
    assert share == pytest.approx([0.25, 0.25, 0.5 * 0.2929, 0.5 * 0.2929, 0.5 * 0.4142], abs=1e-4)
