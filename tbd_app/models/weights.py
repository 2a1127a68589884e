"""Weights on disk: find, check, read and write them. Safetensors, half precision, the spec in the header.

Importing this loads neither torch nor the hub's library: a command that only asks "is it there?" stays quick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from tbd_app.errors import WeightsCorrupt, WeightsMissing
from tbd_app.models.manifest import ManifestEntry
from tbd_app.settings import downloads_allowed, weights_dirs
from tbd_app.types import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASS_NAMES = ("real", "fake")
_HEADER_KEY = "tbd"


def locate(entry: ManifestEntry) -> Path | None:
    """The file in `TBD_WEIGHTS_DIR`, `weights/` or the hub's cache, in this order; no network, no check."""
    for folder in weights_dirs():
        path = folder / entry.file
        if path.is_file():
            return path
    if entry.hub is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(entry.hub.repo, entry.file, revision=entry.hub.revision)
    return Path(cached) if isinstance(cached, str) else None


def fetch(entry: ManifestEntry) -> Path:
    """`locate`, then the hub when downloads are allowed; the hash is checked.

    Raises:
        WeightsMissing: the file is nowhere, or the hub cannot be reached.
        WeightsCorrupt: size or hash differ from the manifest.
    """
    path = locate(entry)
    if path is None and entry.hub is not None and downloads_allowed():
        from huggingface_hub import hf_hub_download

        try:
            path = Path(hf_hub_download(entry.hub.repo, entry.file, revision=entry.hub.revision))
        except OSError as error:
            raise WeightsMissing(
                f"{entry.file} could not be downloaded from {entry.hub.repo} ({type(error).__name__}). "
                f"{how_to_get(entry)}"
            ) from error
    if path is None:
        raise WeightsMissing(f"The weights of {entry.name} ({entry.file}) are not here. {how_to_get(entry)}")
    verify(path, entry)
    return path


def how_to_get(entry: ManifestEntry) -> str:
    """The sentence with the command that brings the weights."""
    if entry.hub is None:
        command = f"git checkout -- weights/{entry.file}"
    else:
        command = (
            f"hf download {entry.hub.repo} {entry.file} --revision {entry.hub.revision} --local-dir weights"
        )
    return f"Get them with: {command}"


def verify(path: Path, entry: ManifestEntry) -> None:
    """Compares size and sha256 with the manifest; a file that did not change is read once per process.

    Raises:
        WeightsCorrupt: they differ.
    """
    stat = path.stat()
    if stat.st_size != entry.bytes:
        raise WeightsCorrupt(
            f"{path.name} has {stat.st_size} bytes, not {entry.bytes}: it is cut short or another file. "
            f"{how_to_get(entry)}"
        )
    found = _sha256(path, stat.st_mtime_ns, stat.st_size)
    if found != entry.sha256:
        raise WeightsCorrupt(
            f"{path.name} is not the listed file: its sha256 is {found[:12]}..., not {entry.sha256[:12]}.... "
            f"{how_to_get(entry)}"
        )


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    stat = path.stat()
    return _sha256(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def header_of(spec: ModelSpec) -> dict[str, Any]:
    """What a checkpoint says about itself: all that changes its scores besides the weights."""
    return {
        "schema": 1,
        "name": spec.name,
        "task": spec.task,
        "class_names": list(CLASS_NAMES),
        "input_size": spec.input_size,
        "clip_len": spec.clip_len,
        "mean": list(spec.mean),
        "std": list(spec.std),
        "crop": {"kind": spec.crop.kind, "margin": spec.crop.margin},
        "threshold": spec.threshold,
        "image_threshold": spec.image_threshold,
        "real_below": spec.real_below,
        "temperature": spec.temperature,
    }


def read_header(path: Path) -> dict[str, Any]:
    """The spec in a checkpoint's header.

    Raises:
        WeightsMissing: no such file.
        WeightsCorrupt: not a safetensors file, or one without a spec.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise WeightsMissing(f"There is no checkpoint at {path}.") from error
    except SafetensorError as error:
        raise _not_safetensors(path) from error
    try:
        return json.loads(metadata[_HEADER_KEY])
    except (KeyError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path.name} carries no spec in its header; it was not written by save_checkpoint."
        ) from error


def save_checkpoint(model: nn.Module, path: Path, spec: ModelSpec) -> str:
    """Writes the model in half precision with its spec in the header.

    Integer buffers keep their type; a tensor with values beyond half precision's range keeps float32.

    Returns:
        sha256 of the file, in hex.
    """
    from safetensors.torch import save_file

    state = {key: _stored(tensor) for key, tensor in model.state_dict().items()}
    save_file(state, path, metadata={"format": "pt", _HEADER_KEY: json.dumps(header_of(spec))})
    return sha256_of(path)


def _stored(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) else tensor.float()


def load_checkpoint(model: nn.Module, path: Path, spec: ModelSpec) -> None:
    """Loads a checkpoint into a float32 model, strictly.

    Raises:
        WeightsCorrupt: not a safetensors file; its header disagrees with `spec`; a key is missing, unexpected
            or of another shape.
    """
    header = read_header(path)
    expected = header_of(spec)
    for key in (*expected, *(header.keys() - expected.keys())):
        if header.get(key) != expected.get(key):
            raise WeightsCorrupt(
                f"{path.name} and the manifest disagree on {key}: "
                f"{header.get(key)!r} and {expected.get(key)!r}."
            )
    _load_strict(model, path)


def load_backbone_file(model: nn.Module, path: Path) -> None:
    """Loads a local safetensors of backbone features, in timm's keys, into `model.backbone`, strictly.

    Raises:
        WeightsMissing: no such file.
        WeightsCorrupt: not a safetensors file, or not the features of this backbone.
    """
    if not path.is_file():
        raise WeightsMissing(f"There is no backbone file at {path}.")
    _load_strict(model.get_submodule("backbone"), path)


def _load_strict(module: nn.Module, path: Path) -> None:
    from safetensors.torch import load_file

    try:
        state = load_file(path)
    except SafetensorError as error:
        raise _not_safetensors(path) from error
    own = module.state_dict()
    misshapen = (key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    for fault, keys in (
        ("lacks", own.keys() - state.keys()),
        ("has unexpected", state.keys() - own.keys()),
        ("has other shapes for", misshapen),
    ):
        if named := _first_five(keys):
            raise WeightsCorrupt(f"{path.name} {fault} {named}.")
    # Half precision is for storage: the model computes in float32.
    module.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in state.items()})


def _not_safetensors(path: Path) -> WeightsCorrupt:
    return WeightsCorrupt(f"{path.name} is not a safetensors file; other formats are not loaded.")


def _first_five(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(ordered[:5]) + more
