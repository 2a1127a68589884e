"""What is known about each model, for lists of models: nothing is loaded, and only `train_memory` needs torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tbd_app import __version__
from tbd_app.known import MEASURED_AS, KnownPerformance, MeasuredKind
from tbd_app.models import manifest, registry
from tbd_app.models.recipes import RECIPES
from tbd_app.types import Report


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One registered model.

    Attributes:
        bytes: size of its weights file, None when none is listed.
        metrics: measured figures as in `ModelSpec`.
        votes_on: the kinds of media on which a default voter votes.
        known: those that a report shows, by kind of media.
        how_to_get: a sentence with the command that brings the weights, None when they are here.
    """

    name: str
    architecture: str
    task: str
    installed: bool
    bytes: int | None
    n_params: int
    default_voter: bool
    votes_on: tuple[MeasuredKind, ...]
    threshold: float
    licence: str
    metrics: dict[str, Any]
    known: dict[MeasuredKind, KnownPerformance]
    how_to_get: str | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        out = asdict(self)
        del out["known"]
        return out | {"known_performance": {kind: known.to_dict() for kind, known in self.known.items()}}


def listing(names: Sequence[str] | None = None) -> list[ModelRow]:
    """The named models, or all that are registered.

    Raises:
        UnknownModel: no such model.
        WeightsCorrupt: the manifest is not usable.
    """
    entries = manifest.entries()
    rows = []
    for name in registry.list_models() if names is None else names:
        spec, entry, installed = registry.spec(name), entries.get(name), registry.is_installed(name)
        rows.append(
            ModelRow(
                name=name,
                architecture=spec.architecture,
                task=spec.task,
                installed=installed,
                bytes=entry.bytes if entry else None,
                n_params=spec.n_params,
                default_voter=spec.default_voter,
                votes_on=spec.votes_on,
                threshold=spec.calibration.threshold,
                licence=spec.licence,
                metrics=spec.metrics,
                known=spec.known,
                how_to_get=None if installed else registry.how_to_get(name),
            )
        )
    return rows


def asked_by(ticked: Collection[str]) -> tuple[str, ...]:
    """What a list of ticked models asks for; see `registry.asked_by`."""
    return registry.asked_by(ticked)


def made_now(report: Report) -> bool:
    """Whether this version with the weights that are installed, and their combination, would say what a report says."""
    listed, kind = manifest.entries(), MEASURED_AS[report.media.kind]
    voters = registry.voters(["default"], kind)
    hashes = {n: listed[n].sha256 for n in voters if n in listed and registry.is_installed(n)}
    return (
        report.versions["tbd"] == __version__
        and report.versions["weights_sha256"] == hashes
        and report.combination in (None, manifest.combination(kind))
    )


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """Memory of a training step of one model, in full precision; mixed precision takes less.

    Attributes:
        preset: of the script; empty for its defaults.
        batch: pictures, or clips of `clip_len` frames.
        weights_bytes: and those of their running average, where the recipe keeps one.
        activations_bytes: the most that is alive at once besides weights, gradients and optimiser.
        fits_8gb: with 1 of 8 GiB to spare.
        largest_batch_8gb: pictures or clips that would fit.
    """

    name: str
    script: str
    preset: str
    batch: int
    clip_len: int
    weights_bytes: int
    gradients_bytes: int
    optimiser_bytes: int
    activations_bytes: int
    total_bytes: int
    fits_8gb: bool
    largest_batch_8gb: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)


def train_memory(names: Sequence[str] | None = None) -> Iterator[MemoryRow]:
    """A row for the reference's batch of each named model, or of all, and one for the preset of a small card.

    Networks of timm have no reference, and no row.
    """
    from tbd_app.models import footprint

    for name in registry.list_models() if names is None else names:
        if name not in RECIPES:
            continue
        recipe = RECIPES[name]
        for load in filter(None, (recipe.reference, recipe.small)):
            found = footprint.of(name, recipe, load)
            yield MemoryRow(
                name=name,
                script=recipe.script,
                preset=load.preset,
                batch=load.batch,
                clip_len=recipe.clip_len,
                weights_bytes=found.weights,
                gradients_bytes=found.gradients,
                optimiser_bytes=found.optimiser,
                activations_bytes=found.activations,
                total_bytes=found.total,
                fits_8gb=found.total <= footprint.CARD,
                largest_batch_8gb=found.largest_batch,
            )
