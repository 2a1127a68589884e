"""The recipe of TimeSformer on the toy set: both layouts train and load."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from tbd_app.models import registry
from tests.training.engine.test_loop import rows
from training.engine.config import PRESETS, load_preset
from training.train_timesformer import SCRIPT, Config, main


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("effnet_b0_timesformer", {"freeze_bn": True, "checkpointing": True, "frame_chunk": 4}),
        ("effnet_b0_timesformer_legacy", {"pairs": "none", "augment": "none"}),
    ],
)
def test_the_toy_run_leaves_a_model_that_loads(tmp_path, name, changes: dict[str, Any]) -> None:
    main(dataclasses.replace(load_preset(Config, SCRIPT, "toy"), out=tmp_path, model=name, **changes))
    (row,) = rows(tmp_path)
    assert row["step"] == "2"
    assert 0 <= float(row["video_auc"]) <= 1
    spec = registry.spec(name, tmp_path / "model.safetensors")
    assert (spec.clip_len, spec.crop.kind, spec.mean) == (3, "arcface", (0.45, 0.45, 0.45))
    model = registry.load(name, path=tmp_path / "model.safetensors", small=True)
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 3, 64, 64)).isfinite().all()


@pytest.mark.parametrize("name", sorted(path.stem for path in (PRESETS / SCRIPT).glob("*.toml")))
def test_every_preset_is_typed(name) -> None:
    assert load_preset(Config, SCRIPT, name).preset == name
