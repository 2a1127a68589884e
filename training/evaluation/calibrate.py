"""Temperature and bounds of a model come from what it says of val: logits in, a `Calibration` out.

`training/export.py` collects the logits by the serving code, `ledger.py` writes the result, `hub.py` publishes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from tbd_app.types import Calibration
from training.engine.metrics import auc, fake_bound, fit_temperature

# The val media that the temperature comes from: clips of the blending family, all clips, or pictures. The bound for "real"
# comes from the same clips; of a model for pictures there is a second one, from pictures and for them.
MadeFor = Literal["clips", "all_clips", "pictures"]


@dataclass(frozen=True, slots=True)
class Val:
    """What a model says of val, and what is right.

    Attributes:
        clips: of each of the N clips the fake-minus-real logits (K,) of its most suspicious track's frames.
        labels: (N,) 1 for fake clips, 0 for real ones.
        blended: (N,) bool, whether a clip is of the blending family.
        pictures: (M,) logits of single pictures.
        picture_labels: (M,) 1 for fake pictures, 0 for real ones.
    """

    clips: Sequence[np.ndarray]
    labels: np.ndarray
    blended: np.ndarray
    pictures: np.ndarray
    picture_labels: np.ndarray


def calibrated(
    val: Val, made_for: MadeFor, *, max_fpr: float, max_missed: float, softened_share: float
) -> tuple[Calibration, float]:
    """The calibration of a model, and the AUC of all clips under it.

    Without pictures a few frames have the bounds of many; a model for pictures without clips has those of pictures.

    Args:
        val: what it says.
        made_for: see `MadeFor`.
        max_fpr: of val reals at the threshold, for clips and for pictures each.
        max_missed: share of the val fakes of a kind that may fall below its bound for "real".
        softened_share: with which the logits were made.

    Raises:
        SystemExit: val lacks media of a class.
    """
    for_pictures = made_for == "pictures"
    single = [np.array([z]) for z in val.pictures]
    clips, labels, blended = list(val.clips), val.labels, val.blended
    if for_pictures and not clips:
        clips, labels = single, val.picture_labels
    if made_for == "all_clips" or (for_pictures and not val.clips):
        blended = labels == 1
    scope, scope_labels = single, val.picture_labels
    if not for_pictures:
        known = np.flatnonzero(blended | (labels == 0))
        scope, scope_labels = [clips[k] for k in known], labels[known]
    if labels.all() or not blended.any() or len(set(scope_labels)) < 2:
        raise SystemExit(
            "Val needs real clips, clips of the blending family and, for a model for pictures, real and fake pictures."
        )
    temperature = round(fit_temperature(scope, scope_labels), 4)
    probs, pictures = (np.array([expit(z / temperature).mean() for z in part]) for part in (clips, single))
    threshold = fake_bound(probs[labels == 0], max_fpr)
    reals = pictures[val.picture_labels == 0]
    few_threshold = fake_bound(reals, max_fpr) if len(reals) else None
    real_below = min(float(np.quantile(probs[blended], max_missed)), threshold)
    few_real_below = None
    if for_pictures and few_threshold is not None:
        missed = float(np.quantile(pictures[val.picture_labels == 1], max_missed))
        few_real_below = round(min(missed, few_threshold), 3)
    elif few_threshold is not None:
        real_below = min(real_below, few_threshold)
    calibration = Calibration(
        threshold=threshold,
        few_frames_threshold=few_threshold,
        real_below=round(real_below, 3),
        few_frames_real_below=few_real_below,
        temperature=temperature,
        softened_share=softened_share,
    )
    return calibration, auc(labels, probs)
