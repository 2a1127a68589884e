"""Figures of a benchmark: media without a face count, sources stay together, published figures stand beside measured ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app.models import registry, weights
from training.benchmark import measure, published, tables
from training.benchmark.collection import Collection
from training.benchmark.measure import Answers, figures
from training.evaluation import plots
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


def test_a_run_that_was_not_exported_has_no_bound_of_its_own(tmp_path: Path) -> None:
    """Figures, tables and the picture then are at 0.5, beside a model that has one."""
    name = "effnet_b0_image"
    weights.save_checkpoint(registry.create_model(name), tmp_path / "model.safetensors", registry.spec(name))
    assert not measure.of_run(tmp_path, "cpu").shipped
    said = answers([0.1, 0.2, 0.6, 0.9, 0.3, 0.8])
    run, shipped = (figures(collection(), one) for one in (replace(said, bounds=None), said))
    assert list(run["at"]) == ["0.5"]
    assert run["at"]["0.5"] == shipped["at"]["0.5"]
    assert "found_at_shipped" not in run["methods"]["FaceSwap"]
    rows = measure._summary({"ffpp": {"run": run, "shipped": shipped}})
    tables.write(tmp_path / "t", rows)
    assert "| - |" in (tmp_path / "t.md").read_text().splitlines()[2]
    probs = dict.fromkeys(("run", "shipped"), said.probs)
    plots.benchmark(tmp_path / "t.png", "ffpp", np.array(LABELS), probs, {"run": run, "shipped": shipped})
    assert (tmp_path / "t.png").stat().st_size


def test_one_class_alone_has_no_ranking_and_still_rates() -> None:
    f = figures(collection([1, 1]), answers([0.9, 0.2]))
    assert (f["video_auc"], f["eer"], f["at"]["0.5"]["balanced_accuracy"]) == (None, None, 0.5)


def test_published_figures_stand_beside_those_of_the_same_model_and_set() -> None:
    f = figures(collection(), answers([0.1, 0.2, 0.6, 0.9, 0.8, 0.7]))
    rows = published.rows(
        {"mine": "clip_l14_ln1", "other": "m2tr_official"}, {"ffpp": {"mine": f, "other": f}}
    )
    assert [(r["model"], r["figure"], r["published"], r["difference"]) for r in rows] == [
        ("mine", "video_auc", 0.998, 0.002),
        ("mine", "frame_auc", 0.976, 0.024),
    ]


def test_faceshifter_is_a_method_and_a_set_of_its_own_as_in_the_tables_of_the_field() -> None:
    """Five methods of FaceForensics++: FSh by itself, and the other four as what the field calls FF++."""
    methods = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
    items = [Item(Path(f"{n}.mp4"), "video", 0, "test", f"ffpp:{n}", "") for n in range(2)]
    items += [
        Item(Path(f"{n}{m}.mp4"), "video", 1, "test", f"ffpp:{n}", m) for m in methods for n in range(2)
    ]
    part = Collection("ffpp", items, lambda _: pytest.fail("looked at"), lambda: pytest.fail("looked at"))
    probs = [0.1, 0.4] + [0.9, 0.8] * 4 + [0.2, 0.3]
    f = figures(part, answers(probs))
    assert {name: (m["n_fake"], m["video_auc"]) for name, m in f["methods"].items()} == {
        **dict.fromkeys(methods[:4], (2, 1.0)),
        "FaceShifter": (2, 0.5),
        "without FaceShifter": (8, 1.0),
    }
    assert f["methods"]["FaceShifter"]["frame_auc"] == 0.5
    assert f["video_auc"] == 0.9
    rows = published.rows({"mine": "clip_b16_ln1"}, {"ffpp c23": {"mine": f}})
    assert [(r["method"], r["figure"], r["measured"], r["published"]) for r in rows] == [
        ("", "video_auc", 1.0, 0.996),
        ("", "frame_auc", 1.0, 0.962),
        ("FaceShifter", "video_auc", 0.5, 0.744),
        ("FaceShifter", "frame_auc", 0.5, 0.687),
    ]
    f["methods"] = {
        "FaceShifter": f["methods"]["FaceShifter"]
    }  # cut by itself, it is not what the field calls FF++
    rows = published.rows({"mine": "clip_b16_ln1"}, {"ffpp": {"mine": f}})
    assert {r["method"] for r in rows} == {"FaceShifter"}


def test_a_network_that_was_trained_in_two_ways_has_a_row_of_each() -> None:
    f = figures(collection(), answers([0.1, 0.2, 0.6, 0.9, 0.8, 0.7]))
    rows = published.rows({"mine": "effnet_b4"}, {"celebdf2": {"mine": f}})
    assert [(r["published"], r["note"]) for r in rows] == [
        (0.808, ""), (0.929, "trained on reals and self-blends alone")
    ]  # fmt: skip


def test_a_table_comes_in_three_forms(tmp_path: Path) -> None:
    tables.write(tmp_path / "t", [{"set": "a_b", "video_auc": 0.5, "n": 3, "eer": None}])
    assert (tmp_path / "t.csv").read_text() == "set,video_auc,n,eer\na_b,0.5,3,\n"
    assert (tmp_path / "t.md").read_text().splitlines()[2] == "| a_b | 0.500 | 3 | - |"
    assert r"a\_b & 0.500 & 3 & - \\" in (tmp_path / "t.tex").read_text()
