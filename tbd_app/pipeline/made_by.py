"""What a report says of how it came about: settings, versions, weights."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import tbd_app
from tbd_app.models import manifest, registry
from tbd_app.pipeline import score
from tbd_app.settings import AnalysisSettings

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "facenet-pytorch",
    "av",
    "opencv-python-headless",
    "numpy",
    "pillow",
)


def settings_of(settings: AnalysisSettings, names: list[str]) -> dict[str, Any]:
    """The settings that shape the answer, for the report: models as they were asked for, and which those are."""
    return {
        "n_frames": settings.n_frames,
        "face_confidence": settings.face_confidence,
        "asked": list(settings.models),
        "models": names,
        "explain": settings.explain,
        "attention": settings.attention,
        "stability": settings.stability,
        "min_face_px": settings.min_face_px,
        "min_track_share": settings.min_track_share,
    }


def versions(names: Sequence[str], device: str) -> dict[str, Any]:
    """Of the app, the packages that shape a score, and the weights."""
    listed = manifest.entries()
    return {
        "tbd": tbd_app.__version__,
        "python": platform.python_version(),
        "device": device,
        "precision": "bfloat16" if score.has_bf16(device) else "float32",
        "packages": {name: version(name) for name in PACKAGES},
        "weights_sha256": {n: listed[n].sha256 for n in names if n in listed and registry.is_installed(n)},
    }
