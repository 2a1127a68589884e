"""Whether an answer holds is said in a sentence, with each view in words, and not at all where nothing was asked."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tbd_app.report import html, stability
from tbd_app.report.to_json import SCHEMA_PATH, dumps
from tbd_app.types import ViewName
from tests.report_factory import make_report, with_views

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def test_every_view_has_words() -> None:
    assert set(stability.VIEWS) == set(get_args(ViewName))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({}, "Same answer in 5 of 5 views."),
        ({"half_size": "uncertain"}, "Same answer in 4 of 5 views; neither fake nor real at half the size."),
        (
            {"jpeg_50": "real", "mirrored": "real", "shifted": "uncertain"},
            "Same answer in 2 of 5 views; the opposite saved again as JPEG (quality 50) and mirrored; "
            "neither fake nor real shifted by 2 px.",
        ),
    ],
)
def test_the_sentence_counts_and_names_what_differs(labels, sentence) -> None:
    report = with_views(make_report(), **labels)
    first, second = report.people
    assert stability.sentence(first, report) == sentence
    rows = stability.rows(first, report)
    assert [row.changes for row in rows] == [view in labels for view in get_args(ViewName)]
    assert (stability.sentence(second, report), stability.rows(second, report)) == ("", [])
    page = html.render(report)
    assert sentence in page
    assert page.count(stability.TITLE) == 1
    assert all(row.view in page for row in rows)


def test_without_views_nothing_is_said() -> None:
    report = make_report()
    assert stability.sentence(report.people[0], report) == ""
    assert stability.TITLE not in html.render(report)
    assert json.loads(dumps(report))["stability"] is None


def test_the_json_of_views_follows_the_schema() -> None:
    document = json.loads(dumps(with_views(make_report(), half_size="real")))
    VALIDATOR.validate(document)
    (person,) = document["stability"]["people"]
    assert (person["same"], person["n_views"], person["unstable"]) == (4, 5, True)
    assert person["summary"] == "same answer in 4 of 5 views"
    assert [v["view"] for v in person["views"] if v["changes"]] == ["half_size"]
    person["views"][0]["view"] = "upside_down"
    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_the_schema_names_the_views_of_the_code() -> None:
    views = VALIDATOR.schema["$defs"]["view"]["properties"]["view"]["enum"]
    assert tuple(views) == get_args(ViewName)
