"""What a checkpoint says about itself: today's names, those of schema 1, and names that nobody knows."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tbd_app.errors import WeightsCorrupt
from tbd_app.model_spec import FramesAt
from tbd_app.models import registry, weights
from tbd_app.types import Calibration

NAME = "effnet_b0_image"


def test_every_calibrated_number_travels_with_the_weights(tmp_path: Path) -> None:
    path, spec = tmp_path / "model.safetensors", registry.spec(NAME)
    numbers = {f.name: 0.9 - k / 10 for k, f in enumerate(fields(Calibration))}
    spec = replace(spec, calibration=Calibration(**numbers))
    weights.save_checkpoint(registry.create_model(NAME), path, spec)
    assert weights.read_header(path)["calibration"] == numbers
    assert registry.spec(NAME, path).calibration == spec.calibration
    registry.load(NAME, path=path)


def test_a_header_of_schema_1_is_read_by_its_former_names(tmp_path: Path) -> None:
    path, spec = tmp_path / "old.safetensors", registry.spec(NAME)
    weights.save_checkpoint(registry.create_model(NAME), path, spec)
    former = {
        "threshold": 0.8,
        "image_threshold": 0.7,
        "real_below": 0.3,
        "image_real_below": None,
        "temperature": 1.5,
        "reference": 0.35,
    }
    header = {key: value for key, value in weights.read_header(path).items() if key != "calibration"}
    save_file(load_file(path), path, metadata={"tbd": json.dumps(header | former | {"schema": 1})})
    expected = Calibration(0.8, 0.7, 0.3, None, 1.5, 0.35)
    assert registry.spec(NAME, path).calibration == expected
    registry.load(NAME, path=path)


def test_a_header_with_an_unknown_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME))
    header = weights.read_header(path)
    header["calibration"] |= {"sharpness": 0.5}
    save_file(load_file(path), path, metadata={"tbd": json.dumps(header)})
    with pytest.raises(WeightsCorrupt, match="no spec in its header"):
        registry.load(NAME, path=path)


def test_where_frames_lie_travels_with_the_weights(tmp_path: Path) -> None:
    path, spec = tmp_path / "model.safetensors", registry.spec("swin_tiny_mean")
    at = FramesAt("consecutive", 0.3, 5)
    weights.save_checkpoint(registry.create_model(spec.name), path, replace(spec, frames_at=at))
    assert registry.spec(spec.name, path).frames_at == at
    registry.load(spec.name, path=path)
    with pytest.raises(WeightsCorrupt, match="disagree on frames_at"):
        weights.load_checkpoint(registry.create_model(spec.name), path, spec)


def test_a_header_that_says_nothing_of_frames_means_one_spread_clip() -> None:
    for name in registry.list_models():
        spec = registry.spec(name)
        assert spec.frames_at == FramesAt("spread", 0.0, 1)
        assert "frames_at" not in weights.header_of(spec)
