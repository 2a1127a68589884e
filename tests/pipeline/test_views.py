"""Views change the file of a face and nothing else: cut from a part of the frame, the face itself is what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from tbd_app.pipeline.crops import Preprocess
from tbd_app.pipeline.views import VIEWS, Face, part
from tbd_app.types import CropRecipe, ViewName

BOX = np.array([170, 60, 275, 205], np.float32)
POINTS = np.array([[205, 115], [250, 115], [228, 140], [210, 168], [247, 168]], np.float32)
SQUARE = Preprocess(112, CropRecipe(margin=1.3), (0, 0, 0), (1, 1, 1))
ALIGNED = Preprocess(112, CropRecipe("arcface", margin=1.3), (0, 0, 0), (1, 1, 1))


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(640,900,3): the portrait away from the borders."""
    return cv2.copyMakeBorder(astronaut(), 64, 64, 200, 188, cv2.BORDER_REFLECT)


def face(image: np.ndarray, right: float = 0, down: float = 0) -> Face:
    step = np.array([right, down], np.float32)
    return Face(image, BOX + np.tile(step, 2), POINTS + step)


def crop(one: Face, preprocess: Preprocess) -> np.ndarray:
    return preprocess.crops([one.image], one.box[None], one.landmarks[None])[0]


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_every_view_that_has_a_name_is_made() -> None:
    assert tuple(VIEWS) == get_args(ViewName)


@pytest.mark.parametrize("preprocess", [SQUARE, ALIGNED], ids=["square", "aligned"])
@pytest.mark.parametrize(("right", "down"), [(200, 64), (-160, -60), (230, 300), (0.4, 0.7)])
def test_the_part_of_a_frame_gives_the_crop_of_the_frame(scene, preprocess, right, down) -> None:
    whole = face(scene, right, down)
    small = part(whole, preprocess)
    assert small.image.size < 0.5 * scene.size
    # An aligned crop is turned, so that its pixels may be rounded another way.
    np.testing.assert_allclose(
        crop(small, preprocess).astype(int), crop(whole, preprocess), atol=preprocess is ALIGNED
    )


def test_a_part_begins_on_the_grid_of_blocks_and_holds_the_shifted_crop(scene) -> None:
    whole = face(scene, 200, 64)
    small = part(whole, SQUARE)
    offset = whole.box[:2] - small.box[:2]
    assert (offset % 16 == 0).all()
    moved = VIEWS["shifted"](whole, SQUARE)
    np.testing.assert_array_equal(crop(VIEWS["shifted"](small, SQUARE), SQUARE), crop(moved, SQUARE))


@pytest.mark.parametrize("preprocess", [SQUARE, ALIGNED], ids=["square", "aligned"])
def test_a_mirrored_face_is_cut_as_its_mirror_image(scene, preprocess) -> None:
    small = part(face(scene, 200, 64), preprocess)
    again = crop(VIEWS["mirrored"](small, preprocess), preprocess)[:, ::-1]
    own = crop(small, preprocess)
    # A square begins at a whole pixel, and that of the mirror image may be the next one.
    assert differ(again, own) < 0.3 * differ(again[:, ::-1], own)


@pytest.mark.parametrize("scale", [1, 3])
def test_the_shift_is_two_pixels_of_the_crop_whatever_the_size_of_the_face(scene, scale) -> None:
    large = cv2.resize(scene, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    whole = face(scene, 200, 64)
    small = part(
        replace(whole, image=large, box=whole.box * scale, landmarks=whole.landmarks * scale), SQUARE
    )
    before, after = crop(small, SQUARE), crop(VIEWS["shifted"](small, SQUARE), SQUARE)
    by = {n: differ(after[: -n or None, : -n or None], before[n:, n:]) for n in range(5)}
    assert min(by, key=by.get) == 2


@pytest.mark.parametrize("name", ["jpeg_50", "h264_crf_32", "half_size"])
def test_what_is_lost_depends_on_the_size_of_the_face_in_its_file(scene, name) -> None:
    large = cv2.resize(scene, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    whole = face(scene, 200, 64)
    big = replace(whole, image=large, box=whole.box * 3, landmarks=whole.landmarks * 3)
    lost = []
    for one in (part(whole, SQUARE), part(big, SQUARE)):
        lost.append(differ(crop(VIEWS[name](one, SQUARE), SQUARE), crop(one, SQUARE)))
    assert lost[0] > 1
    assert lost[1] < 0.6 * lost[0]
