"""What a result offers in a real Chromium."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from playwright.sync_api import expect

import tbd_app
from tbd_app.media.open import open_media
from tbd_app.report import texts as words
from tbd_app.report.to_json import dumps
from tbd_app.settings import Limits
from tbd_app.web import stored, texts
from tbd_app.web.page import EXAMPLES
from tests import media_factory
from tests.report_factory import make_report
from tests.web.actions import (
    CLIP,
    analyse,
    expect_headline,
    saved,
)

pytestmark = pytest.mark.browser
SCHEMA = json.loads((Path(tbd_app.__file__).parent / "report" / "schema.json").read_text())


def test_a_moment_shows_its_frame_and_its_map(page):
    analyse(page, CLIP)
    expect_headline(page, "fake")
    frame = page.locator(".tbd-frame:visible")
    expect(frame).to_have_count(1)
    area = page.locator(".tbd-area")
    area.click(position={"x": area.evaluate("e => e.clientWidth") - 3, "y": 20})
    expect(frame).to_have_attribute("data-position", "11")
    for _ in range(2):  # the second person is seen until the tenth frame
        page.locator(".tbd-slider input").press("ArrowLeft")
    expect(frame).to_have_attribute("data-position", "9")
    expect(frame.locator(".tbd-heat")).to_have_count(1)
    expect(frame).to_contain_text("Person B: score")
    page.locator("[data-goto]").first.click()
    expect(frame).to_contain_text("Person A: score")
    page.get_by_label(texts.HEAT).uncheck()
    expect(frame.locator(".tbd-heat").first).to_be_hidden()
    name, content = saved(page, ".tbd-frame:visible [data-save]")
    assert name.endswith(".jpg")
    assert content[:2] == b"\xff\xd8"
    page.locator(".tbd-crops [data-large]").first.click()
    expect(page.locator("dialog.tbd-large img").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.tbd-large")).to_be_hidden()


def test_report_data_frames_and_sentence_can_be_taken_along(page):
    analyse(page, CLIP)
    expect_headline(page, "fake")
    report = make_report(name="clip.mp4")
    name, content = saved(page, f".tbd-downloads >> text={texts.DOWNLOAD_JSON}")
    assert name == "clip.tbd.json"
    assert json.loads(content) == json.loads(dumps(report))
    name, content = saved(page, f".tbd-downloads >> text={texts.DOWNLOAD_HTML}")
    assert name == "clip.tbd.html"
    assert report.media.sha256 in content.decode()
    name, content = saved(page, f".tbd-downloads >> text={texts.DOWNLOAD_FRAMES}")
    assert all(entry.endswith(".jpg") for entry in zipfile.ZipFile(io.BytesIO(content)).namelist())
    expect(page.locator(".tbd-quote span")).to_contain_text(report.media.sha256)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-copy]")
    expect(page.locator("[data-copy]")).to_have_text(texts.COPIED)
    assert "clip.mp4" in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize(
    ("sound", "film", "said"),
    [("aac", "clip.tbd.mp4", texts.FILMED), ("wavpack", "clip.tbd.silent.mp4", texts.FILMED_SILENT)],
)
def test_the_annotated_video_is_made_of_the_file_that_the_browser_kept(
    page, server, tmp_path, sound, film, said
):
    clip = media_factory.portrait_clip(tmp_path / "clip.mkv", audio=True, audio_codec=sound)
    report, media = make_report(n_people=1), open_media(clip, Limits())
    counts = replace(report.frames, size=(media.width, media.height))
    server.engine.report = replace(report, media=media, frames=counts)
    analyse(page, clip)
    expect_headline(page, "fake")
    assert server.leftovers() == []
    name, content = saved(page, "[data-film]")
    assert name == film
    assert content[4:8] == b"ftyp"
    expect(page.locator(".tbd-film")).to_have_text(said)
    assert server.leftovers() == []


def test_feedback_stores_report_and_remark_but_no_media(page, server):
    analyse(page, CLIP)
    expect_headline(page, "fake")
    page.get_by_text(texts.FEEDBACK).click()
    page.get_by_label(texts.FEEDBACK_REMARK).fill("I filmed this myself.")
    page.click("#feedback")
    expect(page.get_by_text(texts.FEEDBACK_THANKS)).to_be_visible()
    (stored,) = server.feedback_dir.iterdir()
    document = json.loads(stored.read_text())
    assert document["remark"] == "I filmed this myself."
    assert document["report"]["media"]["name"] == "clip.mp4"
    jsonschema.validate(document["report"], SCHEMA)
    stored.unlink()


def test_stored_examples_are_one_click_away(page, server):
    for name, title in texts.EXAMPLE_FILES.items():
        report = stored.load(EXAMPLES / f"{name}{stored.SUFFIX}")
        page.locator(".tbd-card").filter(has_text=title).click()
        expect(page.locator(".tbd-headline h2")).to_have_text(words.answer_label(report))
        expect(page.locator(".tbd-notes")).to_contain_text(texts.STORED)
        page.click("#clear")
    assert server.engine.seen == [], "no analysis is needed"
