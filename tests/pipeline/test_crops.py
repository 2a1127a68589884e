"""The one way from a face box to what a model sees: squares, borders, resampling, normalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from tbd_app.models import registry
from tbd_app.pipeline.crops import cut_face, cut_square, fit_square, for_spec, square_around
from tbd_app.types import CropRecipe

FACE = np.array([170, 60, 275, 205], np.float32)
SPEC = registry.spec("effnet_b0_image")


def position_picture(height: int, width: int) -> np.ndarray:
    """(H,W,3) uint8 whose red is the column and whose green is the row of each pixel."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((80, 60, 120, 110), (67.5, 52.5, 65)),  # in the middle: centred on the face
        ((0, 0, 40, 50), (0, 0, 65)),  # at a corner: shifted inside
        ((170, 150, 200, 200), (135, 135, 65)),
        ((-30, 90, 20, 110), (0, 67.5, 65)),  # half outside
    ],
)
def test_the_square_is_margin_times_the_longer_side_and_stays_inside(box, expected) -> None:
    square = square_around(np.array(box, np.float32), 1.3, height=200, width=200)
    assert square == pytest.approx(expected)


def test_a_square_larger_than_the_picture_is_centred_on_it() -> None:
    assert fit_square(10, 10, side=300, height=100, width=200) == (-50, -100, 300)


def test_only_the_side_that_does_not_fit_leaves_the_picture() -> None:
    x0, y0, side = square_around(np.array([100, 20, 180, 100]), 1.5, height=100, width=400)
    assert (x0, y0, side) == (80, -10, 120)


def test_a_box_without_area_still_gives_a_crop() -> None:
    crop = cut_face(data.astronaut(), np.array([50, 50, 50, 50]), 1.3, 32)
    assert crop.shape == (32, 32, 3)


def test_a_crop_that_fits_is_the_picture_itself() -> None:
    picture = position_picture(200, 250)
    np.testing.assert_array_equal(cut_square(picture, 30, 20, 64, 64), picture[20:84, 30:94])


def test_what_is_beyond_the_border_is_mirrored() -> None:
    picture = position_picture(40, 40)
    crop = cut_square(picture, -10, -10, 60, 60)
    np.testing.assert_array_equal(crop[10:50, 10:50], picture)
    np.testing.assert_array_equal(crop[10:50, :10], picture[:, :10][:, ::-1])
    np.testing.assert_array_equal(crop[50:, 10:50], picture[-10:][::-1])


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (7, 7)])
def test_a_crop_many_times_the_picture_is_still_made_of_its_pixels(shape) -> None:
    picture = position_picture(*shape)
    crop = cut_square(picture, -100, -100, 201 + shape[1], 64)
    assert crop.shape == (64, 64, 3)
    assert crop.flags.c_contiguous
    assert crop[..., 0].max() < shape[1]
    assert crop[..., 1].max() < shape[0]


@pytest.mark.parametrize("side", [8, 64, 63, 65, 500])
def test_no_resampling_changes_an_even_colour(side) -> None:
    picture = np.full((300, 300, 3), (200, 17, 93), np.uint8)
    crop = cut_square(picture, 20.4, 31.7, side, 64)
    assert (crop == (200, 17, 93)).all()


def test_reducing_averages_instead_of_picking_pixels() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut_square(stripes, 0, 0, 512, 64)
    assert np.abs(crop.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("factor", [2, 3])
def test_the_same_face_in_a_larger_picture_gives_the_same_crop(factor) -> None:
    small = data.astronaut()
    large = small.repeat(factor, axis=0).repeat(factor, axis=1)
    crops = [cut_face(small, FACE, 1.3, 96), cut_face(large, FACE * factor, 1.3, 96)]
    a_pixel_off = cut_face(small, FACE + 1, 1.3, 96)
    assert _distance(*crops) < _distance(crops[0], a_pixel_off)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_colour_order_is_kept() -> None:
    picture = np.full((50, 50, 3), (255, 128, 0), np.uint8)
    x = for_spec(replace(SPEC, mean=(0, 0, 0), std=(1, 1, 1))).tensor(picture[None])
    assert x[0, :, 25, 25].tolist() == pytest.approx([1, 128 / 255, 0])


def test_crops_follow_the_recipe_of_the_weights() -> None:
    picture, boxes = data.astronaut(), FACE[None]
    wide = for_spec(replace(SPEC, input_size=100, crop=CropRecipe(margin=2.0))).crops([picture], boxes)
    np.testing.assert_array_equal(wide[0], cut_face(picture, FACE, 2.0, 100))
    assert wide.shape == (1, 100, 100, 3)
    assert wide.dtype == np.uint8


def test_no_face_gives_no_crop() -> None:
    crops = for_spec(SPEC).crops([], np.zeros((0, 4)))
    assert crops.shape == (0, SPEC.input_size, SPEC.input_size, 3)
    assert for_spec(SPEC).tensor(crops).shape == (0, 3, SPEC.input_size, SPEC.input_size)


def test_pictures_and_boxes_must_pair_up() -> None:
    with pytest.raises(ValueError, match="zip"):
        for_spec(SPEC).crops([data.astronaut()], np.zeros((2, 4)))


def test_the_tensor_is_normalised_once_by_the_mean_and_deviation_of_the_weights() -> None:
    spec = replace(SPEC, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.4))
    crops = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    x = for_spec(spec).tensor(crops)
    assert x.dtype == torch.float32
    assert x.shape == (3, 3, 8, 8)
    expected = (crops / 255 - np.array(spec.mean)) / np.array(spec.std)
    np.testing.assert_allclose(x.permute(0, 2, 3, 1), expected, atol=1e-5)


@pytest.mark.parametrize("name", registry.list_models())
def test_every_model_has_a_usable_recipe(name) -> None:
    spec = registry.spec(name)
    points = np.array([[205, 102], [248, 104], [226, 130], [202, 141], [247, 143]], np.float32)
    x = for_spec(spec).tensor(for_spec(spec).crops([data.astronaut()], FACE[None], points[None]))
    assert x.shape == (1, 3, spec.input_size, spec.input_size)
    assert x.abs().max() < 4
    assert x.std() > 0.3
