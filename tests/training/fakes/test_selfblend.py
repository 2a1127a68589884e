"""Self-blends: the arithmetic of the blend, masks that stay on the face, and no shortcut but the blend itself."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import cv2
import numpy as np
import pytest

from tests.training.fakes.probes import fine_detail, probe_auc
from tests.training.toy_faces import face
from training.fakes import selfblend
from training.fakes.selfblend import LANDMARK_TEMPLATE, REGIONS, blend, outline, self_blend, self_blend_clip

N_PAIRS = 200


def pair_of(number: int) -> selfblend.Pair:
    subject = face(number)
    return self_blend(subject.image, subject.landmarks, np.random.default_rng(number))


@pytest.fixture(scope="module")
def pairs() -> list[selfblend.Pair]:
    return [pair_of(number) for number in range(N_PAIRS)]


@pytest.mark.parametrize(("value", "expected"), [(0, "target"), (1, "source")])
def test_an_empty_mask_gives_the_target_and_a_full_one_the_source(value, expected) -> None:
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (64, 64, 3), np.uint8) for name in ("source", "target")}
    mixed = blend(pictures["source"], pictures["target"], np.full((64, 64), value, np.float32))
    np.testing.assert_array_equal(mixed, pictures[expected])


def test_half_a_mask_gives_the_mean() -> None:
    black, grey = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 100, np.uint8)
    np.testing.assert_array_equal(blend(black, grey, np.full((2, 2), 0.5, np.float32)), 50)


def test_real_and_fake_are_the_same_outside_the_mask(pairs) -> None:
    for pair in pairs:
        outside = pair.mask == 0
        assert outside.any()
        np.testing.assert_array_equal(pair.real[outside], pair.fake[outside])


def test_real_and_fake_differ_inside_the_mask(pairs) -> None:
    assert all((pair.real != pair.fake).any() for pair in pairs)


def test_a_pair_keeps_the_pictures_shape_and_type(pairs) -> None:
    for number, pair in enumerate(pairs):
        image = face(number).image
        assert pair.real.shape == pair.fake.shape == image.shape
        assert pair.real.dtype == pair.fake.dtype == np.uint8
        assert (pair.mask.shape, pair.mask.dtype) == (image.shape[:2], np.float32)


def test_about_half_of_the_reals_are_the_untouched_picture(pairs) -> None:
    """In the other half the real picture is the changed one, so that a change alone is not a sign of a fake."""
    untouched = sum(np.array_equal(pair.real, face(n).image) for n, pair in enumerate(pairs))
    assert 0.35 < untouched / len(pairs) < 0.65


def test_masks_stay_between_0_and_1_and_away_from_the_border(pairs) -> None:
    masks = [pair.mask for pair in pairs]
    assert all(m.min() >= 0 and 0.2 < m.max() <= 1 + 1e-6 for m in masks)
    clear = [not np.concatenate([m[0], m[-1], m[:, 0], m[:, -1]]).any() for m in masks]
    assert np.mean(clear) >= 0.95


def test_the_same_seed_gives_the_same_pair_and_another_one_another() -> None:
    first, again = pair_of(3), pair_of(3)
    for name in ("real", "fake", "mask"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    subject = face(3)
    other = self_blend(subject.image, subject.landmarks, np.random.default_rng(4))
    assert not np.array_equal(first.fake, other.fake)


def test_the_picture_that_comes_in_is_left_alone() -> None:
    subject = face(1)
    before = subject.image.copy()
    self_blend(subject.image, subject.landmarks, np.random.default_rng(1))
    np.testing.assert_array_equal(subject.image, before)


def test_every_region_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: Counter[str] = Counter()
    real_mask = selfblend.face_mask

    def spy(landmarks, shape, rng, region="face"):
        drawn[region] += 1
        return real_mask(landmarks, shape, rng, region)

    monkeypatch.setattr(selfblend, "face_mask", spy)
    for number in range(N_PAIRS):
        pair_of(number)
    assert set(drawn) == set(REGIONS)
    assert drawn.most_common(1)[0][0] == "face"


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_lies_where_its_name_says(region) -> None:
    """Where the mask's centre falls along the line from the eyes (0) to the mouth (1)."""
    expected = {
        "face": (0.1, 0.75), "lower_face": (0.8, 1.3), "mouth": (0.8, 1.2), "eyes": (-0.2, 0.2), "nose": (0.2, 0.6),
    }  # fmt: skip
    subject = face(vary=False)
    eyes, mouth = subject.landmarks[:2].mean(0), subject.landmarks[3:].mean(0)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        mask = selfblend.face_mask(subject.landmarks, subject.image.shape[:2], rng, region)
        moments = cv2.moments(mask)
        height = (moments["m01"] / moments["m00"] - eyes[1]) / (mouth[1] - eyes[1])
        low, high = expected[region]
        assert low < height < high


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """(2,3) rotation by `degrees`, scaling and shift."""
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@pytest.mark.parametrize(
    ("scale", "degrees", "shift"),
    [(40, 0, (100, 90)), (12.5, 30, (-5, 7)), (90, -80, (300, 10)), (25, 179, (0, 0))],
)
def test_the_similarity_of_a_moved_template_is_the_movement(scale, degrees, shift) -> None:
    movement = similarity(scale, degrees, shift)
    points = LANDMARK_TEMPLATE @ movement[:, :2].T + movement[:, 2]
    np.testing.assert_allclose(selfblend.similarity_from_template(points), movement, atol=1e-8)


def test_the_similarity_never_mirrors_even_where_a_mirror_would_fit_better() -> None:
    mirrored = LANDMARK_TEMPLATE * (-30, 30) + (100, 100)
    for points in (mirrored, face().landmarks):
        matrix = selfblend.similarity_from_template(points)[:, :2]
        assert np.linalg.det(matrix) > 0
        np.testing.assert_allclose(matrix @ matrix.T, np.linalg.det(matrix) * np.eye(2), atol=1e-9)


def crossings(polygon: np.ndarray) -> int:
    """How often two edges of a polygon that share no corner cross."""
    ends = np.roll(polygon, -1, axis=0)

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    def cross(i, j):
        a, b, c, d = polygon[i], ends[i], polygon[j], ends[j]
        return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)

    n = len(polygon)
    return sum(cross(i, j) for i, j in combinations(range(n), 2) if j - i > 1 and (i, j) != (0, n - 1))


def test_crossings_are_counted() -> None:
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
    assert crossings(square) == 0
    assert crossings(square[[0, 2, 1, 3]]) == 1


@pytest.mark.parametrize("forehead", [False, True])
def test_the_outline_never_crosses_itself(forehead) -> None:
    rng = np.random.default_rng(0)
    for turn in np.linspace(-0.6, 0.6, 25):  # nose to the side, in eye distances: a profile at the ends
        points = LANDMARK_TEMPLATE + rng.normal(0, 0.03, (5, 2))
        points[2, 0] += turn
        assert crossings(outline(points * 40 + 100, forehead=forehead)) == 0


@pytest.mark.parametrize("forehead", [False, True])
def test_the_outline_of_a_frontal_face_fits_its_crop(forehead) -> None:
    subject = face(margin=1.3, vary=False)
    points, side = outline(subject.landmarks, forehead=forehead), len(subject.image)
    assert (points >= 0).all()
    assert (points <= side).all()
    share = cv2.contourArea(points.astype(np.float32)) / side**2
    assert 0.2 < share < 0.6


def test_the_forehead_only_adds() -> None:
    subject = face(vary=False)
    without, whole = (outline(subject.landmarks, forehead=f) for f in (False, True))
    assert whole[:, 1].min() < without[:, 1].min()
    np.testing.assert_allclose(whole[:, 1].max(), without[:, 1].max())


def test_the_jaw_follows_the_turn_of_the_head() -> None:
    points = LANDMARK_TEMPLATE * 40 + 100
    chins = []
    for turn in (-8, 0, 8):
        turned = points + np.array([[0, 0], [0, 0], [turn, 0], [0, 0], [0, 0]])
        jaw = outline(turned, forehead=False)
        chins.append(jaw[np.argmax(jaw[:, 1]), 0])
    assert chins == sorted(chins)
    assert chins[2] - chins[0] > 8


def test_the_probe_would_see_a_shortcut() -> None:
    """Were the changed version always the fake's source, sharpness would give it away."""
    crops = []
    for number in range(60):
        subject = face(number)
        soft = cv2.GaussianBlur(subject.image, (0, 0), 1.2)
        crops += [subject.image, soft]
    assert probe_auc([fine_detail(c) for c in crops]) > 0.8


def clip_pairs(seed: int, length: int = 5) -> list[selfblend.Pair]:
    subject = face(1)
    images = [
        subject.image[: len(subject.image) - 2 * t] for t in range(length)
    ]  # cuts differ a little in size
    return self_blend_clip(images, np.repeat(subject.landmarks[None], length, 0), np.random.default_rng(seed))


def test_the_draws_of_a_clip_hold_for_all_its_frames() -> None:
    """Masks and colours of one clip differ far less than those of two clips, whatever the size of its frames."""
    within, between = [], []
    for seed in range(8):
        first, *others = clip_pairs(seed)
        height = len(others[-1].mask)
        within += [np.abs(first.mask[:height] - p.mask[:height]).mean() for p in others]
        between.append(np.abs(first.mask - clip_pairs(seed + 100, 1)[0].mask).mean())
    assert np.mean(within) < 0.15 * np.mean(between)


def test_a_clip_trembles_a_little() -> None:
    first, *others = clip_pairs(0, 4)
    for pair in others:
        assert (first.mask[: len(pair.mask)] != pair.mask).any()


def test_real_and_fake_clips_are_the_same_outside_the_mask() -> None:
    for seed in range(8):
        for pair in clip_pairs(seed, 3):
            np.testing.assert_array_equal(pair.real[pair.mask == 0], pair.fake[pair.mask == 0])


def test_wandering_noise_has_unit_variance_and_a_memory() -> None:
    noise = selfblend.wander(400, 50, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.mean(noise[1:] * noise[:-1]) == pytest.approx(0.6, abs=0.05)
