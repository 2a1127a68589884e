"""Corrupted clips are still whole clips, and worse."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tests import media_factory
from training.evaluation.corruptions import CORRUPTIONS, SUITE, social

LIMITS = Limits()


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    return media_factory.portrait_clip(folder / "clip.mp4", n_frames=12, size=(320, 240), rotation=90, crf=5)


def read(path: Path) -> np.ndarray:
    """(4,H,W,3) of its frames."""
    return np.stack(sample(open_media(path, LIMITS), 4, LIMITS).images).astype(int)


@pytest.fixture(scope="module")
def changed(clip, tmp_path_factory) -> Callable[[str], np.ndarray]:
    """The frames of the clip after a corruption, made once."""
    folder = tmp_path_factory.mktemp("changed")
    return cache(lambda name: read(SUITE[name](clip, folder) if name else clip))


@pytest.mark.parametrize("name", SUITE)
def test_every_corruption_gives_a_file_that_is_read_and_differs(name, changed) -> None:
    before, after = changed(""), changed(name)
    if name == "half_size":
        height, width = before.shape[1:3]
        assert after.shape == (4, height // 2, width // 2, 3)
    else:
        assert after.shape == before.shape
        assert 0.3 < np.abs(after - before).mean() < 130


@pytest.mark.parametrize(
    "names",
    [
        ("jpeg95", "jpeg75", "jpeg50", "jpeg30"),
        ("resized_0.5", "resized_0.25"),
        ("blur_1", "blur_2", "blur_3"),
        ("noise_5", "noise_10", "noise_20"),
        ("contrast_0.85", "contrast_0.6", "contrast_0.35"),
        ("saturation_0.4", "saturation_0.2", "saturation_0"),
        ("grey_blocks_16", "grey_blocks_48", "grey_blocks_80"),
        ("coarse_2", "coarse_4", "coarse_6"),
    ],
)
def test_a_stronger_level_changes_more(names, changed) -> None:
    gaps = [np.abs(changed(name) - changed("")).mean() for name in names]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 1.3 * gaps[0]


def test_noise_is_the_same_each_time_and_another_for_each_frame(clip, changed, tmp_path) -> None:
    np.testing.assert_array_equal(read(SUITE["noise_5"](clip, tmp_path)), changed("noise_5"))
    noise = changed("noise_20") - changed("")
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.2


def test_no_colour_is_left_of_none(changed) -> None:
    assert np.ptp(changed("saturation_0"), axis=-1).max() <= 2


def test_a_social_network_makes_a_large_clip_smaller_and_leaves_a_small_one(clip, changed, tmp_path) -> None:
    height, width = changed("").shape[1:3]
    assert read(social(120, 28)(clip, tmp_path)).shape[1:3] == (height // 2, width // 2)
    assert min(height, width) == 240
    assert changed("social_480p").shape[1:3] == (height, width)


def test_a_higher_crf_costs_more_detail(tmp_path) -> None:
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=12, crf=5)
    sizes = [CORRUPTIONS[f"h264_crf{crf}"](clip, tmp_path).stat().st_size for crf in (23, 32, 40)]
    assert sizes == sorted(sizes, reverse=True)
