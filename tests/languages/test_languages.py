"""Page, report and command line say everything that is marked in every language, with the same values in it."""

from __future__ import annotations

import string
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from typer.testing import CliRunner

from tbd_app import languages
from tbd_app.answer import Answer
from tbd_app.cli import results
from tbd_app.cli.main import app
from tbd_app.languages import Language, of_browser, of_environment, say, say_n, spoken
from tbd_app.report import html, texts
from tests.languages.marked import marked
from tests.report_factory import make_report

OTHERS: tuple[Language, ...] = ("hi", "ar")
FSI, PDI = "\u2068", "\u2069"


def catalogue(language: Language) -> Catalog:
    with (Path(languages.__file__).parent / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_table_holds_what_is_marked_and_nothing_else(language: Language) -> None:
    assert {message.id for message in catalogue(language) if message.id} == marked()


@pytest.mark.parametrize("language", OTHERS)
def test_each_form_of_each_sentence_is_there_and_has_the_same_values(language: Language) -> None:
    table = catalogue(language)
    for message in (m for m in table if m.id):
        said = [message.string] if isinstance(message.id, str) else list(message.string)
        assert all(said), message.id
        assert isinstance(message.id, str) or len(said) == table.num_plurals
        wanted = fields(message.id if isinstance(message.id, str) else message.id[1])
        for form in said:
            # The form for one or two of something may have the number in a word.
            assert wanted - {"n"} <= fields(form) <= wanted, message.id


def test_ranges_and_measures_keep_their_order_in_arabic() -> None:
    report = make_report()
    when = texts.span(report.people[0], "video")
    assert FSI not in when
    with spoken("ar"):
        assert texts.span(report.people[0], "video") == f"{FSI}{when}{PDI}"
        assert f"{FSI}{report.media.width}×{report.media.height}, " in html.render(report)


def test_arabic_counts_in_its_forms() -> None:
    with spoken("ar"):
        forms = [say_n("{n} frame", "{n} frames", n) for n in (0, 1, 2, 3, 11, 100)]
    bare = [form.replace(FSI, "").replace(PDI, "") for form in forms]
    assert bare == ["0 إطار", "إطار واحد", "إطارين", "3 إطارات", "11 إطارًا", "100 إطار"]


def test_values_keep_their_order_in_a_line_from_right_to_left() -> None:
    with spoken("ar"):
        assert say("person {name}", name="A") == f"الشخص {FSI}A{PDI}"
    with spoken("hi"):
        assert say("person {name}", name="A") == "व्यक्ति A"


def test_what_nobody_translated_is_said_in_english() -> None:
    with spoken("hi"):
        assert say("Not in any table, {name}", name="x") == "Not in any table, x"
        assert say("") == ""


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("ar-EG,ar;q=0.9,en;q=0.8", "ar"),
        ("fr, en;q=0.5, hi;q=0.7", "hi"),
        ("hi;q=0, fr", "en"),
        ("ar;q=x", "en"),
        ("", "en"),
    ],
)
def test_browser_says_its_language(header: str, wanted: Language) -> None:
    assert of_browser(header) == wanted


def test_terminal_says_its_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert of_environment() == "en"
    monkeypatch.setenv("LANG", "hi_IN.UTF-8")
    assert of_environment() == "hi"
    monkeypatch.setenv("LC_MESSAGES", "C")
    assert of_environment() == "en"


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("label", ["fake", "real", "uncertain", "not_applicable"])
def test_report_speaks_the_language(language: Language, label: str) -> None:
    report = make_report(label=label)  # type: ignore[arg-type]
    english = texts.headline(report)
    with spoken(language):
        page = html.render(report)
        assert texts.headline(report) != english
        assert texts.answer_label(report) in page
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in page
    assert english not in page


def test_every_answer_has_a_word_of_its_own() -> None:
    for language in OTHERS:
        with spoken(language):
            assert len({texts.ANSWERS[answer] for answer in get_args(Answer)}) == len(get_args(Answer))


def test_terminal_speaks_the_language() -> None:
    with spoken("hi"):
        said = [part for part in results.full(make_report(label="fake")) if isinstance(part, str)]
    assert "संदिग्ध" in said[0]
    assert any(line.startswith("अगला कदम:") for line in said)


def test_language_of_the_command_line_is_one_that_is_known() -> None:
    refused = CliRunner().invoke(app, ["analyze", "a.mp4", "--language", "xx"])
    assert refused.exit_code == 2
    assert "xx" in refused.output
    assert languages.language() == "en"
