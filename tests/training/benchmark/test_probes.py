"""Simple measures find what gives a pair away, and only that."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from training.benchmark.probes import PICTURE_PROBES, place, told_apart

SIDE_PX = 96


def crops(n: int) -> list[np.ndarray]:
    """Crops of one portrait at places that wander."""
    image = data.astronaut()
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 300, (n, 2))
    return [np.ascontiguousarray(image[y : y + SIDE_PX, x : x + SIDE_PX]) for x, y in corners]


def soft(x: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(x, (0, 0), 1.5)


def coded(x: np.ndarray) -> np.ndarray:
    done, written = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, 15])
    assert done
    return cv2.imdecode(written, cv2.IMREAD_COLOR)


def bright(x: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(x, alpha=1.0, beta=50)


@pytest.mark.parametrize(
    ("name", "change"),
    [("sharpness", soft), ("blocks of a codec", coded), ("colour and light", bright)],
)
def test_a_measure_finds_what_it_is_for(name, change) -> None:
    reals = crops(160)
    labels = np.repeat([0, 1], 80)
    made = [change(x) if label else x for x, label in zip(reals, labels, strict=True)]
    value, low, _ = told_apart([PICTURE_PROBES[name](x) for x in made], labels, [str(k) for k in range(160)])
    assert value > 0.8
    assert low > 0.65


@pytest.mark.parametrize("name", list(PICTURE_PROBES))
def test_what_is_alike_is_not_told_apart(name) -> None:
    labels = np.tile([0, 1], 80)
    found = [PICTURE_PROBES[name](x) for x in crops(80) for _ in labels[:2]]
    value, _, _ = told_apart(found, labels, [str(k // 2) for k in range(160)])
    assert value == pytest.approx(0.5, abs=0.02)


def test_a_source_that_was_learned_by_heart_does_not_count() -> None:
    # Each page has a light of its own, which tells its class and nothing of the next page's.
    rng = np.random.default_rng(1)
    pages = np.repeat(np.arange(20), 8)
    labels = np.repeat(rng.permutation([0, 1] * 10), 8)
    light = rng.normal(0, 1, 20)[pages] + rng.normal(0, 0.01, 160)
    value, _, _ = told_apart(light[:, None].tolist(), labels, [str(p) for p in pages])
    assert value < 0.75


def test_the_place_of_a_face() -> None:
    found = place(np.array([10, 20, 30, 60]), 100, 200)
    assert found == pytest.approx([np.log(40), 0.2, 0.2, 0.5])
