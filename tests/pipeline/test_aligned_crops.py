"""Aligned crops: a face of any size, place and tilt comes to lie on the mean face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from tbd_app.models import registry
from tbd_app.pipeline.crops import MEAN_FACES, STABLE, Preprocess, cut_aligned, for_spec, similarity
from tbd_app.types import CropRecipe

LRW, ARCFACE = CropRecipe("lrw", 1.0), CropRecipe("arcface", 1.3)
RECIPES = [LRW, ARCFACE, CropRecipe("lower", 1.0)]


def posed(points: np.ndarray, *, scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    turn = scale * np.exp(1j * np.deg2rad(degrees))
    moved = (points @ (1, 1j)) * turn + shift[0] + 1j * shift[1]
    return np.stack([moved.real, moved.imag], 1)


def on_crop(points: np.ndarray, recipe: CropRecipe, size: int, at: np.ndarray) -> np.ndarray:
    """Where the crop of landmarks `points` shows the places `at`."""
    matrix = similarity(points, recipe, size)
    return at @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.kind)
@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_landmarks_of_any_pose_meet_the_mean_face(recipe, degrees) -> None:
    targets = MEAN_FACES[recipe.kind].five * 150
    seen = posed(targets, scale=2.3, degrees=degrees, shift=(400, -20))
    np.testing.assert_allclose(on_crop(seen, recipe, 150, seen), targets, atol=1e-6)


def test_the_targets_of_the_lip_reading_crop_are_those_of_the_sheet() -> None:
    """In the 150 px crop: eyes (45.5,48.9),(99.8,48.2), nose (71.7,82.4), mouth (50.6,111.9),(95.6,111.6)."""
    stated = [(45.5, 48.9), (99.8, 48.2), (71.7, 82.4), (50.6, 111.9), (95.6, 111.6)]
    assert (
        np.abs(MEAN_FACES["lrw"].five * 150 - stated).max() < 0.16
    )  # the sheet rounds, and the centre with it


def test_68_landmarks_and_5_of_the_same_face_give_nearly_the_same_crop() -> None:
    face = MEAN_FACES["lrw"]
    all_68 = np.zeros((68, 2))
    all_68[list(STABLE)] = posed(face.eight, scale=300, degrees=12, shift=(50, 80))
    five = posed(face.five, scale=300, degrees=12, shift=(50, 80))
    np.testing.assert_allclose(similarity(all_68, LRW, 150), similarity(five, LRW, 150), atol=1e-6)
    with pytest.raises(ValueError, match="arcface crops need 5 landmarks, not 68"):
        similarity(all_68, ARCFACE, 150)


def test_a_finer_mouth_than_training_saw_is_reduced_first() -> None:
    """Stripes of two pixels that the crop of the mouth would show are gone where the crop spans more than 160 of them."""
    recipe = CropRecipe("lower", 1.0)
    stripes = np.zeros((700, 700, 3), np.uint8)
    stripes[:, ::2] = 255
    spread = {}
    for side in (120, 500):  # of the crop, in the picture
        points = MEAN_FACES["lower"].five * side + 100
        spread[side] = float(cut_aligned(stripes, points, recipe, 224)[60:160, 60:160].std())
    assert spread[120] > 50
    assert spread[500] < spread[120] / 3


def test_a_wider_margin_shows_more_about_the_same_middle() -> None:
    points = MEAN_FACES["arcface"].five * 256
    tight, wide = (on_crop(points, CropRecipe("arcface", m), 256, points) for m in (1.3, 2.6))
    np.testing.assert_allclose((wide - 128) * 2, tight - 128, atol=1e-6)


def test_the_fit_is_the_best_of_its_kind() -> None:
    """No turned, scaled or shifted neighbour of the fit comes closer to the mean face."""
    rng = np.random.default_rng(0)
    targets = MEAN_FACES["lrw"].five * 150
    points = targets + rng.normal(0, 4, (5, 2))
    matrix = similarity(points, LRW, 150)

    def error(m: np.ndarray) -> float:
        return float(((points @ m[:, :2].T + m[:, 2] - targets) ** 2).sum())

    for _ in range(50):
        turn, shift = (1 + rng.normal(0, 0.01)) * np.exp(1j * rng.normal(0, 0.01)), rng.normal(0, 0.5, 2)
        nudge = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
        near = np.c_[nudge @ matrix[:, :2], nudge @ matrix[:, 2] + shift]
        assert error(matrix) <= error(near)


def test_landmarks_in_one_place_still_give_a_crop() -> None:
    crop = cut_aligned(data.astronaut(), np.full((5, 2), 200.0), LRW, 64)
    assert crop.shape == (64, 64, 3)


def test_a_picture_posed_as_the_mean_face_is_shown_as_it_is() -> None:
    picture = data.astronaut()[:224, :224]
    crop = cut_aligned(picture, MEAN_FACES["lrw"].five * 224, LRW, 224)
    assert np.abs(crop.astype(int) - picture).max() <= 1


def test_outside_the_picture_is_black() -> None:
    picture = np.full((100, 100, 3), 255, np.uint8)
    points = MEAN_FACES["lrw"].five * 64 - (40, 0)
    crop = cut_aligned(picture, points, LRW, 64)
    assert (crop[:, :39] == 0).all()
    assert (crop[:, 41:] == 255).all()


@pytest.mark.parametrize("factor", [2, 6])
def test_the_same_face_in_a_larger_picture_gives_the_same_crop(factor) -> None:
    small = data.astronaut()[:200, 100:320]
    large = small.repeat(factor, axis=0).repeat(factor, axis=1)
    points = posed(MEAN_FACES["lrw"].five, scale=110, degrees=10, shift=(60, 40))
    one, other, a_pixel_off = (
        cut_aligned(image, p, LRW, 96).astype(int)
        for image, p in ((small, points), (large, points * factor), (small, points + 1))
    )
    assert np.abs(one - other).mean() < np.abs(one - a_pixel_off).mean() / 2


def test_a_large_face_is_averaged_not_sampled() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut_aligned(stripes, MEAN_FACES["lrw"].five * 512, LRW, 64)
    assert np.abs(crop.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.kind)
def test_the_one_preprocessing_path_aligns(recipe) -> None:
    spec = replace(registry.spec("effnet_b0_image"), crop=recipe, input_size=96)
    points = np.array([[200, 110], [245, 110], [222, 135], [205, 160], [240, 160]], np.float32)
    picture, box = data.astronaut(), np.array([[170, 60, 275, 205]], np.float32)
    crops = for_spec(spec).crops([picture], box, points[None])
    np.testing.assert_array_equal(crops[0], cut_aligned(picture, points, recipe, 96))
    with pytest.raises(ValueError, match=f"{recipe.kind} crops need landmarks"):
        for_spec(spec).crops([picture], box)


def test_no_face_gives_no_aligned_crop() -> None:
    preprocess = Preprocess(32, LRW, (0.5,) * 3, (0.5,) * 3)
    assert preprocess.crops([], np.zeros((0, 4)), np.zeros((0, 5, 2))).shape == (0, 32, 32, 3)
