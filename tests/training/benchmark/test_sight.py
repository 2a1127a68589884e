"""Where models look: zones of the face, noise of one band, shares that sum to one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from tbd_app.models import registry
from training.benchmark import sight
from training.benchmark.sight import BANDS, CELLS, NOISE_RMS, ZONES, banded, zones_of

LANDMARKS = np.array([(10, 11), (18, 11), (14, 15), (11, 19), (17, 19)], float)  # in cells


def test_zones_follow_the_landmarks() -> None:
    zones, names = zones_of(LANDMARKS), list(ZONES)
    assert zones.shape == (CELLS, CELLS)
    assert names[zones[11, 10]] == names[zones[18, 14]] == "eyes, nose, mouth"
    assert names[zones[0, 0]] == names[zones[27, 14]] == "border of the face"
    assert names[zones[15, 9]] == names[zones[6, 14]] == "cheeks and forehead"


@pytest.mark.parametrize(("low", "high"), list(pairwise(BANDS)))
def test_noise_has_the_asked_strength_and_nothing_outside_its_band(low: float, high: float) -> None:
    noise = banded(np.random.default_rng(0), (2, 3, 160, 160), low, high)
    power = np.abs(np.fft.fft2(noise.numpy())) ** 2
    fineness = np.hypot(np.fft.fftfreq(160)[:, None], np.fft.fftfreq(160)[None])
    inside = (fineness >= low) & (fineness < high)
    assert noise.square().mean().sqrt().item() == pytest.approx(NOISE_RMS, rel=1e-4)
    assert power[..., ~inside].sum() < 1e-6 * power.sum()


def test_a_model_is_looked_at_on_its_own_crops(tmp_path) -> None:
    torch.manual_seed(0)
    name = "effnet_vit_base"
    model = registry.create_model(name, small=True).eval()
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (6, 64, 64, 3), np.uint8)
    points = np.repeat(LANDMARKS[None] * 64 / CELLS, 6, axis=0)
    found = sight.sight(model, registry.spec(name), pictures, points, list("aabbcc"))
    assert found.response.shape == (len(BANDS) - 1,)
    assert (found.response > 0).all()
    if found.heat.any():
        assert sum(share for share, _, _ in found.shares.values()) == pytest.approx(1)
    text = sight.table({name: found})
    assert all(zone in text for zone in ZONES)
    sight.picture({name: found}, tmp_path / "sight.png")
    assert (tmp_path / "sight.png").stat().st_size > 1000
