"""Recipes take faces through one door, whatever form they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.faces.test_shards import cut_medium, medium
from training.collect.store import FaceWriter
from training.datasets.clips import ClipReader, LabelledClips
from training.datasets.partners import PartnerClips
from training.engine.config import PRESETS
from training.faces.open import open_faces

SCRIPTS = sorted(PRESETS.parent.glob("train_*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_recipe_takes_its_faces_through_the_one_door(script: Path) -> None:
    """So each reads an index.csv, what `extract_faces.py` wrote, and the toy."""
    text = script.read_text(encoding="utf-8")
    assert "open_faces(" in text
    assert not {"FaceStore", "read_index", "load_or_build"} & set(text.replace("(", " ").split())


def test_what_was_extracted_gives_labelled_clips_and_fakes_with_their_originals(tmp_path: Path) -> None:
    with FaceWriter(tmp_path, "shards") as writer:
        for split in ("train", "val"):
            for label in (0, 1):
                one = medium(f"{split}_{label}.mp4", label, split)
                writer.add(replace(one, target_id=f"toy:{split}"), cut_medium())
    faces = open_faces(tmp_path)
    assert {split: len(part.items) for split, part in faces.items()} == {"train": 2, "val": 2}
    reader = ClipReader(faces["train"], for_spec(registry.spec("clip_b16_ln1")), 3)
    clips = LabelledClips(reader, augment="none")
    made = [clips.example(row, np.random.default_rng(0)) for row in range(len(clips))]
    assert sorted(int(one["y"]) for one in made) == [0, 1]
    assert all(one["x"].shape == (3, 3, 224, 224) and one["mask"].all() for one in made)
    both = PartnerClips(reader, seed=1, augment="none")[0]
    assert both["x"].shape == (2, 3, 3, 224, 224)
