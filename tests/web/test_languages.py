"""The page in the language of who reads it: what the server sends, and what programs ask for."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tbd_app.errors import EmptyFile, NotMedia, TooManyFrames
from tbd_app.languages import LANGUAGES, of_visitor, spoken
from tbd_app.web import evidence, parts, texts, views
from tests.report_factory import make_report


@pytest.mark.parametrize(
    ("asked", "accepted", "wanted"),
    [
        ("hi", "ar", "hi"),
        ("", "ar-EG, en;q=0.5", "ar"),
        ("xx", "hi", "hi"),
        ("", "fr", "en"),
    ],
)
def test_what_a_visitor_chose_wins_over_the_browser(asked, accepted, wanted):
    assert of_visitor(asked, accepted) == wanted


@pytest.mark.parametrize(
    ("query", "header", "language", "direction", "word"),
    [
        ("", "ar-EG", "ar", "rtl", "حلّل"),
        ("?language=hi", "ar", "hi", "ltr", "विश्लेषण करें"),
        ("", "fr", "en", "ltr", "Analyse"),
    ],
)
def test_the_page_comes_in_one_language(server, query, header, language, direction, word):
    page = httpx.get(server.url + query, headers={"accept-language": header}).text
    assert f'lang="{language}" dir="{direction}"' in page
    assert f'"language": {{"value": "{language}"}}' in page, "Gradio's own words follow"
    said = json.loads(page.split("window.gradio_config = ")[1].split(";</script>")[0])
    (button,) = (c["props"] for c in said["components"] if c["props"].get("elem_id") == "analyze")
    assert button["value"] == word


@pytest.mark.parametrize("language", ["hi", "ar"])
def test_no_english_is_left_on_the_page(server, language):
    page = json.dumps(httpx.get(f"{server.url}config?language={language}").json(), ensure_ascii=False)
    for table in (texts._WORDS, texts.PURPOSES, texts.EXAMPLE_FILES, texts.EXAMPLE_HINTS, texts.FOOTER):
        for english in (dict.__getitem__(table, key) for key in table):
            assert f'"{english}"' not in page
            assert f">{english}<" not in page
    with spoken(language):
        assert texts.PRIVACY in page


def test_errors_are_said_in_the_language_with_their_values():
    error = TooManyFrames("A zip may hold 600 frames at most, this one holds 700.", limit=600, value=700)
    with spoken("hi"):
        assert "ज़िप में अधिकतम 600 फ़्रेम हो सकते हैं, इसमें 700 हैं।" in parts.failure(error)
        nested = NotMedia("This is not a video, a picture or a zip of frames: it looks like a PDF document.")
        assert "PDF दस्तावेज़" in parts.failure(nested)
        assert "A sentence of nobody." in parts.failure(NotMedia("A sentence of nobody."))


def test_a_result_speaks_while_its_data_and_the_names_of_files_stay():
    report = make_report()
    english, names = views.downloads(report), [frame.file for frame in evidence.frames(report)]
    with spoken("ar"):
        arabic = views.downloads(report)
        assert [frame.file for frame in evidence.frames(report)] == names
        result = views.result(report)
    assert [link["name"] for link in arabic] == [link["name"] for link in english]
    assert _content(arabic[1]) == _content(english[1]), "JSON is the same for everybody"
    page = _content(arabic[0])
    assert '<html lang="ar" dir="rtl">' in page
    for shown in (page, result):
        assert ">بينهما<" in shown, "the zones of the curve are named"
        assert ">between<" not in shown


def _content(link: dict[str, str]) -> str:
    return base64.b64decode(link["href"].split("base64,")[1]).decode()


def test_programs_ask_for_a_language_and_get_english_without(server, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(range(200)))
    client = Client(server.url, verbose=False)
    answers = {}
    for language in LANGUAGES:
        asked = {} if language == "en" else {"language": language}
        answers[language] = client.predict(handle_file(clip), html=True, api_name="/analyze", **asked)
    pages = {language: answer.pop("files")["clip.tbd.html"] for language, answer in answers.items()}
    assert answers["en"] == answers["hi"] == answers["ar"]
    for language, page in pages.items():
        assert f'<html lang="{language}"' in base64.b64decode(page.split("base64,")[1]).decode()
    server.engine.error = EmptyFile("The file is empty.")
    with pytest.raises(AppError, match="empty: الملف فارغ"):
        client.predict(handle_file(clip), language="ar", api_name="/analyze")
    with pytest.raises(AppError, match=f"bad_setting: {texts.BAD_LANGUAGE}"):
        client.predict(handle_file(clip), language="xx", api_name="/analyze")
    assert server.leftovers() == []
    client.close()
