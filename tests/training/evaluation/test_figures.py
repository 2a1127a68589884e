"""Figures from scores that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tbd_app.known import KnownPerformance, Measured
from training.engine.metrics import wilson
from training.evaluation import plots
from training.evaluation.figures import (
    SEEN_FROM_AUC,
    by_family,
    by_generator,
    image_figures,
    known,
    picture_figures,
    video_figures,
)
from training.faces.index import Item

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


def test_intervals_are_of_sources_and_never_narrower_than_wilsons() -> None:
    # Two pages, one all found and one all missed: what was counted is two answers, not forty.
    fakes = [Item(Path(f"{k}.mp4"), "video", 1, "val", "ab"[k % 2], "wav2lip") for k in range(40)]
    votes = ["real"] * 4 + ["fake", "real"] * 20
    found = video_figures([*CLIPS[:4], *fakes], np.linspace(0, 1, 44), votes)
    assert (found["n_sources"], found["tpr"], found["tpr_ci"]) == (6, 0.5, [0.0, 1.0])
    assert found["fpr_ci"] == pytest.approx(wilson(0, 4), abs=1e-4)


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


def test_pictures_are_measured_all_together_and_by_family() -> None:
    pictures = [Item(Path(f"{k}.jpg"), "image", 0, "val", f"{k}", "") for k in range(4)]
    pictures += [
        Item(Path(f"{k}.jpg"), "image", 1, "val", k, "x", family=k)
        for k in ("swap", "swap", "still", "unknown")
    ]
    found = picture_figures(pictures, np.array([0.1, 0.2, 0.6, 0.7, 0.9, 0.3, 0.65, 0.05]), (0.5, 0.6))
    assert list(found) == ["val_pictures", "val_swap_pictures", "val_still_pictures"]
    whole, swaps = found["val_pictures"], found["val_swap_pictures"]
    assert (whole["n_real"], whole["n_fake"], whole["fpr"], whole["tpr"]) == (4, 4, 0.5, 0.5)
    assert (whole["missed_as_real"], swaps["missed_as_real"]) == (0.5, 0.5)
    assert (swaps["n_real"], swaps["n_fake"], swaps["auc"]) == (4, 2, 0.75)
    assert picture_figures(pictures[:4], np.zeros(4), (0.5, 0.6)) == {}


def rates(**values: float) -> dict:
    """Figures with an interval of no width."""
    return {"n_real": 9, "n_fake": 5, **values, **{f"{key}_ci": [v, v] for key, v in values.items()}}


def test_what_reports_show_is_kept_by_kind_of_media() -> None:
    clips = rates(auc=0.7, fpr=0.1, tpr=0.4, missed_as_real=0.3)
    reals = {"n_real": 534, "fpr": 0.0487, "fpr_ci": [0.0334, 0.0704]}
    shown = {
        kind: KnownPerformance.from_dict(raw)
        for kind, raw in known({"val_clips": clips, "real_pictures": reals}).items()
    }
    assert shown["video"] == KnownPerformance(
        "val clips", 9, 5,
        flagged_real=Measured(0.1, 0.1, 0.1), found_fake=Measured(0.4, 0.4, 0.4),
        called_real_fake=Measured(0.3, 0.3, 0.3), auc=Measured(0.7, 0.7, 0.7),
    )  # fmt: skip
    assert shown["image"] == KnownPerformance(
        "real val pictures", 534, flagged_real=Measured(0.0487, 0.0334, 0.0704)
    )
    assert (
        known({"val_pictures": rates(auc=0.6, fpr=0.2), "real_pictures": reals})["image"]["data"]
        == "val pictures"
    )
    assert known({"self_blends": rates(auc=0.9)}) == {}
    assert known({"val_clips": rates(auc=float("nan"), fpr=0.1)})["video"]["auc"] is None


def test_a_family_is_seen_from_the_bound_and_unseen_below() -> None:
    at, below = SEEN_FROM_AUC, SEEN_FROM_AUC - 1e-4
    clips = {"val_clips": rates(auc=0.7), "val_swap_clips": rates(auc=at), "val_t2v_clips": rates(auc=below)}
    shown = known(clips)["video"]
    assert (shown["sees"], shown["blind_to"]) == (["swap"], ["t2v"])
    # a family of pictures does not show on clips, nor the other way round
    pictures = {"real_pictures": rates(fpr=0.1), "val_swap_pictures": rates(auc=below)}
    shown = known(clips | pictures)
    assert (shown["image"]["sees"], shown["image"]["blind_to"]) == ([], ["swap"])
    assert shown["video"]["blind_to"] == ["t2v"]


def test_fakes_made_here_show_blindness_and_no_sight() -> None:
    reals = {"real_pictures": rates(fpr=0.1)}
    good = known(reals | {"self_blends": rates(auc=0.9)})["image"]
    assert (good["sees"], good["blind_to"]) == ([], [])
    poor = known(reals | {"self_blends": rates(auc=0.5), "stylegan2_pictures": rates(auc=0.9)})["image"]
    assert (poor["sees"], poor["blind_to"]) == ([], ["blending"])
    own = known(reals | {"self_blends": rates(auc=0.5), "val_blending_pictures": rates(auc=0.8)})["image"]
    assert (own["sees"], own["blind_to"]) == (["blending"], [])


def test_a_family_named_in_the_index_has_figures_of_its_own() -> None:
    clips = [*CLIPS[:4], Item(Path("d.mp4"), "video", 1, "val", "d", "dreamtalk", family="talking")]
    assert list(by_family(clips, PROBS[[0, 1, 2, 3, 6]], [VOTES[k] for k in (0, 1, 2, 3, 6)])) == ["talking"]


def test_curves_are_drawn(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(plots, "FIGURES", tmp_path / "figures")
    path = plots.curves("effnetv2_b0_frame", CLIPS, PROBS, VOTES)
    assert path.read_bytes().startswith(b"\x89PNG")
