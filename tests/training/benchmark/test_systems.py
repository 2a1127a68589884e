"""docs/systems.md says what the registry, the recipes and the manifest say."""

from __future__ import annotations

from tbd_app.models.recipes import RECIPES
from tbd_app.models.specs import SPECS
from training.benchmark import systems


def test_the_page_is_current() -> None:
    page = systems.PAGE.read_text(encoding="utf-8")
    assert page == systems.rendered(page), "run: python training/benchmark/systems.py"


def test_our_counts_are_those_of_the_references() -> None:
    assert systems.REFERENCES.keys() == SPECS.keys() == RECIPES.keys()
    for name, reference in systems.REFERENCES.items():
        assert reference.n_params in (None, SPECS[name].n_params), name
        assert reference.n_trained in (None, SPECS[name].n_trainable), name


def test_every_command_names_a_script_and_a_preset_that_are_there() -> None:
    for recipe in RECIPES.values():
        folder = systems.ROOT / "training"
        assert (folder / recipe.script).is_file()
        for load in filter(None, (recipe.reference, recipe.small)):
            presets = folder / "configs" / recipe.script.removesuffix(".py")
            assert all((presets / f"{name}.toml").is_file() for name in filter(None, load.preset.split("+")))
