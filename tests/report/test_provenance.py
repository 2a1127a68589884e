"""One function says what a file says of its origin, in the HTML report and on the command line, beside the verdict."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator, ValidationError
from rich.console import Console

from tbd_app.cli.screen import Screen
from tbd_app.languages import spoken
from tbd_app.media import answers
from tbd_app.report import html, provenance
from tbd_app.report.to_json import SCHEMA_PATH, to_dict
from tbd_app.web import views
from tests.report_factory import make_report

HOSTILE = "<script>alert(1)</script>[red]x[/]"


LIST = {"date": "2026-01-31", "certificates": 7, "sha256": "0" * 64}


def report(state="intact", *, hints=(), metadata=None, **manifest):
    said = {
        "manifest": answers.manifest(state, reader="c2pa-python 0.38.1", **manifest),
        "metadata": dict.fromkeys(answers.METADATA) | (metadata or {}),
        "hints": list(hints),
    }
    return replace(make_report(), provenance=said)


def test_every_state_and_every_hint_has_a_sentence() -> None:
    assert set(provenance.STATES) == set(answers.MANIFEST_STATES)
    assert set(provenance.HINTS) == set(answers.HINTS)
    assert set(provenance.FIELDS) == set(answers.METADATA)


@pytest.mark.parametrize("state", answers.MANIFEST_STATES)
def test_it_ends_with_what_it_does_not_mean(state) -> None:
    lines = provenance.lines(report(state, hints=answers.HINTS))
    assert lines[0].startswith(provenance.STATES[state])
    assert lines[-1] == provenance.LIMITS
    assert len(lines) == 2 + len(answers.HINTS)
    assert (provenance.UNKNOWN_SIGNER in lines[0]) == (state in ("intact", "broken"))
    assert provenance.lines(make_report()) == []


@pytest.mark.parametrize("state", answers.MANIFEST_STATES)
@pytest.mark.parametrize(
    ("listed", "words"),
    [(True, provenance.LISTED), (False, provenance.UNLISTED), (None, provenance.UNCLEAR_SIGNER)],
)
def test_with_a_list_it_says_whether_the_signer_is_on_it_and_of_what_day_it_is(state, listed, words) -> None:
    found = report(state, signer="S", trust_list=LIST | {"signer_listed": listed})
    first = provenance.lines(found)[0]
    assert provenance.UNKNOWN_SIGNER not in first
    assert first.endswith(words.format(date="2026-01-31")) == (state in ("intact", "broken"))
    for place in (html.render(found), views.result(found)):
        assert (words.format(date="2026-01-31").replace("'", "&#39;") in place) == (
            state in ("intact", "broken")
        )


def test_a_manifest_in_full() -> None:
    full = report(
        "broken", signer="S", signed_at="2026", program="P 1", actions=["c2pa.color_adjustments"], generated=True,
        problems=["assertion.dataHash.mismatch"], metadata={"make": "M", "created": "2026"},
    )  # fmt: skip
    first, second, _ = provenance.lines(full)
    for words in ("“S”", "“P 1”", "Steps: color adjustments.", "generator", "assertion.dataHash.mismatch"):
        assert words in first
    assert second == "Its metadata say: camera make “M”, created “2026”."


def test_it_stands_in_the_html_escaped_and_in_the_terminal() -> None:
    hostile = report(signer=HOSTILE, metadata={"make": HOSTILE})
    page = html.render(hostile)
    assert provenance.TITLE in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    screen, text = Screen(), io.StringIO()
    screen.out = Console(file=text, width=4000)
    screen.results([(None, hostile)])
    assert HOSTILE in text.getvalue()
    assert provenance.LIMITS in text.getvalue()
    assert provenance.TITLE not in html.render(make_report())


def test_it_stands_on_the_page_escaped() -> None:
    shown = views.result(report(signer=HOSTILE))
    assert provenance.TITLE in shown
    assert provenance.LIMITS in shown
    assert "&lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert provenance.TITLE not in views.result(make_report())


@pytest.mark.parametrize("language", ["hi", "ar"])
def test_it_is_said_in_other_languages(language) -> None:
    full = report(
        "broken", signer="S", signed_at="T", program="P", actions=["c2pa.created"], generated=True, problems=["X"],
        metadata=dict.fromkeys(answers.METADATA, "Y"), hints=answers.HINTS,
    )  # fmt: skip
    with spoken(language):
        said = " ".join([provenance.title(), *provenance.lines(full)])
        listings = [
            provenance.lines(report(trust_list=LIST | {"signer_listed": listed}))[0]
            for listed in (True, False, None)
        ]
    assert set(re.findall("[A-Za-z0-9]+", said)) == {"C2PA", "S", "T", "P", "created", "X", "Y"}
    assert set(re.findall("[A-Za-z]+", " ".join(listings))) == {"C", "PA"}
    assert len(set(listings)) == 3
    assert ["2026-01-31" in said for said in listings] == [True, True, False]


def test_it_changes_nothing_else_of_the_report() -> None:
    plain, said = to_dict(make_report()), to_dict(report(generated=True))
    assert said | {"provenance": None} == plain
    listed = to_dict(report(trust_list=LIST | {"signer_listed": False}))
    assert listed | {"provenance": None} == plain


def test_the_schema_describes_it() -> None:
    import json

    schema = Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    document = to_dict(report("intact", signer="S", actions=["c2pa.created"], hints=["editor_named"]))
    schema.validate(document)
    schema.validate(to_dict(report(trust_list=LIST | {"signer_listed": True})))
    document["provenance"]["manifest"]["state"] = "trusted"
    with pytest.raises(ValidationError):
        schema.validate(document)
