"""Swaps between two people: aligned, recoloured, only where the source has pixels, and of similar pose."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.training.toy_faces import face
from training.fakes.selfblend import LANDMARK_TEMPLATE
from training.fakes.swap import align, clone, poses, similar, swap, transfer_colour


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@pytest.mark.parametrize(
    "movement", [turned(20, 1.2, (10, -30)), turned(-35, 0.5, (80, 90)), turned(0, 1, (0, 0))]
)
def test_alignment_puts_landmarks_on_landmarks(movement) -> None:
    """A face that was moved away comes back to where it was."""
    subject = face(vary=False)
    away = cv2.warpAffine(subject.image, movement, (300, 300), flags=cv2.INTER_CUBIC)
    points = subject.landmarks @ movement[:, :2].T + movement[:, 2]
    back, covered = align(away, points, subject.image.shape[:2], subject.landmarks)
    x, y = subject.landmarks.mean(0).astype(int)
    part = np.s_[y - 30 : y + 30, x - 30 : x + 30]
    assert covered[part].min() == 1
    near, wrong = (np.abs(back[part].astype(int) - np.roll(subject.image, k, 1)[part]).mean() for k in (0, 6))
    assert near < 0.5 * wrong


def test_what_the_source_does_not_show_is_never_pasted() -> None:
    subject = face(vary=False)
    x, y = subject.landmarks[2].astype(int)
    half = subject.image[:y]  # ends at the nose
    _, covered = align(half, subject.landmarks, subject.image.shape[:2], subject.landmarks)
    assert covered[: y - 2, x].all()
    assert not covered[y + 2 :].any()
    for seed in range(12):
        pair = swap(subject.image, subject.landmarks, half, subject.landmarks, np.random.default_rng(seed))
        np.testing.assert_array_equal(pair.mask[y + 2 :], 0)


def test_colour_follows_the_target_inside_the_mask() -> None:
    target = face(3).image
    source = np.clip(target.astype(int) * 0.6 + (60, 0, 20), 0, 255).astype(np.uint8)
    mask = np.zeros(target.shape[:2], np.float32)
    mask[40:-40, 40:-40] = 1
    inside = mask == 1

    def off(picture: np.ndarray) -> float:
        return float(np.abs(picture[inside].mean(0) - target[inside].mean(0)).max())

    whole, half, none = (transfer_colour(source, target, mask, s) for s in (1.0, 0.5, 0.0))
    assert off(whole) < 3
    assert off(whole) < off(half) < off(source)
    assert np.abs(none.astype(int) - source).max() <= 4  # the way to Lab and back
    np.testing.assert_array_equal(transfer_colour(source, target, mask * 0), source)


def test_poisson_blending_keeps_the_target_outside_and_its_light_inside() -> None:
    subject = face(vary=False)
    bright = np.clip(subject.image.astype(int) + 50, 0, 255).astype(np.uint8)
    mask = np.zeros(subject.image.shape[:2], np.float32)
    cv2.circle(mask, tuple(int(v) for v in subject.landmarks[2]), 30, 1.0, -1)
    cloned = clone(bright, subject.image, mask)
    assert cloned is not None
    np.testing.assert_array_equal(cloned[mask == 0], subject.image[mask == 0])
    assert np.abs(cloned[mask == 1].mean(0) - subject.image[mask == 1].mean(0)).max() < 15
    assert clone(bright, subject.image, np.ones_like(mask)) is None
    assert clone(bright, subject.image, np.zeros_like(mask)) is None


def test_pose_knows_neither_place_nor_size_nor_roll() -> None:
    points = face(vary=False).landmarks
    movement = turned(25, 1.7, (40, 8))
    both = poses(np.stack([points, points @ movement[:, :2].T + movement[:, 2]]))
    np.testing.assert_allclose(both[0], both[1], atol=1e-8)


def test_the_partner_looks_the_same_way() -> None:
    turns = np.linspace(-0.5, 0.5, 60)
    faces = np.repeat(LANDMARK_TEMPLATE[None], 60, 0) * 40 + 100
    faces[:, 2, 0] += turns * 40
    known = poses(faces)
    off = [
        abs(turns[similar(known[50], known, np.random.default_rng(seed))] - turns[50]) for seed in range(30)
    ]
    assert np.mean(off) < 0.1
    assert len({similar(known[50], known, np.random.default_rng(seed)) for seed in range(30)}) > 5
