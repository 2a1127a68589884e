"""Whether an answer holds is said in a sentence, with each view in words, and not at all where nothing was asked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import get_args

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tbd_app.languages import spoken
from tbd_app.report import html, stability
from tbd_app.report.to_json import SCHEMA_PATH, dumps
from tbd_app.steady import Stability, Steadiness, ViewAnswer
from tbd_app.types import Label, Report, ViewName
from tbd_app.web import views
from tests.report_factory import MODELS, make_report

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def with_views(report: Report, **labels: Label) -> Report:
    """The report as it is where the first person was asked again: every view says the same, but for these.

    Where one says the opposite, the verdict is left as it is: tests of views need no rules.
    """
    person = report.people[0]
    answer: Label = "real" if person.verdict.label == "real" else "fake"
    probs = {"fake": 0.9, "real": 0.1, "uncertain": 0.5}
    views = []
    for view in get_args(ViewName):
        label = labels.get(view, answer)
        views.append(ViewAnswer(view, label, probs[label], dict.fromkeys(MODELS, probs[label])))
    return replace(report, stability=Stability((Steadiness(person.track.track_id, answer, tuple(views)),)))


def test_every_view_has_words() -> None:
    assert set(stability.VIEWS) == set(get_args(ViewName))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({}, "Same answer in 5 of 5 views."),
        ({"half_size": "uncertain"}, "Same answer in 4 of 5 views. Neither fake nor real: at half the size."),
        (
            {"jpeg_50": "real", "mirrored": "real", "shifted": "uncertain"},
            "Same answer in 2 of 5 views. The opposite: saved again as JPEG (quality 50), mirrored. "
            "Neither fake nor real: shifted by 2 px.",
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


def test_the_page_shows_each_view() -> None:
    report = with_views(make_report(), half_size="uncertain")
    shown = views.result(report)
    assert shown.count(stability.TITLE) == 1
    assert stability.sentence(report.people[0], report) in shown
    assert all(row.view in shown for row in stability.rows(report.people[0], report))


@pytest.mark.parametrize("language", ["hi", "ar"])
def test_it_is_said_in_other_languages(language) -> None:
    report = with_views(make_report(), mirrored="real", half_size="uncertain")
    person = report.people[0]
    with spoken(language):
        rows = [word for row in stability.rows(person, report) for word in (row.view, row.answer)]
        said = " ".join([stability.title(), stability.note(), stability.sentence(person, report), *rows])
    assert set(re.findall("[A-Za-z]+", said)) == {"JPEG", "H", "CRF"}


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
