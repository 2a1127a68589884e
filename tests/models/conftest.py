"""A folder of weights of its own for a test, as `TBD_WEIGHTS_DIR`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tbd_app.models import registry, weights
from tbd_app.types import Calibration


@pytest.fixture
def write_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a manifest with these entries into the test's weights folder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(folder))

    def write(*entries: dict[str, Any], schema: int = 2) -> Path:
        path = folder / "manifest.json"
        path.write_text(json.dumps({"schema": schema, "models": list(entries)}), encoding="utf-8")
        return path

    return write


def entry_of(name: str, **changes: Any) -> dict[str, Any]:
    """A valid manifest entry of a file that is nowhere; changes of calibrated numbers go where these are."""
    numbers = {f.name for f in fields(Calibration)}
    return {
        "name": name,
        "file": f"{name}-of-a-test.safetensors",
        "sha256": "0" * 64,
        "bytes": 1,
        "calibration": {"threshold": 0.5, "temperature": 1.0}
        | {key: value for key, value in changes.items() if key in numbers},
        "licence": "research use",
    } | {key: value for key, value in changes.items() if key not in numbers}


@pytest.fixture
def entry() -> Callable[..., dict[str, Any]]:
    return entry_of


@pytest.fixture
def installed(
    write_manifest: Callable[..., Path],
) -> Callable[..., tuple[torch.nn.Module, Path, dict[str, Any]]]:
    """Makes a model with random weights, saves it, with changes of its calibration, and lists it: (model, file, entry)."""

    def install(name: str, **changes: Any) -> tuple[torch.nn.Module, Path, dict[str, Any]]:
        raw = entry_of(name, threshold=0.6, temperature=1.5, real_below=0.3, default_voter=True)
        folder = write_manifest(raw).parent
        model = registry.create_model(name).eval()
        path = folder / raw["file"]
        spec = registry.spec(name)
        spec = replace(spec, calibration=replace(spec.calibration, **changes))
        digest = weights.save_checkpoint(model, path, spec)
        raw |= {"sha256": digest, "bytes": path.stat().st_size}
        write_manifest(raw)
        return model, path, raw

    return install
