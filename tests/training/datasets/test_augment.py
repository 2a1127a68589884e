"""Degradations: the same for every picture of a group, and each one does what its name says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tbd_app.media.recode import h264, h264_after_motion, h264_clip, jpeg
from tests.media_factory import portrait_frame
from tests.training.toy_faces import face
from training.datasets import augment
from training.datasets.augment import add_noise, degrade, extreme


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


@pytest.mark.parametrize("n_before", [1, 2, 11])
def test_a_frame_after_motion_ends_in_place(n_before) -> None:
    """A frame of another moment, or a shift by one pixel, would cost far more; how the motion went matters less."""
    original = picture()
    coded, other = (h264_after_motion(original, crf=8, seed=s, n_before=n_before) for s in (0, 1))
    assert error(coded, original) < 0.25 * error(np.roll(original, 1, axis=1), original)
    assert not np.array_equal(coded, other)


def test_smoothing_takes_texture_and_leaves_edges() -> None:
    step = np.full((64, 64, 3), 60, np.uint8)
    step[:, 32:] = 200
    rough = add_noise(step, 4, seed=0)
    smooth = augment._smooth(np.random.default_rng(0))(rough)
    assert smooth[:, :28].std() < 0.7 * rough[:, :28].std()
    assert np.abs(smooth.astype(int) - step).max() < 30


def test_noise_has_its_strength_and_its_seed() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = add_noise(grey, 5, seed=1)
    assert noisy.std() == pytest.approx(5, rel=0.05)
    np.testing.assert_array_equal(noisy, add_noise(grey, 5, seed=1))
    assert not np.array_equal(noisy, add_noise(grey, 5, seed=2))


@pytest.mark.parametrize("size", [64, 160])
def test_h264_is_the_same_each_time(size) -> None:
    """With x264's defaults about half of these clips came out in several versions."""
    for seed in range(4):
        base = cv2.resize(face(seed).image, (size, size))
        clip = [add_noise(np.roll(base, k, axis=1), 6, k) for k in range(5)]
        first, *others = (h264_clip(clip, crf=35) for _ in range(6))
        for other in others:
            np.testing.assert_array_equal(first, other)


def test_h264_takes_odd_sizes() -> None:
    clip = [picture(95)[:81]] * 2
    assert [frame.shape for frame in h264_clip(clip, crf=18)] == [(81, 95, 3)] * 2
    assert error(h264_clip(clip, crf=5)[0], clip[0]) < 30


def clip_of(n_frames: int = 3) -> list[np.ndarray]:
    return [np.roll(picture(64), k, axis=1) for k in range(n_frames)]


@pytest.mark.parametrize("seed", range(30))
def test_two_clips_get_the_same_extreme_augmentation_from_the_same_seed(seed) -> None:
    clip = clip_of()
    first, second = (extreme(c, np.random.default_rng(seed)) for c in (clip, [c.copy() for c in clip]))
    np.testing.assert_array_equal(first, second)
    assert [(f.shape, f.dtype) for f in first] == [((64, 64, 3), np.uint8)] * 3
    np.testing.assert_array_equal(clip, clip_of())


def test_draws_do_not_depend_on_the_pictures() -> None:
    """A real clip and its fake that differ in a corner only stay equal elsewhere, up to what codecs spread."""
    medians = []
    for seed in range(40):
        real = clip_of()
        fake = [frame.copy() for frame in real]
        for frame in fake:
            frame[:6, :6] = 255 - frame[:6, :6]
        pair = [np.stack(extreme(c, np.random.default_rng(seed))).astype(int) for c in (real, fake)]
        medians.append(float(np.median(np.abs(pair[0] - pair[1]))))
    assert max(medians) < 8
    assert np.mean(np.array(medians) == 0) > 0.6


def test_a_still_clip_mostly_stays_still() -> None:
    """Place, light, blur, resolution and what is hidden are one draw; only noise, jitter and H.264 differ by frame."""
    still = [picture(64)] * 3
    moved = 0
    for seed in range(100):
        first, *others = extreme(still, np.random.default_rng(seed))
        moved += any(not np.array_equal(first, other) for other in others)
        assert all(error(first, other) < 800 for other in others)
    assert 0.2 < moved / 100 < 0.8


def test_every_extreme_operation_is_drawn() -> None:
    names = [
        operation.__qualname__.split(".")[0]
        for s in range(200)
        for operation in augment.draw_extreme(np.random.default_rng(s))
    ]
    assert {"_each", "_noise", "_requality", "draw_extreme"} == set(names)
    lengths = [len(augment.draw_extreme(np.random.default_rng(s))) for s in range(200)]
    assert min(lengths) == 1
    assert max(lengths) >= 7


def test_places_move_by_what_the_fact_sheet_allows() -> None:
    """A dot in the middle of a picture never leaves its inner half, and each picture keeps its size."""
    dot = np.zeros((101, 101, 3), np.uint8)
    cv2.circle(dot, (50, 50), 4, (255, 255, 255), -1)
    places = []
    for seed in range(200):
        moments = cv2.moments(augment._place(np.random.default_rng(seed))(dot)[..., 0])
        places.append((moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]))
    off = np.abs(np.array(places) - 50)
    assert off.max() < 25
    assert (off.max(1) < 0.5).mean() > 0.1
    assert (off.max(1) > 3).mean() > 0.3


def test_greyness_is_grey_and_motion_blurs_along_one_line() -> None:
    grey = augment._grey(picture())
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    dot = np.zeros((21, 21, 3), np.uint8)
    dot[10, 10] = 255
    for seed in range(40):
        blurred = augment._blur(np.random.default_rng(seed))(dot)[..., 0].astype(float)
        assert 0 < blurred[10, 10] <= 255
        np.testing.assert_allclose(blurred.sum(), 255, atol=25)


def test_rectangles_hide_a_little() -> None:
    for seed in range(30):
        hidden = (augment._dropout(np.random.default_rng(seed))(picture()) != picture()).any(-1).mean()
        assert 0 < hidden < 4 * 0.25**2 + 0.01
