"""Tensors of a file held against those of a model, and the backbone they were trained on against the one that is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from tbd_app.errors import WeightsCorrupt, WrongBackbone
from tbd_app.types import Backbone

if TYPE_CHECKING:
    from torch import Tensor


def read_tensors(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors below a prefix, without it; all of them where none has it."""
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            below = [key for key in keys if key.startswith(prefix)] or keys
            return undo_int8({key.removeprefix(prefix): file.get_tensor(key) for key in below})
    except SafetensorError as error:
        raise not_safetensors(path) from error


def undo_int8(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices stored as int8 rows become float32; whatever else there is stays as it is.

    Args:
        state: of such a matrix KEY int8 (out,in), KEY.scale float32 (out,), KEY.zero_point int8 (out,).
    """
    stored = [key for key in state if f"{key}.scale" in state]
    parts = {f"{key}.{part}" for key in stored for part in ("scale", "zero_point")}
    out = {key: t for key, t in state.items() if key not in parts}
    for key in stored:
        zero, scale = (state[f"{key}.{part}"].float()[:, None] for part in ("zero_point", "scale"))
        out[key] = (state[key].float() - zero) * scale
    return out


def must_match(own: dict[str, Tensor], state: dict[str, Tensor], file: str) -> None:
    """Compares keys and shapes.

    Raises:
        WeightsCorrupt: a key is missing, unexpected or of another shape.
    """
    misshapen = (key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    for fault, keys in (
        ("lacks", own.keys() - state.keys()),
        ("has unexpected", state.keys() - own.keys()),
        ("has other shapes for", misshapen),
    ):
        if named := _first_five(keys):
            raise WeightsCorrupt(f"{file} {fault} {named}.")


def must_stand_on(
    trained: dict[str, str] | None,
    here: Backbone | None,
    file: str,
    keys: Sequence[str] = ("name", "activation", "tag", "sha256"),
) -> None:
    """Compares the backbone that a file was trained on with the one that a model has.

    Raises:
        WrongBackbone: they differ; the message says in what.
    """
    theirs, ours = trained or {}, asdict(here) if here else {}
    for key in keys:
        wanted, found = theirs.get(key, "none"), ours.get(key, "none")
        if wanted != found:
            what = (
                "another copy of the backbone: its sha256" if key == "sha256" else f"a backbone whose {key}"
            )
            raise WrongBackbone(f"{file} was trained on {what} is {wanted}, and the model's is {found}.")


def as_float32(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Half precision is for storage: models compute in float32."""
    return {key: t.float() if t.is_floating_point() else t for key, t in state.items()}


def not_safetensors(path: Path) -> WeightsCorrupt:
    """The error for a file in another format; a pickle is named, since reading one runs what is written in it."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return WeightsCorrupt(
            f"{path.name} is a pickle (.pt, .pth, .ckpt): reading one can run any program, so it is "
            "refused. Where you trust it, save its tensors as safetensors."
        )
    return WeightsCorrupt(f"{path.name} is not a safetensors file; other formats are not loaded.")


def _first_five(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(ordered[:5]) + more
