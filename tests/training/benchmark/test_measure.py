"""Figures of a benchmark: media without a face count, sources stay together, published figures stand beside measured ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.benchmark import published, tables
from training.benchmark.collection import Collection
from training.benchmark.measure import Answers, figures
from training.faces.index import Item

LABELS = [0, 0, 0, 1, 1, 1]


def collection(labels: list[int] = LABELS) -> Collection:
    items = [
        Item(
            Path(f"{n}.mp4"),
            "video",
            y,
            "test",
            f"ffpp:{n % 3}",
            ("Deepfakes", "FaceSwap")[n % 2] if y else "",
        )
        for n, y in enumerate(labels)
    ]
    return Collection("ffpp", items, lambda _: pytest.fail("looked at"), lambda: pytest.fail("looked at"))


def answers(probs: list[float], bound: float = 0.7) -> Answers:
    frames = [np.array([p, p]) if np.isfinite(p) else np.zeros(0) for p in probs]
    return Answers(np.array(probs), frames, np.full(len(probs), bound))


def test_a_medium_without_a_face_is_a_half_and_lowers_the_coverage() -> None:
    f = figures(collection(), answers([0.1, 0.2, 0.6, 0.9, 0.8, np.nan]))
    assert f["coverage"] == pytest.approx(5 / 6, abs=1e-4)
    assert f["video_auc"] == pytest.approx(8 / 9, abs=1e-4)
    assert f["frame_auc"] == 1.0
    assert f["at"]["shipped"]["confusion"] == [[3, 0], [1, 2]]
    assert f["at"]["0.5"]["confusion"] == [[2, 1], [1, 2]]  # nobody was seen, so nobody is called fake
    assert f["at"]["0.5"]["real"] == {"precision": 0.6667, "recall": 0.6667, "f1": 0.6667, "support": 3}
    low, high = f["video_auc_ci"]
    assert low <= f["video_auc"] <= high
    assert f["n_sources"] == 3


def test_each_method_stands_against_all_reals() -> None:
    f = figures(collection(), answers([0.1, 0.2, 0.6, 0.9, 0.3, 0.8]))
    assert {name: part["n_fake"] for name, part in f["methods"].items()} == {"Deepfakes": 1, "FaceSwap": 2}
    assert f["methods"]["Deepfakes"]["video_auc"] == pytest.approx(2 / 3, abs=1e-4)
    assert f["methods"]["FaceSwap"]["found_at_shipped"] == 1.0


def test_one_class_alone_has_no_ranking_and_still_rates() -> None:
    f = figures(collection([1, 1]), answers([0.9, 0.2]))
    assert (f["video_auc"], f["eer"], f["at"]["0.5"]["balanced_accuracy"]) == (None, None, 0.5)


def test_published_figures_stand_beside_those_of_the_same_model_and_set() -> None:
    f = figures(collection(), answers([0.1, 0.2, 0.6, 0.9, 0.8, 0.7]))
    rows = published.rows({"mine": "clip_l14_ln1", "other": "m2tr_b4"}, {"ffpp": {"mine": f, "other": f}})
    assert [(r["model"], r["figure"], r["published"], r["difference"]) for r in rows] == [
        ("mine", "video_auc", 0.998, 0.002),
        ("mine", "frame_auc", 0.976, 0.024),
    ]


def test_a_table_comes_in_three_forms(tmp_path: Path) -> None:
    tables.write(tmp_path / "t", [{"set": "a_b", "video_auc": 0.5, "n": 3, "eer": None}])
    assert (tmp_path / "t.csv").read_text() == "set,video_auc,n,eer\na_b,0.5,3,\n"
    assert (tmp_path / "t.md").read_text().splitlines()[2] == "| a_b | 0.500 | 3 | - |"
    assert r"a\_b & 0.500 & 3 & - \\" in (tmp_path / "t.tex").read_text()
