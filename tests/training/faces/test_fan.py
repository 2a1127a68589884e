"""2D-FAN's landmarks as five points that give the same crop."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tbd_app.pipeline.crops import MEAN_FACES, STABLE, similarity
from tbd_app.types import CropRecipe
from training.faces import toy
from training.faces.fan import five_of, with_fan
from training.faces.open import Faces

LRW = CropRecipe("lrw", 1.0)


@pytest.mark.parametrize("margin", [1.0, 1.4])
def test_five_points_give_the_crop_of_the_eight_stable_ones(margin: float) -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 300, (68, 2))
    turn = 200 * np.array([[0.9, -0.3], [0.3, 0.9]])
    landmarks[list(STABLE)] = MEAN_FACES["lrw"].eight @ turn.T + (40, 70) + rng.normal(0, 3, (8, 2))
    recipe = CropRecipe("lrw", margin)
    five = five_of(landmarks, recipe)
    assert five.dtype == np.float32
    np.testing.assert_allclose(
        similarity(five, recipe, 150), similarity(landmarks, recipe, 150), rtol=1e-4, atol=1e-3
    )


def test_without_the_package_the_command_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(SystemExit, match=r"pip install 'face-alignment>=1\.5'"):
        with_fan(Faces(*toy.collection("val")), LRW)


def test_faces_get_the_landmarks_of_the_network() -> None:
    """Where face-alignment is installed and has its weights."""
    pytest.importorskip("face_alignment")
    faces = Faces(*toy.collection("val"))
    dense = with_fan(faces, LRW)
    crops = [similarity(f.bank.landmarks[0], LRW, 150) for f in (faces, dense)]
    assert np.abs(crops[0] - crops[1]).max() < 15
