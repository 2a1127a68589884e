"""The command on the toy collection: a table that holds what was measured, and a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline import score
from training.benchmark import suite
from training.evaluate_corruptions import Config, main
from training.faces import toy

NAMES = ("effnet_vit_base", "effnet_b0_lstm")


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame model and a clip model with random weights, and three corruptions."""
    models = {name: registry.create_model(name).eval() for name in NAMES}
    monkeypatch.setattr(score, "loaded", lambda name, device: models[name])
    some = {name: suite.CODECS[name] for name in ("clean", "jpeg30", "contrast_0.35")}
    monkeypatch.setattr(suite, "CODECS", some)


def test_every_model_has_a_figure_under_every_corruption(tmp_path, untrained, capsys) -> None:
    main(Config(data=toy.TOY, models=NAMES, kinds=("image", "video"), n_media=3, out=tmp_path))
    measured = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert measured.keys() == suite.CODECS.keys()
    for models in measured.values():
        assert models.keys() == set(NAMES)
        for auc, step, low, high in models.values():
            assert 0 <= auc <= 1
            assert low <= step <= high
    assert all(values[1:] == [0, 0, 0] for values in measured["clean"].values())
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text.startswith("3 real and 3 fake media (image, video) of 6 sources (val)")
    assert f"| clean | {measured['clean'][NAMES[0]][0]:.3f} | {measured['clean'][NAMES[1]][0]:.3f} |" in text
    assert (tmp_path / "corruptions.png").stat().st_size > 5000
    assert text in capsys.readouterr().out


def test_corruptions_change_the_face_and_keep_its_place() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    before = image.copy()
    for name, codec in suite.CODECS.items():
        after = codec(image)
        assert after.shape == image.shape
        assert after.dtype == np.uint8
        assert np.array_equal(after, before) == (name == "clean")
    assert np.array_equal(image, before)


def test_a_loss_has_a_star_when_its_interval_leaves_zero_out() -> None:
    labels, groups = np.array([0, 1] * 20), [f"s{n}" for n in range(40)]
    sure, lost = labels * 2.0 - 1, np.random.default_rng(0).normal(size=40)
    found = {"clean": {"a": sure, "b": lost}, "noise": {"a": lost, "b": lost}}
    text = suite.table(suite.figures(labels, groups, found))
    (clean, noise) = text.splitlines()[2:]
    assert clean.startswith("| clean | 1.000 |")
    assert noise.count("*") == 1
    assert "*" in noise.split("|")[2]
