"""Scenarios on crops: the order of attack and codec, real codecs, figures with intervals by source."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.attacks.probes import SPACE
from tests.training.toy_faces import face
from training.attacks.pgd import STRONG
from training.attacks.unet import UNetAttacker
from training.benchmark import robustness
from training.benchmark.robustness import CODECS, SCENARIOS, Crops, Scenario, figures, gain, recoded, table
from training.engine.metrics import draws_by_source

FACE = np.zeros((0, 5, 2))  # landmarks, of which attacks and codecs know nothing


class Bright(nn.Module):
    """Calls a face as fake as it is bright: logits (-b, b) of ten times its mean less the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = self.scale * (SPACE.pixels(x).mean((1, 2, 3)) - 0.5)
        return torch.stack([-bright, bright], 1)


def crops() -> Crops:
    """Four media of two faces each; the fakes are brighter by 4 of 255."""
    levels = np.repeat([125, 126, 129, 130], 2).astype(np.uint8)
    pictures = np.broadcast_to(levels[:, None, None, None], (8, 16, 16, 3)).copy()
    return Crops(pictures, FACE, np.repeat(np.arange(4), 2), np.array([0, 0, 1, 1]), ("a", "b", "c", "d"))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))


def test_codecs_are_real_and_rank_as_they_should() -> None:
    image = face(0).image[:160, :160]
    back = {name: codec(image) for name, codec in CODECS.items()}
    assert all(b.shape == image.shape and b.dtype == np.uint8 for b in back.values())
    quality = {name: psnr(image, b) for name, b in back.items()}
    assert quality["h264_crf23"] > quality["h264_crf32"] > quality["h264_crf40"] > 20
    assert 30 < quality["jpeg50"] < 50


def test_a_frame_that_is_predicted_is_read(monkeypatch) -> None:
    seen = []

    def clip(images, crf, preset):
        seen.append((len(images), crf, preset))
        return list(range(len(images)))

    monkeypatch.setattr(robustness, "h264_clip", clip)
    assert CODECS["h264_crf32"](np.zeros((4, 4, 3), np.uint8)) == 2
    assert seen == [(5, 32, "medium")]


def test_pixels_are_rounded_before_a_codec() -> None:
    x = SPACE.normalised(torch.full((1, 3, 4, 4), 100.4 / 255))
    same = SPACE.pixels(recoded(x, SPACE, lambda image: image)) * 255
    torch.testing.assert_close(same, torch.full_like(same, 100.0), atol=1e-3, rtol=0)


def test_the_attack_comes_before_the_codec(monkeypatch) -> None:
    """The codec sees faces that were changed, and the model what the codec gave."""
    seen = []

    def black(image):
        seen.append(image)
        return np.zeros_like(image)

    monkeypatch.setitem(CODECS, "black", black)
    probs = robustness.scores(Scenario("pgd", codec="black"), Bright(), crops(), SPACE, {})
    assert probs == pytest.approx(np.full(4, 1 / (1 + np.exp(10))), rel=0.1)
    assert len(seen) == 8
    changes = [np.abs(s.astype(int) - p).max() for s, p in zip(seen, crops().pictures, strict=True)]
    assert set(changes) == {8}


@pytest.mark.parametrize("attack", ["pgd", "pgd_strong"])
def test_the_white_box_turns_the_ranking_round(attack) -> None:
    clean = robustness.scores(Scenario(), Bright(), crops(), SPACE, {}, batch=3)
    attacked = robustness.scores(Scenario(attack), Bright(), crops(), SPACE, {}, batch=3)
    assert figures(crops(), clean)["auc"] == [1, 1, 1]
    assert figures(crops(), attacked)["auc"] == [0, 0, 0]
    assert (attacked[:2] > clean[:2]).all()
    assert (attacked[2:] < clean[2:]).all()


def test_the_strong_attack_is_the_fact_sheets(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(robustness.pgd, "attack", lambda m, x, y, s, config: [seen.append(config), x][1])
    robustness.scores(Scenario("pgd_strong"), Bright(), crops(), SPACE, {}, eps=8 / 255)
    assert seen == [STRONG]


def test_each_model_meets_its_own_unet_or_the_one_that_is_named() -> None:
    def constant(bias: float) -> UNetAttacker:
        made = UNetAttacker(width=8)
        nn.init.zeros_(made.out.weight)
        nn.init.constant_(made.out.bias, bias)
        return made

    attackers = {"a": constant(9.0), "b": constant(-9.0)}
    clean, mine, other = (
        robustness.scores(scenario, Bright(), crops(), SPACE, attackers, own="a")
        for scenario in (Scenario(), Scenario("unet"), Scenario("unet", attacker="b"))
    )
    assert (other < clean).all()
    assert (clean < mine).all()


def test_the_scenarios_are_the_references_seven_at_three_rates() -> None:
    assert list(SCENARIOS) == [
        "clean", "jpeg50", "h264_crf23", "h264_crf32", "h264_crf40", "pgd", "unet", "unet + jpeg50",
        "unet + h264_crf23", "pgd_strong",
    ]  # fmt: skip


def test_balance_weighs_both_classes_alike() -> None:
    labels, probs = np.array([0, 1, 1, 1]), np.full(4, 0.9)
    assert robustness.accuracy(labels, probs) == 0.75
    assert robustness.balanced_accuracy(labels, probs) == 0.5
    assert np.isnan(robustness.balanced_accuracy(labels[1:], probs[1:]))


def test_media_of_one_source_are_drawn_together() -> None:
    labels, groups = np.array([0, 1, 0, 1, 1]), ["a", "a", "b", "c", "c"]
    draws = draws_by_source(labels, groups, n=200)
    for rows in draws:
        counts = np.bincount(rows, minlength=5)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4]
        assert {0, 1} == set(labels[rows])
    assert len({tuple(rows) for rows in draws}) > 3


def test_one_source_counts_once_however_many_media_it_has() -> None:
    """A hundred copies of a source give no narrower interval than one."""
    rng = np.random.default_rng(0)
    probs, labels = rng.random(12), np.tile([0, 1], 6)
    few = Crops(np.zeros(0), FACE, np.arange(12), labels, tuple("aabbccddeeff"))
    many = Crops(np.zeros(0), FACE, np.arange(0), np.tile(labels, 50), few.groups * 50)
    assert figures(many, np.tile(probs, 50))["auc"] == pytest.approx(figures(few, probs)["auc"], abs=1e-9)


def test_a_gain_is_paired() -> None:
    """Two models that say the same differ by nothing, for certain, whatever their own intervals."""
    rng = np.random.default_rng(1)
    labels, probs = np.tile([0, 1], 20), rng.random(40)
    some = Crops(np.zeros(0), FACE, np.arange(40), labels, tuple(map(str, range(40))))
    assert gain(some, probs, probs) == [0, 0, 0]
    value, low, high = gain(some, probs + labels, probs)
    assert 0 < low <= value <= high


def test_the_table_has_a_row_for_each_scenario_and_model() -> None:
    value = {"accuracy": [0.5, 0.4, 0.6], "balanced_accuracy": [0.5, 0.4, 0.6], "auc": [0.25, 0.125, 1.0]}
    text = table({"clean": {"a": value, "b": value}}, {"clean": [0.0625, -0.125, 0.25]})
    assert (
        "| clean | `b` | 0.500 (0.400 to 0.600) | 0.500 (0.400 to 0.600) | 0.250 (0.125 to 1.000) |" in text
    )
    assert "| scenario | AUC of `b` less that of `a` |" in text
    assert "| clean | +0.062 (-0.125 to +0.250) |" in text
