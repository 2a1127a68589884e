"""Temperature and bounds are those of the media that a model is for, and keep to the rates that were asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from tbd_app.types import Calibration
from training.engine.metrics import LEAST
from training.evaluation.calibrate import MadeFor, Val, calibrated

LABELS = np.arange(400) % 2


def made(*, sure_of_clips: float, spread: float = 1.0) -> Val:
    """A model that is sure of pictures and as sure of clips as is said; the fakes of every second pair are blended."""
    rng = np.random.default_rng(0)
    clip_labels = np.arange(80) % 2
    clips = [rng.normal(sure_of_clips * (2 * y - 1), spread, 8) for y in clip_labels]
    blended = (clip_labels == 1) & (np.arange(80) % 4 == 1)
    return Val(clips, clip_labels, blended, 2 * (2 * LABELS - 1) + rng.normal(0, 1, 400), LABELS)


def of(val: Val, made_for: MadeFor, **rates: float) -> tuple[Calibration, float]:
    asked = {"max_fpr": 0.05, "max_missed": 0.15, "softened_share": 0.2} | rates
    return calibrated(val, made_for, **asked)


def test_a_model_for_pictures_is_calibrated_on_pictures() -> None:
    """Sure of pictures and wrong on clips: the bounds for clips come from clips all the same."""
    val = made(sure_of_clips=-1, spread=8)
    by_clips, by_pictures = (of(val, kind)[0] for kind in ("clips", "pictures"))
    assert by_clips.temperature > 3 > 1 > by_pictures.temperature
    probs = expit(val.pictures / by_pictures.temperature)
    assert by_pictures.few_frames_threshold >= LEAST
    assert (probs[LABELS == 0] >= by_pictures.few_frames_threshold).mean() <= 0.05
    assert (probs[LABELS == 1] < by_pictures.few_frames_real_below).mean() <= 0.16
    swaps = [expit(z / by_pictures.temperature).mean() for z in np.array(val.clips)[val.blended]]
    assert (np.array(swaps) < by_pictures.real_below).mean() <= 0.16
    assert by_pictures.real_below < by_pictures.threshold
    assert by_clips.few_frames_real_below is None


def test_rates_are_kept_on_clips() -> None:
    val = made(sure_of_clips=1)
    found, ranking = of(val, "all_clips", max_fpr=0.1, max_missed=0.2)
    probs = np.array([expit(z / found.temperature).mean() for z in val.clips])
    assert (probs[val.labels == 0] >= found.threshold).mean() <= 0.1
    assert (probs[val.labels == 1] < found.real_below).mean() <= 0.2
    assert ranking > 0.99
    assert found.softened_share == 0.2


def test_fakes_that_are_not_blended_count_where_all_clips_do() -> None:
    """The other fakes look real to the model: they pull the bound down, but not that of a model for blended ones."""
    val = made(sure_of_clips=1)
    hidden = [z - 4 if y and not b else z for z, y, b in zip(val.clips, val.labels, val.blended, strict=True)]
    val = replace(val, clips=hidden)
    assert of(val, "all_clips")[0].real_below < of(val, "clips")[0].real_below


def test_without_clips_a_model_for_pictures_has_their_bounds() -> None:
    val = replace(made(sure_of_clips=1), clips=[], labels=np.zeros(0, np.int64), blended=np.zeros(0, bool))
    found, ranking = of(val, "pictures")
    assert found.threshold == found.few_frames_threshold
    assert ranking > 0.99
    with pytest.raises(SystemExit, match="real clips"):
        of(val, "clips")


def test_val_needs_both_classes() -> None:
    val = made(sure_of_clips=1)
    reals = LABELS == 0
    with pytest.raises(SystemExit, match="real and fake pictures"):
        of(replace(val, pictures=val.pictures[reals], picture_labels=LABELS[reals]), "pictures")
    with pytest.raises(SystemExit, match="clips of the blending family"):
        of(replace(val, blended=np.zeros(80, bool)), "clips")
