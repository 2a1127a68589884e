"""What lies in weights/ beside the checkpoints: split by who reads it, and written by one hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tbd_app.known import Combination, Measured
from tbd_app.models import manifest, registry, schema
from training.evaluation import ledger
from training.evaluation.figures import known

NAME, OTHER = "effnet_b0_image", "effnetv2_b0_frame"


def figures(auc: float) -> dict:
    """Figures of a model, or of a vote, as little as there can be."""
    return {"val_clips": {"n_real": 4, "n_fake": 4, "auc": auc, "auc_ci": [0.0, 1.0]}}


def former(name: str) -> dict:
    """An entry as manifests of schema 1 held it."""
    return {
        "name": name,
        "file": f"{name}-of-a-test.safetensors",
        "sha256": "0" * 64,
        "bytes": 1,
        "dtype": "float16",
        "trained_on": "faces",
        "recipe": {"script": "training/train_frame.py", "seed": 1},
        "revision": "abc",
        "threshold": 0.7,
        "image_threshold": 0.6,
        "temperature": 1.5,
        "reference": 0.35,
        "licence": "research use",
        "metrics": figures(0.75),
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with a manifest of schema 1."""
    vote = {"voters": [NAME, OTHER], "metrics": figures(0.5)}
    document = {"schema": 1, "models": [former(NAME), former(OTHER)], "ensemble": vote}
    (tmp_path / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setattr(ledger, "WEIGHTS", tmp_path)
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))
    return tmp_path


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_manifest_of_schema_1_is_split_and_loses_nothing(folder: Path) -> None:
    spec = registry.spec(NAME)
    ledger.rewrite()
    assert registry.spec(NAME) == replace(
        spec, known=manifest.known({"known_performance": known(spec.metrics)})
    )
    assert read(folder / f"{NAME}.metrics.json") == {"metrics": former(NAME)["metrics"]}
    recipe = read(folder / f"{NAME}.recipe.json")
    assert recipe == {key: former(NAME)[key] for key in ("trained_on", "recipe", "revision", "dtype")}
    listed = read(folder / "manifest.json")
    assert listed["ensemble"] == {"voters": [NAME, OTHER], "known_performance": known(figures(0.5))}
    assert listed["models"][0]["calibration"] == {
        "threshold": 0.7,
        "few_frames_threshold": 0.6,
        "temperature": 1.5,
        "softened_share": 0.35,
    }
    assert not listed["models"][0].keys() & recipe.keys()
    vote = {"voters": [NAME, OTHER], "metrics": figures(0.5)}
    assert read(folder / "ensemble.metrics.json") == vote
    assert manifest.ensemble() == vote | {"known_performance": known(figures(0.5))}
    assert read(folder / "manifest.schema.json") == schema.SCHEMA
    before = {path: path.read_bytes() for path in folder.iterdir()}
    ledger.rewrite()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_one_write_keeps_what_is_known_of_the_others(folder: Path) -> None:
    ledger.write_metrics(NAME, figures(1.0))
    assert read(folder / f"{NAME}.metrics.json") == {"metrics": figures(1.0)}
    assert registry.spec(NAME).known["video"].auc == Measured(1.0, 0.0, 1.0)
    assert ledger.entry_of(OTHER)["recipe"] == former(OTHER)["recipe"]
    assert ledger.entry_of(OTHER)["metrics"] == former(OTHER)["metrics"]
    assert ledger.ensemble()["voters"] == [NAME, OTHER]


def test_new_weights_leave_no_figures_of_the_old(folder: Path) -> None:
    ledger.rewrite()
    ledger.write_entry(ledger.entry_of(NAME) | {"sha256": "1" * 64, "metrics": {}})
    assert not (folder / f"{NAME}.metrics.json").exists()
    assert registry.spec(NAME).metrics == registry.spec(NAME).known == {}
    assert ledger.entry_of(NAME)["sha256"] == "1" * 64


def test_the_figures_of_a_vote_are_replaced(folder: Path) -> None:
    ledger.write_ensemble([OTHER], figures(0.25))
    vote = {"voters": [OTHER], "metrics": figures(0.25)}
    assert ledger.ensemble() == vote
    assert manifest.ensemble() == vote | {"known_performance": known(figures(0.25))}


def test_an_unlisted_model_is_named(folder: Path) -> None:
    with pytest.raises(SystemExit, match="xception is not in the manifest"):
        ledger.write_metrics("xception", {})


def weighing(*models: str, bias: float = -1.5) -> Combination:
    return Combination(dict.fromkeys(models, (0.0, 3.0)), 2.0, 0.5, bias, 0.6, 0.4)


def test_a_combination_is_written_where_the_app_reads_it(folder: Path) -> None:
    fitted = {"video": weighing(NAME, OTHER), "image": weighing(OTHER, NAME, bias=1.0)}
    ledger.write_combination(fitted)
    assert {kind: manifest.combination(kind) for kind in ("video", "image")} == fitted
    assert ledger.ensemble() == {
        "voters": [NAME, OTHER],
        "metrics": {},  # those that were there were measured by majority
        "combination": {kind: combination.to_dict() for kind, combination in fitted.items()},
    }
    assert "combination" not in read(folder / "ensemble.metrics.json")
    ledger.write_ensemble([OTHER, NAME], figures(0.75))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert manifest.combination("video") == fitted["video"]
    vote = manifest.known_vote([NAME, OTHER], "video")
    assert vote is not None
    assert vote.auc == Measured(0.75, 0.0, 1.0)
    ledger.write_combination(fitted)  # nothing new, so the figures hold
    ledger.rewrite()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_clips_and_pictures_may_have_voters_of_their_own(folder: Path) -> None:
    ledger.write_combination({"video": weighing(OTHER), "image": weighing(NAME, OTHER)})
    assert ledger.ensemble()["voters"] == [NAME, OTHER]
    with pytest.raises(ValueError, match="does not list xception"):
        ledger.write_combination({"video": weighing(OTHER), "image": weighing("xception")})


def test_a_combination_can_be_taken_away(folder: Path) -> None:
    ledger.write_combination({"video": weighing(OTHER)})
    assert ledger.ensemble()["voters"] == [OTHER]
    ledger.write_combination({})
    assert ledger.ensemble() == {"voters": [OTHER], "metrics": {}}
    assert "combination" not in read(folder / "manifest.json")["ensemble"]


@pytest.mark.parametrize("change", ["voters", "weights"])
def test_a_combination_goes_with_what_it_was_fitted_for(folder: Path, change) -> None:
    ledger.write_combination({"video": weighing(NAME, OTHER)})
    ledger.write_metrics(NAME, figures(1.0))
    ledger.write_ensemble([NAME, OTHER], figures(0.75))
    assert manifest.combination("video") == weighing(NAME, OTHER)
    if change == "voters":
        ledger.write_ensemble([NAME], figures(0.5))
    else:
        ledger.write_entry(ledger.entry_of(NAME) | {"sha256": "1" * 64, "metrics": {}})
        assert ledger.ensemble()["metrics"] == {}
    assert manifest.combination("video") is None
    assert "combination" not in ledger.ensemble()


def test_figures_of_the_views_are_kept_with_those_of_other_commands(folder: Path) -> None:
    counts = {"stability": {"val_clips": {"n_right": 3}}}
    steady = {"val_clips_steady": figures(0.5)["val_clips"] | {"fpr": 0.0, "fpr_ci": [0.0, 0.6]}}
    ledger.add_figures(NAME, counts)
    ledger.add_figures("ensemble", counts | steady)
    assert ledger.entry_of(NAME)["metrics"] == figures(0.75) | counts
    ledger.write_metrics(NAME, figures(0.8))
    assert ledger.entry_of(NAME)["metrics"] == figures(0.8) | counts
    ledger.write_ensemble([OTHER, NAME], figures(0.6))
    assert ledger.ensemble()["metrics"] == figures(0.6) | counts | steady
    shown = read(folder / "manifest.json")["ensemble"]["known_performance"]["video"]
    assert (shown["data"], shown.get("flagged_real")) == (
        "val clips",
        None,
    )  # the plain ones, which have no rate here
    ledger.write_ensemble([NAME], figures(0.6))
    assert ledger.ensemble()["metrics"] == figures(0.6)
