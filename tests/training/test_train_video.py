"""The recipe of the clip models: the command on the toy set, bit-exact resuming of a real model, weights of the classes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tbd_app.models import registry
from tests.training.engine.test_loop import assert_same, rows
from training.datasets.cached import CachedPairs, on_frames
from training.engine.config import load_preset
from training.train_video import SCRIPT, Config, main


def toy(out: Path, *, max_minutes: float | None = None, **changes: object) -> Config:
    """The toy preset, smaller still, in a folder of the test."""
    config = load_preset(Config, SCRIPT, "toy")
    loop = (
        dataclasses.replace(config.loop, max_minutes=max_minutes) if max_minutes is not None else config.loop
    )
    return dataclasses.replace(config, out=out, size_px=32, loop=loop, **changes)


def test_the_toy_run_leaves_all_that_a_run_should(tmp_path) -> None:
    main(toy(tmp_path))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "config.json", "curves.png", "last.pt", "metrics.csv", "model.safetensors", "splits", "tensorboard"
    }  # fmt: skip
    (row,) = rows(tmp_path)
    assert row["step"] == "2"
    assert all(0 <= float(row[name]) <= 1 for name in ("video_auc", "blending_auc", "synthesis_auc"))
    spec = registry.spec("effnet_b0_lstm", tmp_path / "model.safetensors")
    assert (spec.clip_len, spec.input_size) == (3, 32)
    model = registry.load("effnet_b0_lstm", path=tmp_path / "model.safetensors")
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 3, 32, 32)).isfinite().all()


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path) -> None:
    """Dropout, the LSTM, BatchNorm's statistics, averaged weights and the order of the data included."""
    main(toy(tmp_path / "whole"))
    main(toy(tmp_path / "parts", max_minutes=0))
    assert torch.load(tmp_path / "parts/last.pt", weights_only=True)["progress"]["step"] == 1
    main(toy(tmp_path / "parts", resume=True))
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert_same(whole, parts)


def test_a_backbone_that_is_left_alone_stays_as_it_was(tmp_path) -> None:
    main(toy(tmp_path / "first"))
    before = tmp_path / "first" / "model.safetensors"
    main(toy(tmp_path / "then", init=before, train_backbone=False))
    old, new = load_file(before), load_file(tmp_path / "then" / "model.safetensors")
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert not any(name.startswith("backbone.") for name in changed)


def test_features_are_taken_once_and_the_file_holds_the_whole_model(tmp_path) -> None:
    main(toy(tmp_path / "first"))
    before = tmp_path / "first" / "model.safetensors"
    main(toy(tmp_path / "then", init=before, train_backbone=False, cached=3))
    old, new = load_file(before), load_file(tmp_path / "then" / "model.safetensors")
    assert set(old) == set(new)
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert not any(name.startswith("backbone.") for name in changed)
    (row,) = rows(tmp_path / "then")
    assert 0 <= float(row["video_auc"]) <= 1


def test_cached_features_are_those_of_the_pairs() -> None:
    pairs = [{"x": torch.randn(2, 3, 3, 32, 32), "mask": torch.ones(2, 3) > 0, "y": torch.tensor([0, 1])}] * 2
    model = registry.create_model("effnet_b0_lstm").eval()
    cached = CachedPairs(pairs, model.backbone, 2)
    example = cached.example(1, np.random.default_rng(0))
    assert len(cached) == 2
    assert example["x"].shape == (2, 3, 1280)
    with torch.inference_mode():
        wanted = model(pairs[1]["x"], pairs[1]["mask"])
        backbone, model.backbone = model.backbone, torch.nn.Identity()
        torch.testing.assert_close(model(example["x"], example["mask"]), wanted)
        with on_frames(model, backbone) as whole:
            torch.testing.assert_close(whole(pairs[1]["x"], pairs[1]["mask"]), wanted)
    assert isinstance(model.backbone, torch.nn.Identity)


@pytest.mark.parametrize("wrong", [{"train_backbone": True}, {"pairs": False}])
def test_features_are_refused_where_they_would_not_do(tmp_path, wrong) -> None:
    with pytest.raises(SystemExit, match="--cached needs"):
        main(toy(tmp_path, cached=3, **({"train_backbone": False} | wrong)))


def test_the_split_decides_the_weights_of_the_classes(tmp_path, monkeypatch) -> None:
    seen = []

    def spy(labels):
        seen.extend(labels)
        return torch.tensor([2.0, 1.0])

    monkeypatch.setattr("training.train_video.class_weights", spy)
    main(toy(tmp_path, pairs=False, frames_at="consecutive", max_minutes=0))
    assert sorted(seen) == [0] * 4 + [1] * 4  # the clips of the toy's train split, and no still
    assert json.loads((tmp_path / "config.json").read_text())["recipe"]["frames_at"] == "consecutive"
