"""Tensors of a file held against those of a model, and the backbone they were trained on against the one that is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors import SafetensorError, safe_open

from tbd_app.errors import WeightsCorrupt, WrongBackbone
from tbd_app.types import Backbone

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Int8Matrix:
    """A matrix stored as int8 rows, made float32 when it is asked for: all of a tower at once would take 344 MiB.

    Attributes:
        rows: int8 (out,in).
        scale: float32 (out,).
        zero_point: int8 (out,).
    """

    rows: Tensor
    scale: Tensor
    zero_point: Tensor

    @property
    def shape(self) -> Sequence[int]:
        return self.rows.shape

    def float(self) -> Tensor:
        """(out,in) float32."""
        return (self.rows.float() - self.zero_point.float()[:, None]) * self.scale[:, None]


class FileState(NamedTuple):
    """A file as it was: while these are the same, so is its content."""

    path: Path
    changed_ns: int
    bytes: int


Stored = Mapping[str, "Tensor | Int8Matrix"]


def state_of(path: Path) -> FileState:
    """A file as it is now."""
    stat = path.stat()
    return FileState(path, stat.st_mtime_ns, stat.st_size)


def read_tensors(path: Path, prefix: str = "") -> Stored:
    """The tensors below a prefix, without it; all of them where none has it.

    Raises:
        WeightsCorrupt: not a safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            keys = list(file.keys())
            below = [key for key in keys if key.startswith(prefix)] or keys
            return matrices({key.removeprefix(prefix): file.get_tensor(key) for key in below})
    except SafetensorError as error:
        raise not_safetensors(path) from error


def matrices(state: Mapping[str, Tensor]) -> Stored:
    """Matrices stored as int8 rows as such; whatever else there is stays as it is.

    Args:
        state: of such a matrix KEY int8 (out,in), KEY.scale float32 (out,), KEY.zero_point int8 (out,).
    """
    stored = [key for key in state if f"{key}.scale" in state]
    parts = {f"{key}.{part}" for key in stored for part in ("scale", "zero_point")}
    whole = {key: t for key, t in state.items() if key not in parts}
    return whole | {
        key: Int8Matrix(state[key], state[f"{key}.scale"], state[f"{key}.zero_point"]) for key in stored
    }


def must_match(own: Mapping[str, Tensor], state: Stored, file: str) -> None:
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


def as_float32(state: Stored) -> dict[str, Tensor]:
    """Half precision is for storage: models compute in float32."""
    return {key: _float32(t) for key, t in state.items()}


def copy_into(own: Mapping[str, Tensor], state: Stored, file: str) -> None:
    """Numbers into a model's tensors one after the other, so that they are not there twice.

    Raises:
        WeightsCorrupt: a key is missing, unexpected or of another shape.
    """
    must_match(own, state, file)
    for key, tensor in own.items():
        tensor.copy_(_float32(state[key]))


def _float32(stored: Tensor | Int8Matrix) -> Tensor:
    return stored.float() if isinstance(stored, Int8Matrix) or stored.is_floating_point() else stored


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
