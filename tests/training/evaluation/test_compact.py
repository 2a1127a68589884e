"""The manifest is written for people: the same data in few lines of bounded width."""

from __future__ import annotations

import json

import pytest

from tbd_app.models.manifest import MANIFEST
from training.evaluation.compact import WIDTH, compact
from training.evaluation.ledger import WEIGHTS


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": [], "b": {"c": None, "d": [1.5, True, 'é " , \n']}},
        [[k] * 40 for k in range(3)],
        {f"key {k}": {"value": k / 7, "ci": [k, k + 1]} for k in range(30)},
        {"a long key" * 3: {"one": "x" * 60, "two": "y" * 60, "three": {}}},
    ],
)
def test_nothing_is_lost_and_lines_are_no_wider_than_the_page(value: object) -> None:
    text = compact(value)
    assert json.loads(text) == value
    assert list(json.loads(text)) == list(value)  # type: ignore[call-overload] - in the same order
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_manifest_of_the_project_is_about_a_page() -> None:
    text = (WEIGHTS / MANIFEST).read_text(encoding="utf-8")
    document = json.loads(text)
    assert text == compact(document) + "\n"
    assert len(text.splitlines()) <= 12 * len(document["models"]) + 20
