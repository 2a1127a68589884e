"""Variants of a medium, drawn alike at every call, and the cache of what a tower says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tbd_app.pipeline.crops import for_spec
from tests.models import small
from training.datasets.clips import ClipReader
from training.datasets.tower_features import TowerFeatures, Variant, made_of
from training.faces.open import open_faces

NAME = "clip_b16_probe"


@pytest.fixture(scope="module")
def reader() -> ClipReader:
    faces = open_faces(Path("toy"), splits=("train",))["train"]
    return ClipReader(faces, for_spec(small.spec(NAME)), 3)


def clip_of(reader: ClipReader, label: int) -> int:
    items = reader.faces.items
    return next(int(n) for n in reader.faces.media("video") if items[n].label == label)


@pytest.mark.parametrize("variant", ["coded", "degraded"])
def test_a_changed_copy_keeps_its_label_and_is_the_same_each_time(
    reader: ClipReader, variant: Variant
) -> None:
    number = clip_of(reader, 1)
    ((clean, label),) = made_of(reader, number, "clean")
    ((degraded, also),) = made_of(reader, number, variant)
    assert (label, also) == (1, 1)
    assert not np.array_equal(np.stack(clean), np.stack(degraded))
    np.testing.assert_array_equal(np.stack(degraded), np.stack(made_of(reader, number, variant)[0][0]))


def test_twins_are_fakes_of_reals_some_beside_their_real(reader: ClipReader) -> None:
    items = reader.faces.items
    assert made_of(reader, clip_of(reader, 1), "twin") == []
    reals = [int(n) for n in reader.faces.media() if not items[n].label]
    labels = [tuple(label for _, label in made_of(reader, n, "twin")) for n in reals]
    assert set(labels) == {(1,), (0, 1)}


def test_the_tower_is_asked_once(reader: ClipReader, tmp_path: Path, monkeypatch) -> None:
    model = small.create(NAME)
    features = TowerFeatures(model, reader, tmp_path, batch=2)
    numbers = [clip_of(reader, 0), clip_of(reader, 1)]
    first = features.examples(numbers, "clean")
    assert [e.label for e in first] == [0, 1]
    assert first[0].statistics.shape == (3, len(model.centre), model.width)
    monkeypatch.setattr(model, "statistics", None)
    again = features.examples(numbers, "clean")
    np.testing.assert_array_equal(first[1].statistics, again[1].statistics)
