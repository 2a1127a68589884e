"""Corrupted clips are still whole clips, and worse."""

from __future__ import annotations

import numpy as np
import pytest

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits
from tests import media_factory
from training.evaluation.corruptions import CORRUPTIONS

LIMITS = Limits()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_gives_a_file_that_is_read_and_differs(name, tmp_path) -> None:
    clip = media_factory.portrait_clip(
        tmp_path / "clip.mp4", n_frames=12, size=(320, 240), rotation=90, crf=5
    )
    original = sample(open_media(clip, LIMITS), 4, LIMITS)
    changed = sample(open_media(CORRUPTIONS[name](clip, tmp_path), LIMITS), 4, LIMITS)
    assert len(changed) == len(original)
    height, width = original.images[0].shape[:2]
    if name == "half_size":
        assert changed.images[0].shape == (height // 2, width // 2, 3)
    else:
        gap = np.abs(changed.images[0].astype(int) - original.images[0]).mean()
        assert changed.images[0].shape == (height, width, 3)
        assert 0.3 < gap < 25


def test_a_higher_crf_costs_more_detail(tmp_path) -> None:
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4", n_frames=12, crf=5)
    sizes = [CORRUPTIONS[f"h264_crf{crf}"](clip, tmp_path).stat().st_size for crf in (23, 32, 40)]
    assert sizes == sorted(sizes, reverse=True)
