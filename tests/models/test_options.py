"""What shapes a network travels in its file, and it is loaded so; a network of timm is registered by its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tbd_app import catalogue
from tbd_app.errors import UnknownModel
from tbd_app.models import registry, weights
from tests.models import small


def stored(folder: Path, name: str, spec, model) -> Path:
    """A folder of weights with one model, as export.py leaves it."""
    path = folder / f"{name.replace(':', '-')}.safetensors"
    digest = weights.save_checkpoint(model, path, spec)
    header = weights.header_of(spec)
    kept = {
        key: header[key]
        for key in ("input_size", "clip_len", "mean", "std", "crop", "options")
        if key in header
    }
    entry = {
        "name": name, "file": path.name, "sha256": digest, "bytes": path.stat().st_size, "licence": "of a test",
        "calibration": spec.calibration.to_dict(),
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"schema": 2, "models": [kept | entry]}))
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip_b16_stan", {"depth": 1}),
        ("dfd_fcg_b16", {"layout": "wide", "n_frames": 4}),
        ("m2tr_official", {"small": True, "input_size": 96}),
    ],
)
def test_a_file_says_how_its_network_is_shaped(name, options, tmp_path) -> None:
    options = (small.options(name) if name.startswith(("clip", "dfd")) else {}) | options
    torch.manual_seed(0)
    model = registry.create_model(name, **options)
    spec = replace(
        registry.spec(name), input_size=model.input_size or small.spec(name).input_size, options=options
    )
    path = tmp_path / "model.safetensors"
    weights.save_checkpoint(model, path, spec)
    assert registry.spec(name, path).options == json.loads(json.dumps(options))
    again = registry.load(name, path=path)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }


@pytest.mark.parametrize(("network", "map_side"), [("test_efficientnet", 2), ("test_vit", 4)])
def test_a_network_of_timm_is_a_model_when_its_file_is_listed(
    network, map_side, tmp_path, monkeypatch
) -> None:
    name = f"timm:{network}"
    with pytest.raises(UnknownModel, match="registered by its file"):
        registry.resolve([name])
    model = registry.create_model(name).eval()
    side = 160 if network == "test_vit" else 64
    stored(tmp_path, name, replace(registry.spec(name), input_size=side, mean=(0.5, 0.5, 0.5)), model)
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))
    assert registry.list_models()[-1] == name
    assert registry.resolve([name]) == [name]
    assert (registry.spec(name).input_size, registry.spec(name).mean) == (side, (0.5, 0.5, 0.5))
    assert list(catalogue.train_memory([name])) == []
    assert catalogue.listing([name])[0].installed
    loaded = registry.load(name)
    seen = []
    loaded.cam_layer().register_forward_hook(lambda *_: seen.append(_[2]))
    with torch.inference_mode():
        assert loaded(torch.zeros(2, 3, side, side)).shape == (2, 2)
        height, width = loaded.cam_tokens(seen[0]).shape[-2:]
    assert height == width >= map_side
