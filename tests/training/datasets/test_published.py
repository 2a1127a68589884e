"""The augmentations of published recipes: sizes and types stay, one draw holds for a group, and each does something."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.toy_faces import face
from training.datasets.published import TREATMENTS

NAMES = sorted(set(TREATMENTS) - {"none"})
PICTURE = np.ascontiguousarray(face(1).image[:96, :96])


@pytest.mark.parametrize("name", NAMES)
def test_one_draw_holds_for_a_group(name: str) -> None:
    """Two clips whose generators have one seed are treated alike, and so are the frames of a clip unless they may differ."""
    for seed in range(8):
        one, other = (TREATMENTS[name]([PICTURE] * 3, np.random.default_rng(seed)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert {(i.shape, i.dtype.name) for i in one} == {(PICTURE.shape, "uint8")}
        if name != "dfd_fcg":
            assert all(np.array_equal(one[0], i) for i in one)


@pytest.mark.parametrize("name", NAMES)
def test_most_draws_change_the_picture_and_never_beyond_recognition(name: str) -> None:
    drawn = [TREATMENTS[name]([PICTURE], np.random.default_rng(seed))[0] for seed in range(20)]
    assert len({d.tobytes() for d in drawn}) >= (2 if name == "flips" else 15)
    assert all(abs(float(d.mean()) - float(PICTURE.mean())) < 60 for d in drawn)


def test_none_leaves_pictures_as_they_are() -> None:
    (same,) = TREATMENTS["none"]([PICTURE], np.random.default_rng(0))
    assert same is PICTURE
