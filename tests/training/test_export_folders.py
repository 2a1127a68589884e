"""Where a calibrated model is written, and what is done where val lacks pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from tbd_app.models import registry, weights
from training import export
from training.evaluation import ledger
from training.faces.index import Item

NAME = "effnet_b0_image"


def test_a_model_that_is_there_is_overwritten_only_on_demand(tmp_path, monkeypatch) -> None:
    """Nothing is measured before the refusal, and another folder is written without asking."""
    run, own = tmp_path / "run", tmp_path / "own"
    run.mkdir()
    (run / "config.json").write_text('{"recipe": {"script": "training/train_frame.py"}}', encoding="utf-8")
    weights.save_checkpoint(registry.create_model(NAME), run / "model.safetensors", registry.spec(NAME))
    monkeypatch.setattr(export, "calibrated", lambda spec, *_: spec)
    monkeypatch.setattr(export, "open_collections", lambda *_: [])
    bundled = ledger.WEIGHTS
    one = export.Config(run=(run,), model=NAME, weights_dir=own)
    export.main(one)
    assert bundled == ledger.WEIGHTS
    before = (own / f"{NAME}.safetensors").stat().st_mtime_ns
    with pytest.raises(SystemExit, match="--replace overwrites it"):
        export.main(one)
    assert (own / f"{NAME}.safetensors").stat().st_mtime_ns == before
    export.main(dataclasses.replace(one, replace=True))
    with pytest.raises(SystemExit, match="--replace overwrites it"):
        export.main(dataclasses.replace(one, weights_dir=None))


def test_without_pictures_a_few_frames_have_the_bounds_of_many(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ledger, "WEIGHTS", tmp_path)
    clips = [Item(Path(f"{k}"), "video", k % 2, "val", f"{k}", "wav2lip" if k % 2 else "") for k in range(40)]
    rng = np.random.default_rng(0)
    logits = [rng.normal(2.0 * clip.label, 1, 8) for clip in clips]
    monkeypatch.setattr(export, "_clip_logits", lambda *_: (logits, clips))
    monkeypatch.setattr(export, "_picture_logits", lambda *_: (np.zeros(0), np.zeros(0, int)))
    bounds = export.calibrated(registry.spec(NAME), nn.Identity(), [], export.Config()).calibration
    assert (bounds.few_frames_threshold, bounds.few_frames_real_below) == (None, None)


def test_the_shape_of_a_network_reaches_the_manifest_and_is_served(tmp_path, monkeypatch) -> None:
    """M2TR at another input than the authors': its options and its input size are listed, and the file is loaded by them."""
    run, own, name = tmp_path / "run", tmp_path / "own", "m2tr_official"
    run.mkdir()
    (run / "config.json").write_text('{"recipe": {"script": "training/train_m2tr.py"}}', encoding="utf-8")
    options = {"small": True, "input_size": 96}
    spec = dataclasses.replace(registry.spec(name), input_size=96, options=options)
    model = registry.create_model(name, **options)
    weights.save_checkpoint(model, run / "model.safetensors", spec)
    monkeypatch.setattr(export, "calibrated", lambda spec, *_: spec)
    monkeypatch.setattr(export, "open_collections", lambda *_: [])
    export.main(export.Config(run=(run,), model=name, weights_dir=own))
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(own))
    listed = registry.spec(name)
    assert (listed.input_size, listed.options) == (96, options)
    assert registry.load(name).state_dict().keys() == model.state_dict().keys()
