"""Pages hold what was measured last, and what was measured holds what they promise."""

from __future__ import annotations

import json
import time

import pytest

from benchmarks import speed, train_memory
from benchmarks.sides import MEDIA
from tbd_app import analyze
from tbd_app.settings import AnalysisSettings
from training.evaluation.marked import replaced


def test_the_page_holds_what_training_on_faceforensics_took_and_it_is_less_than_four_gib() -> None:
    result = json.loads(train_memory.RESULT.read_text(encoding="utf-8"))
    page = train_memory.PAGE.read_text(encoding="utf-8")
    assert page == replaced(page, train_memory.MARKS, train_memory.table(result))
    assert (result["videos"], result["faces"], result["workers"]) == (4320, 4320 * 32, 8)
    assert result["met"]
    assert all(peak["shared_once"] < 4 * 2**30 for peak in result["peaks"].values())
    assert all(peak["processes"] > 8 for peak in result["peaks"].values())  # with its loader processes


def test_the_page_holds_how_fast_it_was_and_nothing_of_that_time_is_unreported() -> None:
    result = json.loads((speed.ROOT / "benchmarks" / "results" / "speed.json").read_text(encoding="utf-8"))
    page = speed.PAGE.read_text(encoding="utf-8")
    assert page == replaced(page, speed.MARKS, speed.table(result))
    assert result["media"].keys() == MEDIA.keys()
    assert result["missed"] == speed.missed(result)
    for row in result["media"].values():
        assert row["stages_s"]["unreported"] < 0.05 * row["ours_s"]


@pytest.mark.weights
def test_what_is_no_reading_searching_or_scoring_has_a_small_share() -> None:
    settings = AnalysisSettings(explain=False, models=("effnetv2_b0_frame",), device="cpu")
    clip = speed.ROOT / "examples" / "drawn_face.mp4"
    analyze(clip, settings)  # loads the model
    start = time.perf_counter()
    stages = analyze(clip, settings).timings_s
    whole = time.perf_counter() - start
    assert whole - sum(stages.values()) < 0.15 * whole
    assert sum(stages[name] for name in ("frames", "faces", "score")) > 0.7 * whole
