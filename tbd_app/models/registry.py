"""The models by name. Names, specs and "is it installed?" load no torch; building and loading do."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbd_app.errors import UnknownModel, WeightsCorrupt, WeightsMissing
from tbd_app.known import MeasuredKind
from tbd_app.models import manifest, tensors, weights
from tbd_app.models.specs import BUILDERS, SPECS
from tbd_app.types import RANDOM, ModelSpec

if TYPE_CHECKING:
    from tbd_app.models.nets.base import Detector


TIMM = "timm:"


def list_models() -> list[str]:
    """Every registered model, installed or not, in the order of the table, then the listed networks of timm."""
    return [*SPECS, *(name for name in manifest.entries() if name.startswith(TIMM))]


def registered(name: str) -> ModelSpec:
    """What a model is before weights say more; a network of timm is registered by its file alone.

    Raises:
        UnknownModel: no such model.
    """
    if _known(name) in SPECS:
        return SPECS[name]
    return ModelSpec(
        name=name,
        task="frame",
        architecture=f"{name.removeprefix(TIMM)} (timm), mean over frames",
        input_size=224,
    )


def resolve(names: Sequence[str], kind: MeasuredKind | None = None) -> list[str]:
    """Model names from names, "default" (the manifest's default voters) and "all", each once, in order.

    A default voter whose weights are absent stays in the list: it is reported as not installed, never
    left out silently.

    Args:
        names: what is asked for.
        kind: of the media; "default" then stands for those that vote on it. A model that is named is asked on any kind.

    Raises:
        UnknownModel: no such model; the message has near matches.
    """
    chosen: list[str] = []
    for name in names:
        if name == "all":
            chosen += list_models()
        elif name == "default":
            chosen += _default_voters(list_models(), kind)
        else:
            if name.startswith(TIMM) and name not in manifest.entries():
                raise UnknownModel(
                    f"There is no model {name!r}: a network of timm is registered by its file."
                )
            chosen.append(_known(name))
    return list(dict.fromkeys(chosen))


def _default_voters(names: Sequence[str], kind: MeasuredKind | None) -> list[str]:
    entries = manifest.entries()
    specs = (_listed(registered(name), entries) for name in names)
    return [s.name for s in specs if s.default_voter and (kind is None or kind in s.votes_on)]


def voters(asked: Sequence[str], kind: MeasuredKind | None = None) -> list[str]:
    """Those of `resolve(asked, kind)` whose votes count, in its order: a model that is named votes.

    "default" stands for the default voters. "all" shows every model, and the default voters vote; where there are none,
    all do.

    Raises:
        UnknownModel: no such model.
    """
    shown = resolve(asked, kind)
    counted = {name for name in shown if name in asked}
    if {"default", "all"} & set(asked):
        counted |= set(_default_voters(shown, kind))
    return [name for name in shown if name in counted or not counted]


def asked_by(ticked: Collection[str]) -> tuple[str, ...]:
    """What a list of ticked models asks for: those names, or "default" where they are the default voters and no other."""
    names = tuple(dict.fromkeys(ticked))
    return ("default",) if names and set(names) == set(resolve(["default"])) else names


def spec(name: str, path: Path | None = None) -> ModelSpec:
    """The registered spec, overlaid with the manifest entry, or with the header of the checkpoint at `path`.

    Raises:
        UnknownModel: no such model.
        WeightsCorrupt: the manifest or the header is not usable, or the header is another model's.
    """
    before = registered(name)
    if path is not None:
        header = weights.read_header(path)
        if header.get("name") != name:
            raise WeightsCorrupt(f"{path.name} holds {header.get('name')!r}, not {name!r}.")
        return manifest.overlay(before, header)
    return _listed(before, manifest.entries())


def _listed(before: ModelSpec, entries: Mapping[str, manifest.ManifestEntry]) -> ModelSpec:
    entry = entries.get(before.name)
    return before if entry is None else manifest.overlay(before, entry.raw)


def is_installed(name: str) -> bool:
    """Whether weights are listed and on this machine, and those that they stand on; `load` checks the hash."""
    entry = manifest.entries().get(_known(name))
    if entry is None or weights.locate(entry) is None:
        return False
    backbone = spec(name).backbone
    return backbone is None or weights.locate_backbone(backbone) is not None


def how_to_get(name: str) -> str:
    """The sentence that says how a model's weights come here."""
    entry = manifest.entries().get(_known(name))
    if entry is None:
        return f"No weights of {name} are published yet; weights/README.md says how to add your own."
    return weights.how_to_get(entry, spec(name).backbone)


def download(name: str) -> None:
    """Brings a model's weights here from the hub, and those that they stand on; what is here is only checked.

    Raises:
        UnknownModel: no such model.
        WeightsMissing: no weights are listed, or the hub does not give them.
        WeightsCorrupt: they are not what the manifest says.
    """
    entry, backbone = manifest.entries().get(_known(name)), spec(name).backbone
    if entry is None:
        raise WeightsMissing(how_to_get(name))
    weights.fetch(entry, download=True)
    if backbone is not None and backbone.tag != RANDOM:
        weights.fetch_backbone(backbone, download=True)


def create_model(name: str, pretrained: bool = False, **options: Any) -> Detector:
    """A model with random weights, in training mode; `pretrained` fetches public backbone weights.

    Args:
        options: keyword arguments of the architecture, such as `freeze_bn`.

    Raises:
        UnknownModel: no such model.
        WeightsMissing: `pretrained` without a connection to the model hub.
    """
    if _known(name) not in BUILDERS:
        network, builder = name.removeprefix(TIMM), "tbd_app.models.nets.frame_cnn:TimmFrame"
        options = {"network": network} | options
    else:
        builder = BUILDERS[name]
    module, _, builder = builder.partition(":")
    return getattr(importlib.import_module(module), builder)(pretrained=pretrained, **options)


def load(
    name: str, device: str = "cpu", path: Path | None = None, *, shared: bool = False, **options: Any
) -> Detector:
    """A model in eval mode with its checked weights, on the public ones where it stands on them.

    Args:
        path: a checkpoint outside the manifest, such as one in training; there is no hash to compare with.
        shared: take the public weights that another model in this process shares, where there is one.
        options: keyword arguments of the architecture besides those that the checkpoint was made with and names.

    Raises:
        UnknownModel: no such model.
        WeightsMissing: the weights, or those they stand on, are not here; the message has the command.
        WeightsCorrupt: hash, header or keys do not fit.
        WrongBackbone: they were trained on another public network.
    """
    file, its = path or _listed_file(_known(name)), spec(name, path)
    public = None
    if its.backbone is not None and its.backbone.tag != RANDOM:
        tensors.must_stand_on(
            asdict(its.backbone), registered(name).backbone, file.name, ("name", "activation")
        )
        public = weights.fetch_backbone(its.backbone)
    with importlib.import_module("tbd_app.models.nets.tower").blank() if public else nullcontext():
        model = create_model(name, **its.options | options)
    if its.backbone is not None and public is not None:
        nets = importlib.import_module("tbd_app.models.nets.sharing")
        if not (shared and nets.take(model, tensors.state_of(public), device)):
            weights.load_backbone_file(model, public, its.backbone.tag)
    weights.load_checkpoint(model, file, its)
    return model.to(device).eval()


def _listed_file(name: str) -> Path:
    entry = manifest.entries().get(name)
    if entry is None:
        raise WeightsMissing(how_to_get(name))
    return weights.fetch(entry)


def _known(name: str) -> str:
    if name in SPECS or name.startswith(TIMM):
        return name
    near = difflib.get_close_matches(name, SPECS, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(SPECS)}."
    raise UnknownModel(f"There is no model {name!r}; {hint}")
