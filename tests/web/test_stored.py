"""Stored results: what is kept is what was found, and those of the examples are of this version."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tbd_app.report.to_json import dumps
from tbd_app.web import stored, views
from tbd_app.web.page import EXAMPLES
from tbd_app.web.texts import EXAMPLE_FILES
from tests.recount import of_file
from tests.report_factory import make_report, with_combination


@pytest.mark.parametrize("report", [make_report(), with_combination(make_report(kind="image"), 0.8)])
def test_a_report_comes_back_with_its_pictures(report, tmp_path):
    path = tmp_path / f"one{stored.SUFFIX}"
    stored.save(report, path)
    again = stored.load(path)
    assert json.loads(dumps(again)) == json.loads(dumps(report))
    for before, after in zip(report.snapshots, again.snapshots, strict=True):
        assert np.abs(before.image.astype(int) - after.image).mean() < 6
        np.testing.assert_allclose(before.boxes, after.boxes, atol=0.01)
        assert [m.position for m in before.maps] == [m.position for m in after.maps]
    for before, after in zip(report.explanations, again.explanations, strict=True):
        np.testing.assert_allclose(before.heat, after.heat, atol=0.01)
    assert views.result(again)
    first = path.read_bytes()
    stored.save(report, path)
    assert path.read_bytes() == first


def test_a_file_that_holds_anything_else_is_refused(tmp_path):
    path = tmp_path / f"one{stored.SUFFIX}"
    stored.save(make_report().verdict, path)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no report"):
        stored.load(path)


@pytest.mark.weights
@pytest.mark.parametrize("name", EXAMPLE_FILES)
def test_the_stored_result_of_an_example_is_of_this_version_and_these_weights(name):
    report = stored.current(EXAMPLES, [name])[name]
    assert report is not None, "run: python examples/make_results.py"
    assert report.media.name == name
    document = report.to_dict()
    again = of_file(document)
    found = {key: document["verdict"][key] for key in ("label", "reasons")}
    assert {key: again[key] for key in found} == found, "run: python examples/make_results.py"


def test_a_result_of_another_version_is_not_shown(tmp_path):
    name = next(iter(EXAMPLE_FILES))
    report = stored.load(EXAMPLES / f"{name}{stored.SUFFIX}")
    stored.save(
        replace(report, versions=report.versions | {"tbd": "0.0.1"}), tmp_path / f"{name}{stored.SUFFIX}"
    )
    assert stored.current(tmp_path, [name, "absent.mp4"]) == {name: None, "absent.mp4": None}
