"""What `tbd models --train-memory` counts is what the scripts and their presets do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tbd_app.models import footprint, registry
from tbd_app.models.recipes import RECIPES, Load, Recipe
from training import train_m2tr
from training.engine.config import RunConfig, load_preset, preset_table

LOADS = [
    pytest.param(name, recipe, load, id=f"{name}-{load.preset or 'defaults'}")
    for name, recipe in RECIPES.items()
    for load in (recipe.reference, recipe.small)
    if load
]


def config_of(recipe: Recipe, load: Load) -> RunConfig:
    script = Path(recipe.script).stem
    config = importlib.import_module(f"training.{script}").Config
    return load_preset(config, script, *load.preset.split("+")) if load.preset else config()


def examples(config: RunConfig, script: str) -> int:
    """Pictures or clips that pass at once: where a batch is counted in pairs, two for each."""
    if script == "train_frame.py":
        return 2 * config.batch_pairs
    if script == "train_robust.py":  # each batch once clean and once after each attack
        return config.batch * (1 + bool(config.pgd_weight) + bool(config.unet_weight))
    in_pairs = script == "train_dfd_fcg.py" or (script == "train_video.py" and config.pairs)
    return config.batch * (2 if in_pairs else 1)


@pytest.mark.parametrize(("name", "recipe", "load"), LOADS)
def test_batch_clip_and_optimiser_are_those_of_the_preset(name: str, recipe: Recipe, load: Load) -> None:
    config = config_of(recipe, load)
    assert examples(config, recipe.script) == load.batch
    if registry.spec(name).task == "clip":
        assert config.clip_len == recipe.clip_len
    checkpointing = getattr(config, "checkpointing", False) or getattr(
        getattr(config, "tower", None), "checkpointing", False
    )
    assert checkpointing == load.checkpointing
    assert (1 if config.loop.optimizer == "sgd" else 2) == recipe.moments
    assert bool(config.loop.ema_decay) == recipe.averaged
    assert all(getattr(config, key) == value for key, value in recipe.options.items())


@pytest.mark.parametrize("name", RECIPES)
def test_the_preset_for_a_small_card_fits_one(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.small is not None
    assert recipe.small.preset == f"{recipe.reference.preset}+8gb"
    assert footprint.of(name, recipe, recipe.small).total <= footprint.CARD


@pytest.mark.parametrize("script", sorted({Path(recipe.script).stem for recipe in RECIPES.values()}))
def test_the_preset_for_a_small_card_changes_memory_and_no_recipe(script: str) -> None:
    table = preset_table(script, "8gb")
    loop, tower = table.pop("loop", {}), table.pop("tower", {})
    assert table.keys() <= {"at_once", "checkpointing", "frame_chunk"}
    assert loop.keys() <= {"precision"}
    assert tower.keys() <= {"checkpointing", "precision"}


def test_pieces_make_up_the_whole_batch() -> None:
    config = load_preset(train_m2tr.Config, "train_m2tr", "paper", "8gb")
    assert (config.batch, config.loop.accumulate, config.preset) == (4, 6, "paper+8gb")
    assert (config.frames, config.loop.lr, config.contrast) == (30, 1e-4, 0.1)
    assert load_preset(train_m2tr.Config, "train_m2tr", "official", "8gb").loop.accumulate == 2
