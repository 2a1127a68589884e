"""Re-synthesis: only the trace is new, no two kernels are the same, and colour and sharpness stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.training.toy_faces import face
from training.fakes.resynth import (
    draw_kernels,
    enlarge,
    match_sharpness,
    resample_like_decoder,
    restore_low,
    resynthesise,
)


@pytest.mark.parametrize("shape", [(64, 64), (61, 83), (224, 200), (16, 16)])
def test_size_and_type_stay(shape) -> None:
    image = cv2.resize(face().image, shape[::-1])
    for seed in range(6):
        made = resample_like_decoder(image, np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (image.shape, np.uint8)


def test_the_picture_stays_but_for_a_trace() -> None:
    image = face(vary=False).image
    quality = []
    for seed in range(20):
        error = np.square(
            resample_like_decoder(image, np.random.default_rng(seed)).astype(float) - image
        ).mean()
        assert error > 0
        quality.append(10 * np.log10(255**2 / error))
    assert np.median(quality) > 28


def test_every_call_has_kernels_of_its_own() -> None:
    image = face(vary=False).image
    traces = [
        (resample_like_decoder(image, np.random.default_rng(s)).astype(float) - image).ravel()
        for s in range(6)
    ]
    alike = np.abs(np.corrcoef(traces))[np.triu_indices(6, 1)]
    assert alike.max() < 0.9
    assert np.median(alike) < 0.5


def test_plain_kernels_enlarge_as_bilinear_interpolation_does() -> None:
    """Phases, channels and neighbours are where they belong: without noise the product is OpenCV's own enlargement."""
    x = np.random.default_rng(0).normal(0, 30, (9, 7, 3)).astype(np.float32)
    taps = np.array([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
    linear = np.einsum("py,qx,dc->dyxpqc", taps, taps, np.eye(3)).reshape(27, 12).astype(np.float32)
    none = np.zeros((27, 4), np.float32), np.zeros((4, 12), np.float32)
    wanted = cv2.resize(x, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(enlarge(x, linear, *none), wanted, atol=1e-3)


def test_drawn_kernels_keep_a_flat_picture_nearly_flat_and_leave_a_grid() -> None:
    flat = np.full((8, 8, 3), 60, np.float32)
    spreads = []
    for seed in range(30):
        made = enlarge(flat, *draw_kernels(np.random.default_rng(seed)))
        assert np.abs(made - 60).max() < 6
        np.testing.assert_allclose(
            made[0::2, 0::2], made[0, 0][None, None].repeat(8, 0).repeat(8, 1), atol=1e-3
        )
        spreads.append(made.std())
    assert np.mean(spreads) > 0.1


def test_low_frequencies_and_sharpness_are_given_back() -> None:
    original = face(vary=False).image.astype(np.float32)
    changed = cv2.GaussianBlur(original, (0, 0), 0.6) * 0.8 + np.float32([30, -10, 5])
    restored = restore_low(changed, original)
    low = [cv2.resize(x, (12, 12), interpolation=cv2.INTER_AREA) for x in (changed, restored, original)]
    assert np.abs(low[1] - low[2]).mean() < 0.1 * np.abs(low[0] - low[2]).mean()

    def detail(x: np.ndarray) -> float:
        return float((x - cv2.blur(x, (3, 3))).std())

    assert detail(changed) < 0.7 * detail(original)
    assert detail(match_sharpness(restored, original)) == pytest.approx(detail(original), rel=0.2)


def test_a_redrawn_face_lies_inside_its_mask_and_sometimes_everywhere() -> None:
    subject = face(1)
    pairs = [resynthesise(subject.image, subject.landmarks, np.random.default_rng(s)) for s in range(40)]
    whole = [pair for pair in pairs if (pair.mask == 1).all()]
    assert 12 <= len(whole) <= 28
    for pair in pairs:
        changed = np.abs(pair.real.astype(int) - pair.fake).sum(2)
        assert changed[pair.mask > 0.5 * pair.mask.max()].mean() > 0
        assert not changed[pair.mask == 0].any()
        np.testing.assert_array_equal(pair.real, subject.image)


def test_another_decoder_can_draw() -> None:
    subject = face(1)
    pair = resynthesise(
        subject.image, subject.landmarks, np.random.default_rng(0), lambda image, rng: np.zeros_like(image)
    )
    assert not pair.fake[pair.mask > 0.999].any()
