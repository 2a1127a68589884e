"""The matrix of scenarios: the command on the toy, fresh and given attackers, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tbd_app.models import registry, weights
from training.attacks.learn import AttackerConfig, load_attacker
from training.benchmark.robustness import SCENARIOS, USUAL
from training.evaluate_robustness import Config, cut, load, main, named, scenarios_of
from training.faces.open import open_faces

NAMES = ("effnet_vit_base", "effnet_vit_robust")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Two small checkpoints that say different things, as NAME=FILE."""
    full = registry.create_model
    monkeypatch.setattr(registry, "create_model", lambda name, **options: full(name, **options, small=True))
    made = []
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        path = tmp_path / f"{name}.safetensors"
        spec = replace(registry.spec(name), input_size=64)
        weights.save_checkpoint(registry.create_model(name), path, spec)
        made.append(f"{name}={path}")
    return tuple(made)


def toy(out: Path, models: tuple[str, ...], **changes: object) -> Config:
    config = Config(
        data=Path("toy"), models=models, n_frames=2, n_media=3, attacker=AttackerConfig(width=8), attacker_steps=2,
        attacker_batch=2, out=out, scenarios=("clean", "h264_crf40", "pgd", "unet", "unet + jpeg50"),
    )  # fmt: skip
    return replace(config, **changes)


def test_the_command_writes_a_row_for_each_scenario_and_model(tmp_path, models, capsys) -> None:
    main(toy(tmp_path / "out", models))
    found = json.loads((tmp_path / "out/table.json").read_text(encoding="utf-8"))
    rows = ["clean", "h264_crf40", "pgd", "unet", "unet + jpeg50", *(f"unet of {n}" for n in NAMES)]
    assert list(found["scenarios"]) == list(found["gains"]) == rows
    for by_model in found["scenarios"].values():
        assert list(by_model) == list(NAMES)
        for figures in by_model.values():
            assert figures.keys() == {"accuracy", "balanced_accuracy", "auc"}
            assert all(0 <= low <= high <= 1 for _, low, high in figures.values())
    by = {name: {m: f["auc"][0] for m, f in models_.items()} for name, models_ in found["scenarios"].items()}
    for name in NAMES:
        assert by["pgd"][name] < by["clean"][name] or by["clean"][name] == 0
        assert by[f"unet of {name}"][name] == by["unet"][name]
        assert load_attacker(tmp_path / f"out/attacker_{name}.safetensors").width == 8
    value, low, high = found["gains"]["clean"]
    assert value == pytest.approx(by["clean"][NAMES[1]] - by["clean"][NAMES[0]])
    assert low <= high
    text = (tmp_path / "out/table.md").read_text(encoding="utf-8")
    assert "3 real and 3 fake media of 6 sources (val)" in text
    assert text.count("| `effnet_vit_base` |") == len(rows) + 2  # the heads of the tables of sight
    assert (tmp_path / "out/sight.png").is_file()
    assert str(tmp_path) not in text


def test_given_attackers_need_no_train_split(tmp_path, models, monkeypatch, capsys) -> None:
    main(toy(tmp_path / "out", models[:1], scenarios=("unet",)))
    before = json.loads((tmp_path / "out/table.json").read_text(encoding="utf-8"))
    asked = []

    def opened(*given, splits, **options):
        asked.append(splits)
        return open_faces(*given, splits=splits, **options)

    monkeypatch.setattr("training.evaluate_robustness.open_faces", opened)
    mine = f"{NAMES[0]}={tmp_path}/out/attacker_{NAMES[0]}.safetensors"
    main(toy(tmp_path / "again", models[:1], scenarios=("unet",), attackers=(mine,)))
    assert asked == [("val",)]
    assert json.loads((tmp_path / "again/table.json").read_text(encoding="utf-8")) == before


def test_media_are_cut_with_their_labels_and_sources() -> None:
    faces = open_faces(Path("toy"))["val"]
    spec = replace(registry.spec(NAMES[0]), input_size=32)
    crops = cut(Config(n_frames=2), spec, faces)
    assert crops.pictures.shape[1:] == (32, 32, 3)
    assert np.bincount(crops.owner).tolist() == [1] * 8 + [2] * 7
    assert crops.labels.tolist() == [i.label for i in faces.items]
    assert crops.groups == tuple(i.group for i in faces.items)
    some = cut(Config(n_frames=2, n_media=3), spec, faces)
    assert some.labels.sum() == 3
    assert len(some.labels) == 6


def test_transferred_attackers_come_behind_the_others() -> None:
    names = [s.name for s in scenarios_of(Config())]
    assert names == [*USUAL, *(f"unet of {n}" for n in NAMES)]
    assert [s.name for s in scenarios_of(Config(transfer=False))] == list(USUAL)
    assert set(SCENARIOS) - set(USUAL) == {"pgd_strong"}


def test_names_and_files() -> None:
    assert named(("a", "b=c/d.safetensors")) == {"a": None, "b": Path("c/d.safetensors")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenarios": ("jpeg51",)}, "no scenario jpeg51; there are clean"),
        ({"attackers": ("effnet_vit_base",)}, "NAME=FILE"),
    ],
)
def test_what_is_not_there_is_refused(changes, message) -> None:
    with pytest.raises(SystemExit, match=message):
        scenarios_of(replace(Config(), **changes))


def test_clip_models_are_refused() -> None:
    with pytest.raises(SystemExit, match="looks at clips"):
        load("swin_tiny_mean", None, "cpu")
