"""What is known about each model, for lists of models: no torch, nothing loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tbd_app.models import manifest, registry


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One registered model.

    Attributes:
        bytes: size of its weights file, None when none is listed.
        metrics: measured figures as in `ModelSpec`.
        how_to_get: a sentence with the command that brings the weights, None when they are here.
    """

    name: str
    architecture: str
    task: str
    installed: bool
    bytes: int | None
    n_params: int
    default_voter: bool
    threshold: float
    licence: str
    metrics: dict[str, Any]
    how_to_get: str | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)


def listing() -> list[ModelRow]:
    """All registered models.

    Raises:
        WeightsCorrupt: the manifest is not usable.
    """
    entries = manifest.entries()
    rows = []
    for name in registry.list_models():
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
                threshold=spec.threshold,
                licence=spec.licence,
                metrics=spec.metrics,
                how_to_get=None if installed else registry.how_to_get(name),
            )
        )
    return rows
