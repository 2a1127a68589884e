"""Degradations: the same for every picture of a group, and each one does what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media_factory import portrait_frame
from tests.training.faces import face
from training.data import augment
from training.data.augment import add_noise, degrade, h264, h264_clip, jpeg


def picture(size: int = 96) -> np.ndarray:
    return face(vary=False).image[40 : 40 + size, 50 : 50 + size].copy()


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square(a.astype(float) - b).mean())


@pytest.mark.parametrize("seed", range(40))
def test_equal_pictures_stay_equal(seed) -> None:
    original = picture()
    first, second = degrade([original, original.copy()], np.random.default_rng(seed))
    np.testing.assert_array_equal(first, second)
    assert (first.shape, first.dtype) == (original.shape, np.uint8)
    np.testing.assert_array_equal(original, picture())


def test_a_group_gets_one_chain_whatever_its_size() -> None:
    """Each picture is treated as it would be alone: nothing is drawn per picture."""
    group = [portrait_frame(i, (64, 64)) for i in range(3)]
    for seed in range(20):
        together = degrade(group, np.random.default_rng(seed))
        alone = [degrade([p], np.random.default_rng(seed))[0] for p in group]
        np.testing.assert_array_equal(together, alone)


def test_seeds_decide() -> None:
    first, again, other = (degrade([picture()], np.random.default_rng(s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_kind_of_degradation_is_drawn_and_sometimes_none() -> None:
    lengths = {len(augment.draw_chain(np.random.default_rng(s))) for s in range(200)}
    assert min(lengths) == 0
    assert max(lengths) >= 4


def test_a_jpeg_of_lower_quality_keeps_less() -> None:
    losses = [error(jpeg(picture(), q), picture()) for q in (98, 80, 60, 40, 15)]
    assert losses == sorted(losses)
    assert 0 < losses[0] < losses[-1] / 10


def test_h264_of_higher_crf_keeps_less() -> None:
    losses = [error(h264(picture(), crf), picture()) for crf in (12, 20, 28, 36, 44)]
    assert losses == sorted(losses)
    assert 0 < losses[0] < losses[-1] / 5


@pytest.mark.parametrize("codec", [lambda x: jpeg(x, 98), lambda x: h264(x, 5)])
def test_a_fine_codec_keeps_place_and_colour(codec) -> None:
    """A shift by one pixel or swapped channels would cost far more."""
    original = picture()
    assert error(codec(original), original) < 0.25 * error(np.roll(original, 1, axis=1), original)
    assert np.abs(codec(original).mean((0, 1)) - original.mean((0, 1))).max() < 4


@pytest.mark.parametrize("n_frames", [1, 2, 7, 30])
def test_a_clip_keeps_its_number_and_order_of_frames(n_frames) -> None:
    clip = [np.full((32, 48, 3), 10 + 8 * i, np.uint8) for i in range(n_frames)]
    coded = h264_clip(clip, crf=20)
    assert [frame.shape for frame in coded] == [(32, 48, 3)] * n_frames
    np.testing.assert_allclose([f.mean() for f in coded], [f.mean() for f in clip], atol=4)


def test_noise_has_its_strength_and_its_seed() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = add_noise(grey, 5, seed=1)
    assert noisy.std() == pytest.approx(5, rel=0.05)
    np.testing.assert_array_equal(noisy, add_noise(grey, 5, seed=1))
    assert not np.array_equal(noisy, add_noise(grey, 5, seed=2))
