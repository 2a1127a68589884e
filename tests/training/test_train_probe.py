"""The closed-form fit: right on what can be told apart, the same at every run, weighed by source and class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tbd_app.models import registry
from tbd_app.models.nets.probe import KernelHead
from tests.models import small
from training import train_probe
from training.datasets.tower_features import Example
from training.engine.config import load_preset
from training.faces.open import Faces
from training.train_probe import Config, Shares, fit_head, weighted


def rings(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two rings, which no line tells apart."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    angle, radius = rng.uniform(0, 2 * np.pi, n), 1 + 2 * labels + rng.normal(0, 0.1, n)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    return np.concatenate([points, rng.normal(0, 0.1, (n, 2))], 1).astype(np.float32), labels


def test_a_kernel_tells_apart_what_no_line_can() -> None:
    head, config = KernelHead(4, 4, 60), Config(gamma=2.0, ridge=0.01)
    numbers, labels = rings(300, 0)
    fit_head(head, numbers, labels, np.ones(300), config)
    unseen, theirs = rings(200, 1)
    with torch.inference_mode():
        said = head(torch.from_numpy(unseen)).numpy()
    assert ((said > 0) == theirs).mean() > 0.95


def test_far_from_all_examples_the_line_still_speaks() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200)
    numbers = (rng.normal(0, 1, (200, 4)) + labels[:, None] * (2, 0, 0, 0)).astype(np.float32)
    far = torch.tensor([[-60.0, 0, 0, 0], [60.0, 0, 0, 0]])
    said = {}
    for line in (0.0, 1.0):
        head = KernelHead(4, 4, 60)
        fit_head(head, numbers, labels, np.ones(200), Config(gamma=1.0, ridge=0.1), line)
        with torch.inference_mode():
            said[line] = head(far).tolist()
    assert said[0.0] == pytest.approx([0, 0], abs=1e-3)
    assert said[1.0][0] < -1 < 1 < said[1.0][1]


def test_an_example_without_weight_does_not_count() -> None:
    config = Config(gamma=2.0, ridge=0.1)
    numbers, labels = rings(200, 2)
    wrong = np.concatenate([labels[:150], 1 - labels[150:]])
    weights = np.concatenate([np.ones(150), np.zeros(50)])
    head = KernelHead(4, 4, 60)
    fit_head(head, numbers, wrong, weights, config)
    with torch.inference_mode():
        said = head(torch.from_numpy(numbers)).numpy()
    assert ((said > 0) == labels).mean() > 0.95


def test_sources_weigh_as_the_root_of_their_files_and_classes_alike() -> None:
    class Item:
        def __init__(self, source: str) -> None:
            self.source = source

    items = [Item("many")] * 9 + [Item("one")] * 2
    examples = [Example(n, int(n == 10), "clean", np.zeros((1, 1, 1), np.float16)) for n in range(11)]
    features = SimpleNamespace(examples=lambda numbers, variant: examples)
    found = weighted(Faces(None, items), features, {"clean": range(11), "twin": range(9)}, Shares(1, 0, 0))
    labels = np.array([e.label for e in found.examples])
    assert found.weights[labels == 0].sum() == pytest.approx(found.weights[labels == 1].sum())
    assert found.weights.sum() == pytest.approx(11)
    # The root of 9 files of one page against the root of 2 of the other, of which one is fake.
    assert found.weights[:9].sum() / found.weights[9] == pytest.approx(3 / 2**-0.5)


def test_the_toy_preset_gives_a_checkpoint_that_loads_and_the_same_again(tmp_path: Path) -> None:
    config = load_preset(Config, train_probe.SCRIPT, "toy")
    runs = [replace(config, out=tmp_path / name, cache=tmp_path / "cache") for name in ("a", "b")]
    for run in runs:
        train_probe.main(run)
    options = small.options("clip_b16_probe") | {"components": 4, "reduced": 8, "n_supports": 12}
    one, other = (
        registry.load("clip_b16_probe", path=run.out / "model.safetensors", **options) for run in runs
    )
    assert all(torch.equal(t, other.state_dict()[key]) for key, t in one.state_dict().items())
    assert one.clip_head.weights.abs().sum() > 0
