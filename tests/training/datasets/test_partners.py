"""A fake and the real medium it was made from differ in nothing but the manipulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from training.datasets.clips import ClipReader
from training.datasets.partners import PartnerClips, part_of
from training.faces import toy
from training.faces.open import Faces

SPEC = replace(registry.spec("dfd_fcg_b16"), input_size=32)


def partners(n: int = 3, *, fake=toy.faked) -> Faces:
    """Real clips, each with a fake of the same scene, and a fake whose original is not there."""
    items, faces, owners = [], [], []
    for number in [*range(n), 99]:
        for label in (0, 1) if number < 99 else (1,):
            items.append(replace(toy.item(number, "video", label), group=f"scene {number}"))
            for frame in range(6):
                shown = toy.face(number, frame=frame)
                faces.append(fake(shown) if label else shown)
                owners.append(len(items) - 1)
    return Faces(toy.bank_of(faces, owners), items)


def test_each_fake_comes_with_its_own_original_and_orphans_are_dropped() -> None:
    data = PartnerClips(ClipReader(partners(), for_spec(SPEC), 4), seed=1)
    assert data.pairs == [(1, [0]), (3, [2]), (5, [4])]


@pytest.mark.parametrize(("length", "slowest"), [(1, 1.0), (4, 1.0), (6, 0.5)])
def test_the_two_share_places_cut_mirroring_and_degradations(length: int, slowest: float) -> None:
    """With fakes that change nothing, the two clips of a pair are the same."""
    reader = ClipReader(partners(fake=lambda face: face), for_spec(SPEC), length)
    data = PartnerClips(reader, seed=1, slowest=slowest)
    for number in range(6):
        item = data[number]
        assert torch.equal(item["x"][0], item["x"][1])
        assert item["y"].tolist() == [0, 1]
    real = PartnerClips(ClipReader(partners(), for_spec(SPEC), length), seed=1, slowest=slowest)
    pairs = [
        real[number]["x"] for number in range(6)
    ]  # a strong degradation may wipe out one coarse mouth at 32 px
    assert any(not torch.equal(x[0], x[1]) for x in pairs)


def test_an_item_depends_on_its_number_alone() -> None:
    data = PartnerClips(ClipReader(partners(), for_spec(SPEC), 4), seed=1)
    first = data[5]["x"]
    data[0]
    assert torch.equal(data[5]["x"], first)
    assert not torch.equal(data[6]["x"], first)


def test_a_clip_is_taken_from_a_longer_stretch() -> None:
    reader = ClipReader(partners(), for_spec(SPEC), 6, "consecutive")
    item = PartnerClips(reader, seed=1, clip_len=4, slowest=0.5)[0]
    assert item["x"].shape == (2, 4, 3, 32, 32)
    assert item["mask"].all()


def test_a_medium_with_too_few_frames_is_padded_and_masked() -> None:
    item = PartnerClips(ClipReader(partners(), for_spec(SPEC), 8), seed=1)[0]
    assert item["mask"].tolist() == [[True] * 6 + [False] * 2] * 2
    assert torch.equal(item["x"][:, 5], item["x"][:, 7])


def test_a_split_without_partners_says_what_to_do() -> None:
    with pytest.raises(SystemExit, match="--pairs blend"):
        PartnerClips(ClipReader(Faces(*toy.collection("train")), for_spec(SPEC), 4), seed=1)


def test_all_of_a_stretch_is_shown_at_full_speed() -> None:
    rng = np.random.default_rng(0)
    assert part_of(20, 10, 1.0, rng).tolist() == [0, 2, 4, 6, 8, 11, 13, 15, 17, 19]
    assert part_of(3, 10, 1.0, rng).tolist() == [0, 1, 2]


def test_slower_clips_show_between_half_and_all_of_a_stretch() -> None:
    rng = np.random.default_rng(0)
    drawn = [part_of(20, 10, 0.5, rng) for _ in range(300)]
    spans = np.array([places[-1] - places[0] for places in drawn])
    assert spans.min() in (9, 10)
    assert spans.max() >= 18
    assert min(places.min() for places in drawn) == 0
    assert max(places.max() for places in drawn) == 19
    assert all((np.diff(places) >= 0).all() for places in drawn)
