"""Models with random weights that tell pictures apart, saved and listed by the project's own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tbd_app.models import registry, weights
from tbd_app.models.specs import SPECS
from tbd_app.pipeline import score
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import Calibration, Frames
from tests import media_factory

FRAME_MODEL, CLIP_MODEL = "effnet_b0_image", "effnet_b0_lstm"
ABSENT_MODEL = "swin_tiny_mean"
SPREAD = 1.5  # deviation of the logits over different pictures


def media_of(n: int) -> Frames:
    """Frames of the portrait that moves, four a second."""
    images = tuple(media_factory.portrait_frame(5 * i) for i in range(n))
    return Frames(images, np.arange(n), np.arange(n) / 4, requested=n)


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with one frame and one clip model, listed in its manifest; to be read only."""
    folder = tmp_path_factory.mktemp("random-weights")
    installed = {}
    for name in (FRAME_MODEL, CLIP_MODEL):
        calibration = Calibration(threshold=0.6, real_below=0.4, temperature=1.25)
        spec = replace(SPECS[name], calibration=calibration)
        path = folder / f"{name}.safetensors"
        digest = weights.save_checkpoint(_telling_apart(name), path, spec)
        installed[name] = {
            "file": path.name,
            "sha256": digest,
            "bytes": path.stat().st_size,
            "calibration": calibration.to_dict(),
            "default_voter": True,
        }
    return _listed(folder, installed)


@pytest.fixture
def no_weights(tmp_path: Path) -> Path:
    """A weights folder in which every model is listed and none is there."""
    return _listed(tmp_path, {})


def _listed(folder: Path, installed: dict[str, dict[str, Any]]) -> Path:
    """Writes the manifest; models that are not installed get a file that is nowhere, whatever the project ships."""
    absent = {"sha256": "0" * 64, "bytes": 1, "calibration": {"threshold": 0.5, "temperature": 1.0}}
    entries = [
        {"name": name, "file": f"{name}-nowhere.safetensors", "licence": "none"} | installed.get(name, absent)
        for name in registry.list_models()
    ]
    (folder / "manifest.json").write_text(json.dumps({"schema": 2, "models": entries}))
    return folder


def _telling_apart(name: str) -> nn.Module:
    """Random weights; BatchNorm knows real activations and the logits spread, as after a training."""
    torch.manual_seed(0)
    spec, model = registry.spec(name), registry.create_model(name)
    pictures = [media_factory.portrait_frame(3 * i, (96, 96)) for i in range(6)]
    pictures += [media_factory.faceless_frame(9 * i, (96, 96)) for i in range(6)]
    crops = for_spec(spec).crops(pictures, np.array([[10, 10, 86, 86]] * len(pictures)))
    x = for_spec(spec).tensor(crops)
    x = x if spec.task == "frame" else x.unflatten(0, (4, 3))
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the plain average of what it saw
            module.reset_running_stats()
    head = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        model(x)
        model.eval()
        fake = model(x) @ torch.tensor([-1.0, 1.0])
        head.weight *= SPREAD / fake.std()
        fake = model(x) @ torch.tensor([-1.0, 1.0])
        head.bias[1] -= fake.mean()
    return model


@pytest.fixture
def weights_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """Makes a folder the one of the weights; no loaded model is left over, before or after."""

    def use(folder: Path) -> Path:
        monkeypatch.setenv("TBD_WEIGHTS_DIR", str(folder))
        return folder

    score.loaded.cache_clear()
    yield use
    score.loaded.cache_clear()
