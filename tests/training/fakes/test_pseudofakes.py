"""What every kind of pseudo-fake must keep: the pair's form, its seed, and no shortcut in colour, sharpness or resolution."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.training.fakes.probes import SHORTCUTS, as_the_model_sees, probe_auc, stills
from tests.training.toy_faces import SHARED, Face, face
from training.fakes.mouth import redraw_mouth
from training.fakes.resynth import resample_like_decoder
from training.fakes.selfblend import Pair, self_blend
from training.fakes.swap import poses, similar, swap

N_PAIRS = 120


def resynth(faces: list[Face], n: int) -> Pair:
    image = faces[n].image
    fake = resample_like_decoder(image, np.random.default_rng(n))
    return Pair(image, fake, np.ones(image.shape[:2], np.float32))


def swapped(faces: list[Face], n: int) -> Pair:
    rng, others = np.random.default_rng(n), [f for k, f in enumerate(faces) if k != n]
    partner = others[
        similar(poses(faces[n].landmarks[None])[0], poses(np.array([f.landmarks for f in others])), rng)
    ]
    return swap(faces[n].image, faces[n].landmarks, partner.image, partner.landmarks, rng)


def blended(faces: list[Face], n: int) -> Pair:
    return self_blend(faces[n].image, faces[n].landmarks, np.random.default_rng(n))


def mouthed(faces: list[Face], n: int) -> Pair:
    return redraw_mouth(faces[n].image, faces[n].landmarks, np.random.default_rng(n))


KINDS = {"self-blend": blended, "swap": swapped, "mouth": mouthed, "resynth": resynth}


@cache
def toy_faces() -> list[Face]:
    return [face(n) for n in range(N_PAIRS)]


@cache
def toy_pairs(kind: str) -> list[Pair]:
    return [KINDS[kind](toy_faces(), n) for n in range(N_PAIRS)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_keeps_the_pictures_shape_and_differs(kind) -> None:
    for original, pair in zip(toy_faces(), toy_pairs(kind), strict=True):
        assert pair.real.shape == pair.fake.shape == original.image.shape
        assert pair.real.dtype == pair.fake.dtype == np.uint8
        assert (pair.mask.shape, pair.mask.dtype) == (original.image.shape[:2], np.float32)
        assert 0 <= pair.mask.min() <= pair.mask.max() <= 1 + 1e-6
    assert np.mean([(p.real != p.fake).any() for p in toy_pairs(kind)]) > 0.97


@pytest.mark.parametrize("kind", ["self-blend", "swap", "mouth"])
def test_outside_the_mask_nothing_changes(kind) -> None:
    for pair in toy_pairs(kind):
        outside = pair.mask == 0
        np.testing.assert_array_equal(pair.real[outside], pair.fake[outside])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_pair_and_pictures_are_left_alone(kind) -> None:
    before = [f.image.copy() for f in toy_faces()[:3]]
    again = KINDS[kind](toy_faces(), 2)
    np.testing.assert_array_equal(again.fake, toy_pairs(kind)[2].fake)
    np.testing.assert_array_equal(again.real, toy_pairs(kind)[2].real)
    for image, f in zip(before, toy_faces(), strict=False):
        np.testing.assert_array_equal(image, f.image)


@pytest.mark.parametrize("kind", KINDS)
def test_no_shortcut_tells_real_from_fake(kind) -> None:
    crops = [
        c for f, p in zip(toy_faces(), toy_pairs(kind), strict=True) for c in as_the_model_sees(p, f.box)
    ]
    for feature in SHORTCUTS:
        assert probe_auc([feature(c) for c in crops]) < 0.65, feature.__name__


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no media in ../shared/data")
@pytest.mark.parametrize("kind", KINDS)
def test_nor_on_real_stills(kind) -> None:
    faces = stills(N_PAIRS)
    crops = [c for n, f in enumerate(faces) for c in as_the_model_sees(KINDS[kind](faces, n), f.box)]
    for feature in SHORTCUTS:
        assert probe_auc([feature(c) for c in crops]) < 0.65, feature.__name__
