"""One way from a face to a training picture, and it is that of serving, whatever the recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline.crops import Preprocess, for_spec
from tests.training.toy_faces import bank_of, face, item
from training.datasets.clips import ClipReader
from training.datasets.crops import MAX_SHIFT, ZOOM, Jitter, reduced
from training.datasets.pairs import BLEND_SIDE_PX, PairDataset
from training.faces.open import Faces

SQUARE = replace(for_spec(registry.spec("effnetv2_b0_frame")), size=64)
RECIPES = [
    pytest.param(replace(SQUARE, recipe=replace(SQUARE.recipe, kind=kind)), id=kind)
    for kind in ("square", "arcface", "lrw")
]


@pytest.mark.parametrize("preprocess", RECIPES)
def test_a_pair_shows_what_serving_shows(preprocess: Preprocess) -> None:
    faces = [face(1), face(2)]
    items = [item(0, "image"), item(1, "image", 1, "StyleGAN2")]
    bank = bank_of(faces)
    pairs = PairDataset(bank, items, preprocess, length=1, seed=0, augment=False, sources=["generated_still"])
    made = pairs.made(np.random.default_rng(0), 0)
    for crop, row in zip(made.pictures, made.rows, strict=True):
        shown = reduced(bank.image(row), bank.boxes[row], bank.landmarks[row], sum(BLEND_SIDE_PX) // 2)
        served = preprocess.crops([shown[0]], shown[1][None], shown[2][None])[0]
        np.testing.assert_array_equal(crop, served)


@pytest.mark.parametrize("preprocess", RECIPES)
def test_a_fake_and_what_was_changed_lie_where_their_real_lies(preprocess: Preprocess) -> None:
    pairs = PairDataset(
        bank_of([face(0)]), [item(0)], preprocess, length=8, seed=0, sources=["blend_still"]
    )  # fmt: skip
    for number in range(8):
        made = pairs.made(np.random.default_rng(number), number)
        real, fake = (p.astype(float) for p in made.pictures)
        assert real.shape == (64, 64, 3)
        differs = np.abs(real - fake).sum(2)
        inside = np.kron(made.where, np.ones((16, 16)))[::7, ::7] > 0.5  # 28 cells to 64 px
        assert differs[inside].mean() > 3 * differs[~inside].mean()


@pytest.mark.parametrize("preprocess", RECIPES)
def test_pairs_and_clips_are_cut_alike(preprocess: Preprocess) -> None:
    """One still, once as the real of a pair and once as a clip of one frame, under the same jitter."""
    bank, items = bank_of([face(3)]), [item(0)]
    shown = (bank.image(0), bank.boxes[0], bank.landmarks[0])
    of_pair = Jitter.draw(np.random.default_rng(5)).cut([shown], preprocess)
    reader = ClipReader(Faces(bank, items), preprocess, 1)
    of_clip = reader.crops([shown], np.random.default_rng(5))
    np.testing.assert_array_equal(of_pair, of_clip)
    assert not np.array_equal(of_pair, reader.crops([shown], None))


@pytest.mark.parametrize("preprocess", RECIPES)
def test_jitter_shifts_and_widens_what_is_shown(preprocess: Preprocess) -> None:
    box = np.array([400, 420, 520, 580], np.float32)
    landmarks = np.array([(435, 480), (485, 480), (460, 510), (440, 540), (480, 540)], np.float32)
    before = np.array(preprocess.extent(box, landmarks, 1000, 1000)).reshape(2, 2)
    jitter = Jitter((0.05, -0.03), 1.1)
    after = np.array(preprocess.extent(*jitter.of(box, landmarks), 1000, 1000)).reshape(2, 2)
    np.testing.assert_allclose(after[1] - after[0], 1.1 * (before[1] - before[0]), rtol=1e-3)
    centre = np.array([460, 500])
    moved = centre + (before.mean(0) - centre) * 1.1 + np.array([0.05, -0.03]) * 160
    np.testing.assert_allclose(after.mean(0), moved, atol=0.1)


def test_draws_stay_within_their_bounds_and_nothing_is_drawn_without_a_generator() -> None:
    rng = np.random.default_rng(1)
    draws = [Jitter.draw(rng) for _ in range(200)]
    assert max(abs(v) for d in draws for v in d.shift) <= MAX_SHIFT
    assert ZOOM[0] <= min(d.zoom for d in draws) < 0.9 < 1.1 < max(d.zoom for d in draws) <= ZOOM[1]
    assert Jitter.draw(None) == Jitter()
