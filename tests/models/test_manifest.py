"""The manifest: what is refused and why, and what an entry changes in a spec."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from tbd_app.errors import WeightsCorrupt
from tbd_app.known import KnownPerformance, Measured
from tbd_app.models import manifest, registry, schema
from tbd_app.settings import weights_dirs
from tbd_app.types import Calibration, CropRecipe

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
        ({"few_frames_threshold": 0.2, "real_below": 0.3}, "real_below"),
        ({"few_frames_threshold": 0.2, "few_frames_real_below": 0.3}, "real_below"),
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


def test_a_name_is_that_of_a_file(write_manifest, entry) -> None:
    write_manifest(entry("../effnet_b0_image", file="x.safetensors"))
    with pytest.raises(WeightsCorrupt, match=r"\$\.models\[0\]\.name"):
        manifest.entries()


def test_a_missing_field_is_named(write_manifest, entry) -> None:
    raw = entry("effnet_b0_image")
    del raw["licence"]
    write_manifest(raw)
    with pytest.raises(WeightsCorrupt, match="licence"):
        manifest.entries()


def test_another_schema_is_refused(write_manifest, entry) -> None:
    write_manifest(entry("effnet_b0_image"), schema=3)
    with pytest.raises(WeightsCorrupt, match=r"\$\.schema: 2 was expected"):
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
    assert registry.spec("effnet_b0_image").calibration.threshold == 0.7
    write_manifest(entry("effnet_b0_image", threshold=0.25, real_below=0.2))
    assert registry.spec("effnet_b0_image").calibration.threshold == 0.25


def test_entry_overlays_the_registered_spec(write_manifest, entry) -> None:
    registered = registry.spec("effnet_b0_image")
    write_manifest(
        entry(
            "effnet_b0_image",
            threshold=0.62,
            real_below=0.31,
            few_frames_real_below=0.35,
            temperature=1.7,
            default_voter=True,
            licence="research use",
            metrics={"val": {"video_auc": 0.9}},
            crop={"kind": "square", "margin": 1.9},
            mean=[0.5, 0.5, 0.5],
        )
    )
    spec = registry.spec("effnet_b0_image")
    assert spec.calibration == Calibration(0.62, None, 0.31, 0.35, 1.7)
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
    bounds = registry.spec("effnet_b0_image").calibration
    assert bounds.real_below == bounds.threshold == 0.2


def test_a_manifest_of_schema_1_is_read_by_its_former_names(write_manifest, entry) -> None:
    raw = entry("effnet_b0_image", metrics={"val": {"video_auc": 0.9}})
    del raw["calibration"]
    former = {"threshold": 0.8, "image_threshold": 0.7, "real_below": 0.3, "image_real_below": 0.4}
    origin = {"trained_on": "faces", "recipe": {}, "revision": "abc", "dtype": "float16"}
    write_manifest(raw | former | {"temperature": 1.5, "reference": 0.35} | origin, schema=1)
    spec = registry.spec("effnet_b0_image")
    assert spec.calibration == Calibration(0.8, 0.7, 0.3, 0.4, 1.5, 0.35)
    assert spec.metrics == {"val": {"video_auc": 0.9}}
    assert not manifest.entries()["effnet_b0_image"].raw.keys() & origin.keys()
    write_manifest(raw | former | {"temperature": 1.5, "colour": "blue"}, schema=1)
    with pytest.raises(WeightsCorrupt, match="colour"):
        manifest.entries()


def test_figures_lie_beside_the_manifest_and_are_read_again_when_they_change(write_manifest, entry) -> None:
    folder = write_manifest(entry("effnet_b0_image")).parent
    assert registry.spec("effnet_b0_image").metrics == {}
    path = folder / "effnet_b0_image.metrics.json"
    for auc in (0.75, 0.5):
        path.write_text(json.dumps({"metrics": {"val_clips": {"auc": auc}}}), encoding="utf-8")
        assert registry.spec("effnet_b0_image").metrics == {"val_clips": {"auc": auc}}
    for broken, why in (
        ("[]", "metrics.json is not an object"),
        ("{", "metrics.json is not JSON"),
        ('{"b": 1}', "'b' was"),
    ):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(WeightsCorrupt, match=why):
            manifest.entries()


def test_figures_of_the_vote_lie_beside_the_manifest(write_manifest, entry) -> None:
    folder = write_manifest(entry("effnet_b0_image")).parent
    vote = {"voters": ["a", "b"], "metrics": {"val_clips": {}}}
    assert manifest.ensemble() != vote
    (folder / "ensemble.metrics.json").write_text(json.dumps(vote), encoding="utf-8")
    assert manifest.ensemble() == vote


def test_the_schema_beside_the_manifest_is_the_one_that_is_checked_and_knows_every_number() -> None:
    folder = weights_dirs()[-1]
    assert json.loads((folder / "manifest.schema.json").read_text(encoding="utf-8")) == schema.SCHEMA
    listed = schema.SCHEMA["properties"]["models"]["items"]["properties"]["calibration"]["properties"]
    assert list(listed) == [f.name for f in fields(Calibration)]


def test_the_projects_manifest_holds_what_the_app_needs_and_no_more() -> None:
    text = (weights_dirs()[-1] / "manifest.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert document["schema"] == 2
    shown = json.dumps(
        [part.pop("known_performance") for part in (*document["models"], document["ensemble"])]
    )
    document["ensemble"].pop("combination", None)  # as long as there are voters
    assert "val_clips" not in shown
    assert len(json.dumps(document, indent=1).splitlines()) <= 10 + 20 * len(document["models"])
    for raw in document["models"]:
        assert not raw.keys() & {"metrics", "recipe", "trained_on", "revision", "dtype"}
        assert manifest.entries()[raw["name"]].raw["metrics"]["val_clips"]


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
    found = manifest.known_vote([two, one], "video")
    assert found is not None
    assert found.blind_to == ("swap",)
    assert manifest.known_vote([two, one], "image") is None
    assert manifest.known_vote([one], "video") is manifest.known_vote([], "video") is None
    other = tmp_path / "other"
    other.mkdir()
    changed = document | {"models": [entry(one, sha256="1" * 64), entry(two)]}
    (other / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    monkeypatch.setattr(manifest, "weights_dirs", lambda: [other, path.parent])
    assert manifest.known_vote([one, two], "video") is None


def test_figures_of_a_vote_are_those_of_the_voters_on_that_kind_of_media(write_manifest, entry) -> None:
    one, two = "effnet_b0_image", "effnet_b0_lstm"
    path = write_manifest(entry(one, votes_on=["image"]), entry(two))
    document = json.loads(path.read_text(encoding="utf-8"))
    vote = {"voters": [one, two], "metrics": {}, "known_performance": {"video": KNOWN, "image": KNOWN}}
    path.write_text(json.dumps(document | {"ensemble": vote}), encoding="utf-8")
    assert manifest.known_vote([two], "video") is not None
    assert manifest.known_vote([one, two], "image") is not None
    assert manifest.known_vote([one, two], "video") is manifest.known_vote([two], "image") is None
