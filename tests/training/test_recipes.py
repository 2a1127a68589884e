"""What `tbd models --train-memory` counts is what the scripts and their presets do."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tbd_app.models import registry
from tbd_app.models.recipes import RECIPES, Load, Recipe
from training.engine.config import RunConfig, load_preset

LOADS = [
    pytest.param(name, recipe, load, id=f"{name}-{load.preset or 'defaults'}")
    for name, recipe in RECIPES.items()
    for load in (recipe.reference, recipe.small)
    if load
]


def config_of(recipe: Recipe, load: Load) -> RunConfig:
    script = Path(recipe.script).stem
    config = importlib.import_module(f"training.{script}").Config
    return load_preset(config, script, load.preset) if load.preset else config()


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
    assert (1 if config.loop.optimizer == "sgd" else 2) == recipe.moments or load is recipe.small
    if load is recipe.reference:
        assert bool(config.loop.ema_decay) == recipe.averaged
        assert all(getattr(config, key) == value for key, value in recipe.options.items())
