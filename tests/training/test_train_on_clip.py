"""The recipes on CLIP, run to their end on towers of two layers: train_clip.py, train_stan.py, train_dfd_fcg.py."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from tbd_app.errors import WeightsMissing
from tbd_app.models import registry, weights
from tests.training.datasets.test_partners import partners
from training import train_clip, train_dfd_fcg, train_stan
from training.datasets.clips import ClipReader, served_at
from training.engine import validation
from training.engine.config import PRESETS, load_preset
from training.engine.validation import frame_figures, score
from training.networks.components import load_prototypes
from training.networks.towers import TOY_TOWER, TowerConfig, open_model
from training.prepare import prototypes

SCRIPTS = [train_clip, train_stan, train_dfd_fcg]
# What the toy preset of each script builds, besides the tower.
OPTIONS = {"train_clip": {}, "train_stan": {"depth": 2}, "train_dfd_fcg": {"n_frames": 4}}


def toy_config(script: ModuleType, out: Path, **changes):
    return replace(load_preset(script.Config, script.SCRIPT, "toy"), out=out, **changes)


def checkpoint(script: ModuleType, config):
    path = config.out / "model.safetensors"
    return registry.load(config.model, path=path, small=TOY_TOWER, **OPTIONS[script.SCRIPT])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.SCRIPT)
def test_a_toy_run_leaves_a_trained_part_that_loads(script: ModuleType, tmp_path: Path) -> None:
    config = toy_config(script, tmp_path / "run")
    script.main(config)
    with (config.out / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]["step"]) == config.loop.steps
    assert all(0 <= float(row["video_auc"]) <= 1 for row in rows)
    assert json.loads((config.out / "config.json").read_text())["recipe"]["preset"] == "toy"

    trained = checkpoint(script, config)
    fresh = registry.create_model(config.model, small=TOY_TOWER, **OPTIONS[script.SCRIPT])
    same = {key for key, t in fresh.state_dict().items() if torch.equal(t, trained.state_dict()[key])}
    frozen = {key for key, p in fresh.named_parameters() if not p.requires_grad}
    assert frozen <= same
    assert len(fresh.trained_keys) - len(same - frozen) > len(fresh.trained_keys) / 2
    header = weights.read_header(config.out / "model.safetensors")
    assert header["backbone"]["tag"] == "random"
    assert header["input_size"] == 32


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.SCRIPT)
def test_fakes_come_with_their_originals_by_default(script: ModuleType, tmp_path: Path, monkeypatch) -> None:
    """The toy collection has no partners, so this run is given some."""
    assert script.Config().pairs == "source"
    monkeypatch.setattr(script, "open_faces", lambda *_, **__: {"train": partners(), "val": partners()})
    config = toy_config(script, tmp_path / "run", pairs="source")
    script.main(replace(config, loop=replace(config.loop, steps=1)))
    assert checkpoint(script, config)


def test_the_preset_for_b16_sets_generators_work_beside_pseudo_fakes(tmp_path: Path) -> None:
    given = load_preset(train_dfd_fcg.Config, "train_dfd_fcg", "b16")
    assert (given.pairs, given.clip_len, given.loop.monitor) == ("mixed", 10, "unseen_auc")
    config = toy_config(train_dfd_fcg, tmp_path / "run", pairs=given.pairs)
    train_dfd_fcg.main(replace(config, loop=replace(config.loop, steps=1)))
    assert checkpoint(train_dfd_fcg, config)


@pytest.mark.parametrize("script", [train_clip, train_stan], ids=lambda s: s.SCRIPT)
def test_the_reference_is_plain_cross_entropy_on_labelled_media(script: ModuleType, tmp_path: Path) -> None:
    name = "reference" if script is train_clip else "paper"
    given = load_preset(script.Config, script.SCRIPT, name)
    assert given.pairs == "none"
    assert (given.loop.lr, given.loop.schedule, given.loop.weight_decay) == (8e-5, "constant", 0)
    if script is train_clip:
        assert (given.alignment, given.uniformity) == (0, 0)
    config = toy_config(script, tmp_path / "run", pairs="none", crop="arcface")
    if script is train_clip:
        config = replace(config, alignment=0.0, uniformity=0.0)
    script.main(config)
    rows = (config.out / "metrics.csv").read_text().splitlines()
    assert "alignment_loss" not in rows[0]
    assert weights.read_header(config.out / "model.safetensors")["crop"] == {"kind": "arcface", "margin": 1.3}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.SCRIPT)
def test_every_preset_is_read(script: ModuleType) -> None:
    names = {path.stem for path in (PRESETS / script.SCRIPT).glob("*.toml")}
    assert {"toy", "8gb"} <= names
    for name in names:
        given = load_preset(script.Config, script.SCRIPT, name)
        assert registry.spec(given.model).backbone
        # A step looks at as many examples as the default's, whatever fits on a card.
        if name == "8gb":
            assert given.batch * given.loop.accumulate >= script.Config().batch


def test_the_default_is_that_of_gend() -> None:
    given = train_clip.Config()
    assert (given.alignment, given.uniformity, given.batch, given.model) == (0.1, 0.5, 128, "clip_l14_ln1")
    assert given.loop.lr * given.loop.lr_floor == pytest.approx(1e-5)
    assert given.loop.steps == 51 * given.loop.warmup_steps


def test_the_losses_of_facial_components_weigh_as_published() -> None:
    given = train_dfd_fcg.Config()
    assert train_dfd_fcg.SCALE * given.component_weight == pytest.approx(1.5)
    assert (given.tau, given.gamma, given.loop.clip_norm, given.batch) == (0.07, 4.0, 0.1, 30)
    official = load_preset(train_dfd_fcg.Config, "train_dfd_fcg", "paper")
    assert 1 / official.tau == pytest.approx(30, abs=1e-4)


def test_queries_start_from_the_prototypes_of_the_run_and_stay_near(tmp_path: Path) -> None:
    config = toy_config(train_dfd_fcg, tmp_path / "run")
    train_dfd_fcg.main(replace(config, loop=replace(config.loop, steps=1)))
    model, spec = open_model(config.model, config.tower, registry.spec(config.model).crop, n_frames=4)
    loaded = load_prototypes(config.out / "prototypes.safetensors", model, spec)
    trained = checkpoint(train_dfd_fcg, config).queries()
    assert not torch.equal(trained, loaded)
    assert (torch.cosine_similarity(trained, loaded, dim=-1) > 0.99).all()


def test_prototypes_of_the_script_serve_a_run(tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    tower = TowerConfig(toy=True)
    prototypes.main(
        prototypes.Config(data=Path("toy"), model="dfd_fcg_b16", tower=tower, n_faces=4, out=path)
    )
    config = toy_config(train_dfd_fcg, tmp_path / "run", prototypes=path)
    train_dfd_fcg.main(replace(config, loop=replace(config.loop, steps=1)))
    assert not (config.out / "prototypes.safetensors").exists()
    with pytest.raises(SystemExit, match="clip_b16_ln1 has no use for prototypes"):
        prototypes.main(prototypes.Config(model="clip_b16_ln1", tower=tower))


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    """Its prototypes are those of its folder, and its batches go on where they were."""
    results = []
    for name, stops in (("whole", [2]), ("parts", [1, 2])):
        for steps in stops:
            config = toy_config(train_dfd_fcg, tmp_path / name, resume=(name, steps) == ("parts", 2))
            train_dfd_fcg.main(replace(config, loop=replace(config.loop, steps=steps, keep="last")))
        results.append((tmp_path / name / "model.safetensors").read_bytes())
    assert results[0] == results[1]


def test_video_figures_of_a_frame_model_average_its_frames(tmp_path: Path) -> None:
    model, spec = open_model("clip_b16_ln1", TowerConfig(toy=True), registry.spec("clip_b16_ln1").crop)
    reader = ClipReader(partners(), train_clip.for_spec(spec), 6)
    figures = frame_figures(model, reader)
    media = reader.faces.media("video")
    means = [
        score(
            model, reader.preprocess.tensor(np.stack(reader.crops(reader.frames(int(n), None), None)))
        ).mean()
        for n in media
    ]
    fakes = np.array([reader.faces.items[n].label for n in media], bool)
    better = [(a > b) + (a == b) / 2 for a in np.array(means)[fakes] for b in np.array(means)[~fakes]]
    assert figures["video_auc"] == pytest.approx(np.mean(better))


def test_few_media_of_a_split_are_in_memory_while_it_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    """FaceForensics++'s val, 840 videos of 32 frames, would be 20 GB at once; the figures are those of all together."""
    model, spec = open_model("clip_b16_ln1", TowerConfig(toy=True), registry.spec("clip_b16_ln1").crop)
    reader = ClipReader(partners(), train_clip.for_spec(spec), 2)
    whole = frame_figures(model, reader)
    seen: list[int] = []
    scored = validation.score
    monkeypatch.setattr(validation, "score", lambda model, x: [seen.append(len(x)), scored(model, x)][1])
    monkeypatch.setattr(validation, "AT_ONCE", 1)
    assert frame_figures(model, reader) == pytest.approx(whole, nan_ok=True)
    assert len(seen) == len(reader.faces.media("video")) > 2
    assert set(seen) == {2}


def test_public_weights_are_asked_for_unless_a_file_is_given(monkeypatch, tmp_path: Path) -> None:
    crop = registry.spec("clip_b16_ln1").crop
    with pytest.raises(WeightsMissing, match="no weights at"):
        open_model("clip_b16_ln1", TowerConfig(file=tmp_path / "absent.safetensors"), crop)
    with pytest.raises(SystemExit, match="effnet_b0_image does not stand on CLIP"):
        open_model("effnet_b0_image", TowerConfig(pretrained=False), crop)


def test_serving_takes_frames_where_training_took_them() -> None:
    assert served_at("spread", 0.3, 5) == registry.spec("clip_b16_stan").frames_at
    served = {}
    for script in (train_stan, train_dfd_fcg):
        given = load_preset(script.Config, script.SCRIPT, "paper")
        at = served[script.SCRIPT] = served_at(given.frames_at, given.step_s, given.serve_clips)
        assert at.kind == "consecutive"
    assert served["train_dfd_fcg"].step_s * train_dfd_fcg.Config().clip_len == pytest.approx(
        3
    )  # seconds, as published


def test_a_run_on_neighbours_makes_a_checkpoint_that_is_served_on_them(tmp_path: Path) -> None:
    config = toy_config(train_stan, tmp_path / "run", frames_at="consecutive", step_s=0.5, serve_clips=4)
    train_stan.main(replace(config, loop=replace(config.loop, steps=1)))
    header = weights.read_header(config.out / "model.safetensors")
    assert header["frames_at"] == {"kind": "consecutive", "step_s": 0.5, "clips": 4}
