"""How the manifest says in what way voters are combined: by kind of media, for the weights that it was fitted on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tbd_app.errors import WeightsCorrupt
from tbd_app.known import Combination
from tbd_app.models import manifest

ONE, TWO = "effnet_b0_image", "effnet_b0_lstm"
COMBINED = {
    "reals": {ONE: [-0.5, 1], TWO: [0.0, 2.5]}, "power": 2, "gain": 1, "bias": -1.5, "threshold": 0.6, "real_below": 0.4
}  # fmt: skip


@pytest.fixture
def combined(write_manifest, entry) -> Callable[..., Path]:
    """Lists two models and a combination by kind of media."""

    def write(**kinds: dict[str, Any]) -> Path:
        path = write_manifest(entry(ONE), entry(TWO))
        document = json.loads(path.read_text(encoding="utf-8"))
        vote = {"voters": [ONE, TWO], "metrics": {}, "combination": kinds}
        path.write_text(json.dumps(document | {"ensemble": vote}), encoding="utf-8")
        return path

    return write


def test_combinations_are_read_by_kind_of_media(combined) -> None:
    combined(video=COMBINED)
    assert manifest.combination("video") == Combination(
        {ONE: (-0.5, 1.0), TWO: (0.0, 2.5)}, 2.0, 1.0, -1.5, 0.6, 0.4
    )
    assert manifest.combination("image") is None
    combined(video=COMBINED, image=COMBINED | {"bias": 2})
    found = manifest.combination("image")
    assert found is not None
    assert found.bias == 2.0


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"audio": COMBINED}, "audio"),
        ({"image": COMBINED | {"reals": {}}}, "reals"),
        ({"image": COMBINED | {"reals": {ONE: [-0.5]}}}, "reals"),
        ({"image": COMBINED | {"reals": {ONE: [-0.5, "much"]}}}, "number"),
        ({"image": COMBINED | {"reals": {ONE: [1.0, 0.5]}}}, "combination of image: reals"),
        ({"image": COMBINED | {"power": 0.5}}, "minimum"),
        ({"image": COMBINED | {"gain": -0.5}}, "minimum"),
        ({"image": COMBINED | {"threshold": 1.5}}, "threshold"),
        ({"image": COMBINED | {"colour": "blue"}}, "colour"),
        (
            {"image": {key: COMBINED[key] for key in ("reals", "power", "gain", "bias", "threshold")}},
            "real_below",
        ),
        ({"image": COMBINED | {"threshold": 0.3}}, "combination of image: .*real_below 0.4, threshold 0.3"),
        ({"image": COMBINED | {"bias": float("inf")}}, "bias"),
    ],
)
def test_a_wrong_combination_is_named(combined, kinds, said) -> None:
    combined(**kinds)
    with pytest.raises(WeightsCorrupt, match=said):
        manifest.combination("image")


def test_a_combination_is_used_with_the_weights_that_it_was_fitted_on(
    combined, entry, monkeypatch, tmp_path
) -> None:
    folder = combined(video=COMBINED).parent
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(manifest, "weights_dirs", lambda: [other, folder])
    for listed, found in (
        (entry("xception"), True),
        (entry(ONE), True),
        (entry(ONE, sha256="1" * 64), False),
    ):
        document = {"schema": 2, "models": [listed]}
        (other / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
        assert (manifest.combination("video") is not None) is found
    vote = {"ensemble": {"voters": [ONE], "metrics": {}}}  # a vote of one's own is by majority
    document = {"schema": 2, "models": [entry(ONE)]} | vote
    (other / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    assert manifest.combination("video") is None


def test_a_manifest_need_not_have_a_combination(write_manifest, entry, monkeypatch) -> None:
    folder = write_manifest(entry(ONE)).parent
    monkeypatch.setattr(manifest, "weights_dirs", lambda: [folder])
    assert manifest.combination("video") is None
