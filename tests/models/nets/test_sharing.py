"""One tower in memory for several models."""

from __future__ import annotations

from pathlib import Path

import torch

from tbd_app.models.nets.sharing import share, take
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.models.tensors import FileState
from tests.models import small
from tests.models.nets.test_tower import pictures

FILE = FileState(Path("tower.safetensors"), 1, 2)


def held() -> ClipDetector:
    return small.create("clip_b16_ln1").hold(torch.bfloat16).eval()


def test_models_on_one_tower_keep_its_frozen_numbers_once_and_their_own_apart() -> None:
    first, second = (held() for _ in range(2))
    other = held()
    with torch.no_grad():
        next(p for key, p in other.named_parameters() if key not in other.trained_keys).add_(1)
    before = second(pictures())
    for model in (first, second, other):
        share(model)
    places = [{key: p.data_ptr() for key, p in model.named_parameters()} for model in (first, second, other)]
    same = {key for key in places[0] if places[0][key] == places[1][key]}
    assert same == set(places[0]) - set(first.trained_keys)
    assert len(same - {key for key in same if places[0][key] == places[2][key]}) == 1
    assert torch.equal(second(pictures()), before)


def test_a_model_stands_on_the_tower_that_is_there_already() -> None:
    first, second = held(), small.create("clip_b16_ln1").eval()
    first.read_from = FILE
    share(first)
    second.load_state_dict(first.stored_state(), strict=False)
    with torch.no_grad():
        second.backbone.conv1.weight.fill_(torch.nan)  # as a tower is that was built without numbers
    assert take(second, FILE, "cpu")
    assert torch.equal(second(pictures()), first(pictures()))
    assert second.standing_on() == first.standing_on()
    assert second.held == torch.bfloat16
    assert second.backbone.conv1.weight.data_ptr() == first.backbone.conv1.weight.data_ptr()


def test_another_file_another_tower_or_none_is_read_anew() -> None:
    first = held()
    first.read_from = FILE
    share(first)
    model = small.create("clip_b16_ln1")
    before = model.backbone.conv1.weight.clone()
    assert not take(model, FILE._replace(changed_ns=3), "cpu")
    assert not take(small.create("clip_b16_ln2").hold(torch.bfloat16), FILE, "meta")
    assert not take(small.create("clip_b16_probe"), FILE, "cpu")  # of which norms stay, too
    assert not take(small.create("effnet_b0_image"), FILE, "cpu")
    assert torch.equal(model.backbone.conv1.weight, before)
    del first
    assert not take(model, FILE, "cpu")
