"""The recipe of M2TR on the toy set: a model that loads, a centre that survives a stop, losses as configured."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tbd_app.models import registry, weights
from tests.training.engine.test_loop import assert_same, rows
from training.engine.config import PRESETS, load_preset
from training.train_m2tr import SCRIPT, Config, main


def toy(out: Path, *, max_minutes: float | None = None, **changes: Any) -> Config:
    """The toy preset in a folder of the test."""
    config = load_preset(Config, SCRIPT, "toy")
    loop = config.loop if max_minutes is None else dataclasses.replace(config.loop, max_minutes=max_minutes)
    return dataclasses.replace(config, out=out, loop=loop, **changes)


def test_a_stopped_run_goes_on_bit_for_bit_and_leaves_a_model(tmp_path) -> None:
    """The centre of the reals included, which is no part of the model that is left."""
    main(toy(tmp_path / "whole"))
    main(toy(tmp_path / "parts", max_minutes=0))
    main(toy(tmp_path / "parts", resume=True))
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert_same(whole, parts)
    assert whole["model"]["contrast.centre"].abs().max() > 0

    (row,) = rows(tmp_path / "whole")
    assert float(row["contrast_loss"]) >= 0
    assert 0 <= float(row["video_auc"]) <= 1
    path = tmp_path / "whole/model.safetensors"
    assert weights.read_header(path)["crop"] == {"kind": "square", "margin": 1.3}
    model = registry.load("m2tr_b4", path=path)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).isfinite().all()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "m2tr_swin", "freeze": "paper10m", "contrast": 0.0},
        {"model": "m2tr_official", "loss": "focal", "pairs": "blend", "size_px": 32},
    ],
)
def test_the_other_layouts_train(tmp_path, changes) -> None:
    main(toy(tmp_path, max_minutes=0, **changes))
    spec = registry.spec(changes["model"], tmp_path / "model.safetensors")
    assert spec.input_size == changes.get("size_px", 64)


@pytest.mark.parametrize("name", sorted(path.stem for path in (PRESETS / SCRIPT).glob("*.toml")))
def test_every_preset_is_typed(name) -> None:
    assert load_preset(Config, SCRIPT, name).preset == name


def test_the_official_rate_ends_at_one_millionth() -> None:
    loop = load_preset(Config, SCRIPT, "official").loop
    assert loop.lr * loop.lr_floor == pytest.approx(1e-6)


def test_a_small_model_is_not_frozen(tmp_path) -> None:
    with pytest.raises(SystemExit, match="leave it out of a --small model"):
        main(toy(tmp_path, freeze="paper10m"))
