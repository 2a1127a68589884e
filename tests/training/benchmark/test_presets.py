"""Presets are what is published, or say where they are not; a page shows it."""

from __future__ import annotations

import pytest

from training.benchmark import presets
from training.engine.config import PRESETS

SCRIPTS = sorted(path.name for path in PRESETS.glob("train_*"))


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - set(presets.OWN)))
def test_every_script_with_a_publication_has_its_recipe_as_paper(script: str) -> None:
    assert (script, "paper") in presets.SHEETS
    assert (PRESETS / script / "paper.toml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(("script", "preset"), presets.SHEETS, ids="-".join)
def test_a_preset_is_its_fact_sheet(script: str, preset: str) -> None:
    config = presets.config_of(script, preset)
    for name, published in presets.SHEETS[script, preset].values.items():
        differs = presets.value_of(config, name) != published
        assert differs == ((script, preset, name) in presets.APART), name
        if differs:
            text = (PRESETS / script / f"{preset}.toml").read_text(encoding="utf-8")
            assert "# Differs: " in text.split("\n\n")[0].split("model =")[0], "its first lines say so"


def test_the_page_holds_the_table_of_today() -> None:
    page = presets.PAGE.read_text(encoding="utf-8")
    assert page == presets.rendered(page)
