"""The manifest: what is refused and why, and what an entry changes in a spec."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tbd_app.errors import WeightsCorrupt
from tbd_app.known import KnownPerformance, Measured
from tbd_app.models import manifest, registry
from tbd_app.settings import weights_dirs
from tbd_app.types import CropRecipe

KNOWN = {
    "data": "val pictures",
    "n_real": 9,
    "flagged_real": {"value": 0.1, "ci": [0.0, 0.4]},
    "blind_to": ["swap"],
}


def test_manifest_of_the_project_is_valid_and_names_known_models() -> None:
    assert manifest.entries().keys() <= set(registry.list_models())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"file": "../../etc/passwd"}, "file"),
        ({"file": "model.pt"}, "file"),
        ({"threshold": 1.5}, "threshold"),
        ({"temperature": 0}, "temperature"),
        ({"colour": "blue"}, "colour"),
        ({"hub": {"repo": "someone/models", "revision": "main"}}, "revision"),
        ({"real_below": 0.9}, "real_below"),
        ({"image_threshold": 0.2, "real_below": 0.3}, "real_below"),
        ({"image_threshold": 0.2, "image_real_below": 0.3}, "real_below"),
        ({"known_performance": {"audio": KNOWN}}, "audio"),
        ({"known_performance": {"image": {"data": "val pictures"}}}, "n_real"),
        ({"known_performance": {"image": KNOWN | {"blind_to": ["lipsink"]}}}, "lipsink"),
        ({"known_performance": {"image": KNOWN | {"auc": {"value": 2, "ci": [0, 1]}}}}, "auc"),
    ],
)
def test_a_wrong_entry_is_named(write_manifest, entry, changes: dict, said: str) -> None:
    write_manifest(entry("effnet_b0_image", **changes))
    with pytest.raises(WeightsCorrupt, match=said):
        manifest.entries()


def test_a_missing_field_is_named(write_manifest, entry) -> None:
    raw = entry("effnet_b0_image")
    del raw["licence"]
    write_manifest(raw)
    with pytest.raises(WeightsCorrupt, match="licence"):
        manifest.entries()


def test_another_schema_is_refused(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image"), schema=2)
    with pytest.raises(WeightsCorrupt, match=r"\$\.schema: 1 was expected"):
        manifest.entries()


def test_not_json_is_refused(write_manifest) -> None:
    write_manifest().write_text("{", encoding="utf-8")
    with pytest.raises(WeightsCorrupt, match="not JSON"):
        manifest.entries()


def test_a_model_listed_twice_is_refused(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image"), entry("effnet_b0_image"))
    with pytest.raises(WeightsCorrupt, match="effnet_b0_image more than once"):
        manifest.entries()


def test_own_folder_comes_before_the_projects(write_manifest, entry, tmp_path: Path) -> None:
    assert weights_dirs() == [tmp_path / "weights", Path(__file__).resolve().parents[2] / "weights"]
    listed = manifest.entries().keys()
    write_manifest(entry("effnetv2_b0_frame", file="mine.safetensors"))
    assert manifest.entries()["effnetv2_b0_frame"].file == "mine.safetensors"
    assert manifest.entries().keys() == listed | {"effnetv2_b0_frame"}


def test_an_edited_manifest_is_read_again(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image", threshold=0.7))
    assert registry.spec("effnet_b0_image").threshold == 0.7
    write_manifest(entry("effnet_b0_image", threshold=0.25, real_below=0.2))
    assert registry.spec("effnet_b0_image").threshold == 0.25


def test_entry_overlays_the_registered_spec(write_manifest, entry) -> None:
    registered = registry.spec("effnet_b0_image")
    write_manifest(
        entry(
            "effnet_b0_image",
            threshold=0.62,
            real_below=0.31,
            image_real_below=0.35,
            temperature=1.7,
            default_voter=True,
            licence="research use",
            metrics={"val": {"video_auc": 0.9}},
            crop={"kind": "square", "margin": 1.9},
            mean=[0.5, 0.5, 0.5],
        )
    )
    spec = registry.spec("effnet_b0_image")
    assert (spec.threshold, spec.real_below, spec.temperature) == (0.62, 0.31, 1.7)
    assert (spec.image_threshold, spec.image_real_below) == (None, 0.35)
    assert spec.default_voter
    assert spec.licence == "research use"
    assert spec.metrics == {"val": {"video_auc": 0.9}}
    assert spec.crop == CropRecipe(margin=1.9)
    assert spec.mean == (0.5, 0.5, 0.5)
    assert (spec.std, spec.input_size, spec.n_params) == (
        registered.std,
        registered.input_size,
        registered.n_params,
    )


def test_real_is_never_voted_above_the_threshold(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image", threshold=0.2))
    spec = registry.spec("effnet_b0_image")
    assert spec.real_below == spec.threshold == 0.2


def test_known_figures_are_read_by_kind_of_media(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image", known_performance={"image": KNOWN}))
    known = registry.spec("effnet_b0_image").known
    assert known == {
        "image": KnownPerformance("val pictures", 9, flagged_real=Measured(0.1, 0.0, 0.4), blind_to=("swap",))
    }
    assert KnownPerformance.from_dict(known["image"].to_dict()) == known["image"]


def test_figures_of_a_vote_are_those_of_its_voters_and_their_weights(
    write_manifest, entry, monkeypatch, tmp_path
) -> None:
    one, two = "effnet_b0_image", "effnet_b0_lstm"
    path = write_manifest(entry(one), entry(two))
    document = json.loads(path.read_text(encoding="utf-8"))
    vote = {"voters": [one, two], "metrics": {}, "known_performance": {"video": KNOWN}}
    path.write_text(json.dumps(document | {"ensemble": vote}), encoding="utf-8")
    assert manifest.known_vote([two, one])["video"].blind_to == ("swap",)
    assert manifest.known_vote([one]) == manifest.known_vote([]) == {}
    other = tmp_path / "other"
    other.mkdir()
    changed = document | {"models": [entry(one, sha256="1" * 64), entry(two)]}
    (other / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    monkeypatch.setattr(manifest, "weights_dirs", lambda: [other, path.parent])
    assert manifest.known_vote([one, two]) == {}
