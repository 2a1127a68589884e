"""Weights on disk: find, check, read and write them. Safetensors, half precision, the spec in the header.

Importing this loads neither torch nor the hub's library: a command that only asks "is it there?" stays quick.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from tbd_app.errors import WeightsCorrupt, WeightsMissing
from tbd_app.models import tensors
from tbd_app.models.manifest import ManifestEntry, modern
from tbd_app.settings import downloads_allowed, weights_dirs
from tbd_app.types import Backbone, Calibration, ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from tbd_app.models.nets.base import Detector

CLASS_NAMES = ("real", "fake")
BACKBONE_HUB_FILE = "open_clip_model.safetensors"
_HEADER_KEY = "tbd"


def locate(entry: ManifestEntry) -> Path | None:
    """The file in `TBD_WEIGHTS_DIR`, `weights/` or the hub's cache, in this order; no network, no check."""
    hub = entry.hub
    return _in_folders(entry.file) or (_in_cache(hub.repo, entry.file, hub.revision) if hub else None)


def locate_backbone(backbone: Backbone) -> Path | None:
    """Public weights in `TBD_WEIGHTS_DIR` or `weights/` as `Backbone.file`, or in the hub's cache."""
    found = _in_folders(backbone.file)
    return found or (_in_cache(backbone.repo, BACKBONE_HUB_FILE) if backbone.repo else None)


def _in_folders(file: str) -> Path | None:
    return next((path for folder in weights_dirs() if (path := folder / file).is_file()), None)


def _in_cache(repo: str, file: str, revision: str | None = None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repo, file, revision=revision)
    return Path(cached) if isinstance(cached, str) else None


def fetch(entry: ManifestEntry, *, download: bool | None = None) -> Path:
    """`locate`, then the hub when downloads are allowed; size and hash are checked.

    Args:
        entry: the file, and the commit of a repository that holds it.
        download: ask the hub; None leaves it to `TBD_ALLOW_DOWNLOAD`.

    Raises:
        WeightsMissing: the file is nowhere, or the hub cannot be reached.
        WeightsCorrupt: size or hash differ from the manifest; a file that was fetched is not kept.
    """
    path, allowed = locate(entry), downloads_allowed() if download is None else download
    if path is None and entry.hub is not None and allowed:
        try:
            path = _from_hub(entry.hub.repo, entry.file, entry.hub.revision)
        except OSError as error:
            raise WeightsMissing(
                f"{entry.file} could not be downloaded from {entry.hub.repo}: {error}."
            ) from error
    if path is None:
        raise WeightsMissing(f"The weights of {entry.name} ({entry.file}) are not here. {how_to_get(entry)}")
    try:
        verify(path, entry)
    except WeightsCorrupt:
        if allowed and _in_folders(entry.file) is None:
            path.resolve().unlink()  # of the cache, or the next attempt would find it again
            path.unlink(missing_ok=True)
        raise
    return path


def fetch_backbone(backbone: Backbone, *, download: bool | None = None) -> Path:
    """`locate_backbone`, then the hub.

    Args:
        backbone: its repository names the public weights.
        download: ask the hub; None leaves it to `TBD_ALLOW_DOWNLOAD`.

    Raises:
        WeightsMissing: the file is nowhere, or the hub cannot be reached.
    """
    path = locate_backbone(backbone)
    if path is not None:
        return path
    public = f"The public weights {backbone.name}/{backbone.tag}"
    if not backbone.repo:
        raise WeightsMissing(f"{public} are not here. Get them with: git checkout -- weights/{backbone.file}")
    if not (downloads_allowed() if download is None else download):
        raise WeightsMissing(f"{public} are not here. Get them with: {_backbone_command(backbone)}")
    try:
        return _from_hub(backbone.repo, BACKBONE_HUB_FILE)
    except OSError as error:
        raise WeightsMissing(
            f"{public} cannot be fetched without a connection to the model hub ({error}); connect, or put them "
            f"into weights/ as {backbone.file}, or build with pretrained=False."
        ) from error


def _from_hub(repo: str, file: str, revision: str | None = None) -> Path:
    """A file of the hub, by way of its cache, with a progress bar on a terminal.

    Raises:
        OSError: its text is a phrase with the reason.
    """
    from httpx import HTTPError
    from huggingface_hub import constants, errors, hf_hub_download

    try:
        return Path(hf_hub_download(repo, file, revision=revision))
    except (OSError, HTTPError) as error:
        if constants.HF_HUB_OFFLINE:
            why = "HF_HUB_OFFLINE is set"
        elif isinstance(error, errors.LocalEntryNotFoundError):
            why = "no connection"
        elif isinstance(
            error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError | errors.EntryNotFoundError
        ):
            why = "it is not there, or not for everyone"
        else:
            why = getattr(error, "strerror", None) or type(error).__name__
        raise OSError(why) from error


def how_to_get(entry: ManifestEntry, backbone: Backbone | None = None) -> str:
    """The sentence with the command that brings the weights, and those of the network they stand on."""
    commands = [] if entry.hub else [f"git checkout -- weights/{entry.file}"]
    if entry.hub or (backbone is not None and backbone.repo):
        commands.append(f"tbd models --download {entry.name}")
    return f"Get them with: {' && '.join(commands)}"


def _backbone_command(backbone: Backbone) -> str:
    return f"hf download {backbone.repo} {BACKBONE_HUB_FILE}"


def verify(path: Path, entry: ManifestEntry) -> None:
    """Compares size and sha256 with the manifest; a file that did not change is read once per process.

    Raises:
        WeightsCorrupt: they differ.
    """
    state = tensors.state_of(path)
    if state.bytes != entry.bytes:
        raise WeightsCorrupt(
            f"{path.name} has {state.bytes} bytes, not {entry.bytes}: it is cut short or another file. "
            f"{how_to_get(entry)}"
        )
    found = _sha256(*state)
    if found != entry.sha256:
        raise WeightsCorrupt(
            f"{path.name} is not the listed file: its sha256 is {found[:12]}..., not {entry.sha256[:12]}.... "
            f"{how_to_get(entry)}"
        )


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return _sha256(*tensors.state_of(path))


@lru_cache(maxsize=64)
def _sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def header_of(spec: ModelSpec) -> dict[str, Any]:
    """What a checkpoint says about itself: all that changes its scores besides the weights."""
    on = {"backbone": asdict(spec.backbone)} if spec.backbone else {}
    return {
        **on,
        **({"options": spec.options} if spec.options else {}),
        **spec.frames_at.in_header(),
        "schema": 2,
        "name": spec.name,
        "task": spec.task,
        "class_names": list(CLASS_NAMES),
        "input_size": spec.input_size,
        "clip_len": spec.clip_len,
        "mean": list(spec.mean),
        "std": list(spec.std),
        "crop": {"kind": spec.crop.kind, "margin": spec.crop.margin},
        "calibration": spec.calibration.to_dict(),
    }


def read_header(path: Path) -> dict[str, Any]:
    """The spec in a checkpoint's header, in the words of today's schema.

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
        raise tensors.not_safetensors(path) from error
    try:
        header = modern(json.loads(metadata[_HEADER_KEY]))
        Calibration(**header["calibration"])  # knows every number in it
        return header
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsCorrupt(
            f"{path.name} carries no spec in its header; it was not written by save_checkpoint."
        ) from error


def save_checkpoint(model: Detector, path: Path, spec: ModelSpec) -> str:
    """Writes what the model stores, in half precision, with its spec in the header.

    Integer buffers keep their type; a tensor with values beyond half precision's range keeps float32. The
    header names the backbone that the model really stands on, not the one that its spec would like.

    Returns:
        sha256 of the file, in hex.
    """
    from safetensors.torch import save_file

    state = {key: _stored(tensor) for key, tensor in model.stored_state().items()}
    header = header_of(replace(spec, backbone=model.standing_on()))
    save_file(state, path, metadata={_HEADER_KEY: json.dumps(header)})
    return sha256_of(path)


def _stored(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) else tensor.float()


def load_checkpoint(model: Detector, path: Path, spec: ModelSpec) -> None:
    """Loads a checkpoint into a float32 model, strictly.

    Raises:
        WrongBackbone: it was trained on another public network than the model stands on.
        WeightsCorrupt: not a safetensors file; its header disagrees with `spec`; a key is missing, unexpected
            or of another shape.
    """
    header = read_header(path)
    tensors.must_stand_on(header.pop("backbone", None), model.standing_on(), path.name)
    expected = _number_by_number(header_of(replace(spec, backbone=None)))
    header = _number_by_number(header)
    for key in (*expected, *(header.keys() - expected.keys())):
        if header.get(key) != expected.get(key):
            raise WeightsCorrupt(
                f"{path.name} and the manifest disagree on {key}: "
                f"{header.get(key)!r} and {expected.get(key)!r}."
            )
    if model.input_size not in (None, header["input_size"]):
        raise WeightsCorrupt(
            f"{path.name} was trained on pictures of {header['input_size']} px, and its weights are bound to that "
            f"size; this {spec.name} is built for {model.input_size} px."
        )
    state = tensors.read_tensors(path)
    tensors.must_match(model.stored_state(), state, path.name)
    model.load_state_dict(tensors.as_float32(state), strict=False)  # the rest is the backbone's


def _number_by_number(header: dict[str, Any]) -> dict[str, Any]:
    """A header with the calibrated numbers beside its other keys, those that were left out included."""
    return header | asdict(Calibration(**header["calibration"])) | {"calibration": None}


def load_backbone_file(model: Detector, path: Path, tag: str | None = None) -> None:
    """Loads a local safetensors of public weights, in timm's or open_clip's keys, into the backbone, strictly.

    Args:
        model: any with a backbone.
        path: of features alone, or of a whole CLIP.
        tag: the public name of the weights, where it is not the one of the registered spec.

    Raises:
        WeightsMissing: no such file.
        WeightsCorrupt: not a safetensors file, or not the features of this backbone.
    """
    if not path.is_file():
        raise WeightsMissing(f"There is no backbone file at {path}.")
    state = tensors.state_of(path)
    model.load_backbone(tensors.read_tensors(path, model.backbone_prefix), path.name, tag)
    model.read_from = state
