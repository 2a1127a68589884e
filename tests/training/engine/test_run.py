"""The run folder: what it tells, what it forgets, and that nothing of one machine is in it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.training.toy_faces import item
from training.engine.config import LoopConfig, RunConfig
from training.engine.run import Run

ROW = {"step": 2, "loss": 0.5, "video_auc": 0.75, "lr": 1e-3, "minutes": 0.1}


def opened(folder: Path, **changes: object) -> Run:
    run = Run(replace(RunConfig(out=folder), **changes), "train_x")
    run.begin_at(0)
    return run


def test_a_rerun_does_not_append_to_the_old_figures(tmp_path, capsys) -> None:
    opened(tmp_path / "a").log(ROW)
    again = opened(tmp_path / "a")
    again.log(ROW | {"loss": 0.25})
    assert [row["loss"] for row in again.rows()] == ["0.25"]
    with (tmp_path / "a.previous/metrics.csv").open(encoding="utf-8") as file:
        assert [row["loss"] for row in csv.DictReader(file)] == ["0.5"]
    assert "a.previous" in capsys.readouterr().out


def test_a_resumed_run_forgets_what_came_after_its_last_save(tmp_path) -> None:
    run = opened(tmp_path)
    for step in (2, 4, 6):
        run.log(ROW | {"step": step})
    resumed = Run(RunConfig(out=tmp_path, resume=True), "train_x")
    resumed.begin_at(4)
    resumed.log(ROW | {"step": 6, "loss": 0.1})
    assert [(row["step"], row["loss"]) for row in resumed.rows()] == [
        ("2", "0.5"),
        ("4", "0.5"),
        ("6", "0.1"),
    ]


def test_the_config_tells_the_recipe_the_revision_and_no_place(tmp_path) -> None:
    opened(tmp_path / "secret", data=Path("/secret/data"), preset="paper", loop=LoopConfig(max_minutes=3))
    written = json.loads((tmp_path / "secret/config.json").read_text(encoding="utf-8"))
    assert "secret" not in json.dumps(written)
    assert written["recipe"]["script"] == "training/train_x.py"
    assert written["recipe"]["preset"] == "paper"
    assert written["recipe"]["loop"]["lr"] == LoopConfig().lr
    assert written["revision"]
    assert written["versions"].keys() == {"python", "torch", "timm", "accelerate", "numpy"}


def test_the_recipe_holds_the_constants_of_the_script(tmp_path, capsys) -> None:
    Run(RunConfig(out=tmp_path), "train_x", constants={"shares": {"a": 0.4}})
    written = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert written["recipe"]["shares"] == {"a": 0.4}
    Run(RunConfig(out=tmp_path, resume=True), "train_x", constants={"shares": {"a": 0.5}})
    assert "another shares" in capsys.readouterr().out


def test_resuming_with_other_options_is_told(tmp_path, capsys) -> None:
    opened(tmp_path)
    opened(tmp_path, resume=True)
    assert "another" not in capsys.readouterr().out
    opened(tmp_path, resume=True, seed=5)
    assert "another seed: 1 became 5" in capsys.readouterr().out


def test_the_files_of_each_split_are_listed(tmp_path) -> None:
    data = tmp_path / "data"
    one = replace(item(1, "video", 1, "dreamtalk"), path=data / "clips/a.mp4")
    Run(RunConfig(data=data, out=tmp_path / "run"), "train_x", {"val": [one]})
    with (tmp_path / "run/splits/val.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "path": "clips/a.mp4", "kind": "video", "label": "fake", "identity": "1", "generator": "dreamtalk"
    }  # fmt: skip


def test_curves_are_drawn_for_people_and_for_tensorboard(tmp_path) -> None:
    run = opened(tmp_path)
    run.log(ROW | {"video_auc": float("nan")})  # a split of one class has no AUC
    run.log(ROW | {"step": 4})
    run.close()
    assert cv2.imread(str(tmp_path / "curves.png")).std() > 0
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("loss")] == [2, 4]
    assert board.Scalars("video_auc")[1].value == pytest.approx(0.75)


def test_a_figure_that_comes_up_later_gets_a_column_of_its_own(tmp_path) -> None:
    run = opened(tmp_path)
    run.log(ROW)
    run.log(ROW | {"step": 4, "pgd_loss": 1.5})
    run.log(ROW | {"step": 6})
    written = [(row["step"], row["loss"], row["pgd_loss"]) for row in run.rows()]
    assert written == [("2", "0.5", ""), ("4", "0.5", "1.5"), ("6", "0.5", "")]
