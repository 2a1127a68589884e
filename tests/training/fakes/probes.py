"""Linear probes: what a detector could learn instead of the manipulation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tbd_app.pipeline.crops import cut_face
from tests.training.toy_faces import SHARED, Face
from training.faces.index import read_index
from training.fakes.selfblend import Pair


def probe_auc(features: Sequence[np.ndarray]) -> float:
    """Cross-validated AUC of a linear probe on real, fake, real, fake ... features; a pair is never split."""
    x, y = np.array(features), np.tile([0, 1], len(features) // 2)
    groups = np.repeat(np.arange(len(y) // 2), 2)
    probe = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(probe, x, y, groups=groups, cv=GroupKFold(5), method="decision_function")
    auc = float(roc_auc_score(y, scores))
    return max(auc, 1 - auc)


def mean_colour(crop: np.ndarray) -> np.ndarray:
    """(3,)."""
    return crop.mean((0, 1))


def fine_detail(crop: np.ndarray) -> np.ndarray:
    """(1,) log energy of the Laplacian: sharpness."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.log([cv2.Laplacian(grey, cv2.CV_64F).var() + 1e-3])


def high_frequencies(crop: np.ndarray) -> np.ndarray:
    """(1,) log energy of what a small blur takes away."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.log([float((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).var()) + 1e-3])


def resolution(crop: np.ndarray) -> np.ndarray:
    """(1,) log share of detail that survives a reduction to half: low for a picture that was small once."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = (grey.shape[1] // 2, grey.shape[0] // 2)
    half = cv2.resize(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), grey.shape[::-1])
    return np.log([float(np.square(grey - half).mean()) + 1e-3])


SHORTCUTS = (mean_colour, fine_detail, high_frequencies, resolution)


def as_the_model_sees(pair: Pair, box: np.ndarray) -> list[np.ndarray]:
    """The real and the fake crop, (160,160,3) uint8 RGB each."""
    return [cut_face(picture, box, 1.3, 160) for picture in (pair.real, pair.fake)]


def stills(count: int) -> list[Face]:
    """So many real stills of ../shared/data, evenly over its train split."""
    found = [i for i in read_index(SHARED) if i.kind == "crop" and i.split == "train"]
    chosen = found[:: len(found) // count][:count]
    return [Face(cv2.imread(str(i.path))[..., ::-1].copy(), i.box, i.landmarks) for i in chosen]
