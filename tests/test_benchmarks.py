"""Pages hold what was measured last, and what was measured holds what they promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import followed, rest, speed, tower, train_memory
from benchmarks.sides import MEDIA
from tbd_app import analyze
from tbd_app.models import registry
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


def test_memory_is_compared_between_moments_without_frames_in_hand() -> None:
    minutes = np.arange(0, 10, 1 / 120)
    busy = 200.0 * (np.arange(len(minutes)) % 8 > 2)  # frames of one file after the other
    memory = np.stack([minutes, 1000 + 0.5 * minutes + busy], axis=1)
    level, slope, low, high = rest.growth(memory)
    assert len(rest.at_rest(memory)) == 40
    assert level == pytest.approx(1000, abs=0.1)
    assert slope == pytest.approx(0.5, abs=0.01)
    assert low <= slope <= high
    assert rest.growth(memory[:2])[1:] == (0, 0, 0)


def test_a_label_or_a_probability_that_differs_is_no_same_answer() -> None:
    found = [("real", 0.2), ("real", 0.2)]
    counts, seconds = {"files": 3}, {"searched": 2.0, "followed": 1.0}
    near = (Path("a"), found, [("real", 0.215), ("real", 0.215)])
    assert followed.summary(counts, seconds, [])["met"]
    assert followed.summary(counts, seconds, [near])["met"]
    for other in ([("real", 0.23), ("real", 0.2)], [("real", 0.2), ("uncertain", 0.2)], [("real", None)]):
        assert not followed.summary(counts, seconds, [near, (Path("b"), found, other)])["met"]


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


def test_a_gpu_that_is_lent_for_minutes_is_measured_with_what_was_copied(tmp_path) -> None:
    parcel, out, root = tmp_path / "parcel", tmp_path / "out", speed.ROOT
    environment = {**os.environ, "TBD_PARCEL": str(parcel), "PYTHON": sys.executable, "PYTHONPATH": str(root)}

    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [root / "script" / "gpu-speed", *arguments], env=environment, text=True, capture_output=True, check=False
        )  # fmt: skip

    assert "copy all parts" in script("measure", str(out)).stderr
    packed = script("voters")
    assert packed.returncode == 0, packed.stderr[-2000:]
    whole = (root / "weights" / "ViT-B-16-quickgelu.openai-int8.safetensors").read_bytes()
    for part, half, data in (("1", "tower.0", whole[:9999]), ("2", "tower.1", whole[9999:])):
        (parcel / part).mkdir()
        (parcel / part / half).write_bytes(data)
    assert sum(path.stat().st_size for path in (parcel / "4").rglob("*") if path.is_file()) < 60e6
    done = script("measure", str(out), *"--device cpu --repeats 1 --faces 2".split())
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((out / "gpu.json").read_text(encoding="utf-8"))
    assert list(result["voters"]) == registry.voters(["default"], "video")
    assert all(rate > 0 for voter in result["voters"].values() for rate in voter["faces_a_second"].values())
    assert result["furthest_probability"] == 0  # a device beside itself


def test_the_tower_is_timed_three_ways() -> None:
    result = tower.measure(rounds=1, n_faces=1)
    assert result["seconds_a_face"].keys() == {"float32", "autocast", "held"}
    assert result["times_of_held"]["held"] == 1
