"""Figures from scores that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import plots
from training.data.index import Item
from training.figures import by_family, by_generator, image_figures, video_figures

CLIPS = [
    *(Item(Path(f"r{k}.mp4"), "video", 0, "val", f"r{k}", "") for k in range(4)),
    Item(Path("a.mp4"), "video", 1, "val", "a", "wav2lip"),
    Item(Path("b.mp4"), "video", 1, "val", "b", "wav2lip"),
    Item(Path("c.mp4"), "video", 1, "val", "c", "dreamtalk"),
]
PROBS = np.array([0.1, 0.2, 0.5, 0.9, 0.8, np.nan, 0.05])
VOTES = ["real", "real", "abstain", "fake", "fake", "", "real"]


def test_video_figures() -> None:
    f = video_figures(CLIPS, PROBS, VOTES)
    assert (f["n_real"], f["n_fake"], f["n_sources"]) == (4, 3, 7)
    assert f["coverage"] == pytest.approx(6 / 7, abs=1e-4)
    assert (f["fpr"], f["tpr"], f["missed_as_real"]) == (0.25, 0.3333, 0.3333)
    assert f["abstained"] == pytest.approx(2 / 7, abs=1e-4)  # 0.5 and the clip that was not judged
    assert f["error_where_decided"] == 0.4  # a real called fake, a fake called real, of 5
    # pairs won by the fakes: 0.8 wins 3 of 4, 0.5 wins 2.5 of 4, 0.05 none
    assert f["auc"] == pytest.approx(5.5 / 12, abs=1e-4)
    assert f["balanced_accuracy"] == pytest.approx((0.75 + 1 / 3) / 2, abs=1e-4)
    assert f["f1_fake"] == pytest.approx(0.4)
    assert f["auc_ci"][0] <= f["auc"] <= f["auc_ci"][1]


def test_a_family_is_measured_against_all_reals() -> None:
    families = by_family(CLIPS, PROBS, VOTES)
    assert (families["blending"]["n_real"], families["blending"]["n_fake"]) == (4, 2)
    assert (families["synthesis"]["n_real"], families["synthesis"]["n_fake"]) == (4, 1)
    assert families["synthesis"]["auc"] == 0


def test_generators() -> None:
    found = by_generator(CLIPS, PROBS, VOTES)
    assert list(found) == ["dreamtalk", "wav2lip"]
    assert (found["wav2lip"]["n_fake"], found["wav2lip"]["tpr"]) == (2, 0.5)


def test_image_figures() -> None:
    f = image_figures(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.6, 0.9]), threshold=0.6)
    assert (f["auc"], f["fpr"], f["tpr"]) == (0.875, 0.5, 1.0)


def test_curves_are_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(plots, "FIGURES", tmp_path / "figures")
    path = plots.curves("effnetv2_b0_frame", CLIPS, PROBS, VOTES)
    assert path.read_bytes().startswith(b"\x89PNG")
