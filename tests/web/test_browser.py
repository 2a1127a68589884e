"""The page in a real Chromium, around an engine that the test steers."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from playwright.sync_api import Browser, Page, expect

import tbd_app
from tbd_app.errors import TBDError
from tbd_app.media.open import open_media
from tbd_app.report import texts as words
from tbd_app.report.to_json import dumps
from tbd_app.settings import Limits
from tbd_app.types import Label
from tbd_app.web import stored, texts
from tbd_app.web.page import EXAMPLES
from tests import media_factory
from tests.report_factory import make_report
from tests.web.axe import violations
from tests.web.conftest import PATIENCE_MS, Server

pytestmark = pytest.mark.browser
CLIP = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"\x00\x00\x00\x18ftypisom" + b"\0" * 64}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SCHEMA = json.loads((Path(tbd_app.__file__).parent / "report" / "schema.json").read_text())


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def page(request: pytest.FixtureRequest, chromium: Browser, server: Server) -> Iterator[Page]:
    context = chromium.new_context(viewport=request.param, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    outside: list[str] = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((server.url, "data:", "blob:")) else outside.append(r.url),
    )
    page.goto(server.url)
    yield page
    context.close()
    assert outside == [], "the page must work with no network"


def choose(page: Page, *files: dict | Path) -> None:
    page.set_input_files("#upload input[type=file]", list(files))
    expect(page.locator(".tbd-files li")).to_have_count(len(files))


def analyse(page: Page, *files: dict | Path) -> None:
    choose(page, *files)
    page.click("#analyze")


def expect_headline(page: Page, label: Label) -> None:
    said = words.answer_label(make_report(label=label))
    expect(page.locator(".tbd-headline h2").first).to_have_text(said)


def saved(page: Page, selector: str) -> tuple[str, bytes]:
    """Name and content of what a click on a link or a button saves."""
    with page.expect_download() as download:
        page.click(selector)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def width_beyond_the_screen(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
def test_a_clip_is_analysed_and_everything_fits_the_screen(page, server, artifacts, request):
    expect(page.get_by_text(texts.LOCAL)).to_be_visible()
    expect(page.get_by_text("Up to 2 MB.")).to_be_visible()
    expect(page.locator(".tbd-card")).to_have_count(3)
    expect(page.get_by_text(texts.MODELS, exact=True)).to_be_hidden()
    assert width_beyond_the_screen(page) <= 0
    page.screenshot(path=artifacts / f"{request.node.callspec.id}-start.png", full_page=True)
    choose(page, CLIP)
    assert server.leftovers() == [], "nothing is sent before it is asked for"
    page.click("#analyze")
    expect_headline(page, "fake")
    report = make_report(name="clip.mp4")
    result = page.locator(".tbd-result")
    expect(result.locator("> summary")).to_contain_text("clip.mp4")
    for sentence in words.opening(report):
        expect(result).to_contain_text(sentence)
    expect(result.locator(".tbd-person")).to_have_count(2)
    expect(result.locator(".tbd-crops figure")).to_have_count(4)
    expect(page.get_by_text("8 of 8 frames lie in the zone of fakes")).to_be_visible()
    expect(page.locator(".tbd-zone")).to_have_count(3)
    expect(page.get_by_text("not proof, and")).to_be_visible()
    assert width_beyond_the_screen(page) <= 0
    page.screenshot(path=artifacts / f"{request.node.callspec.id}.png", full_page=True)
    assert server.leftovers() == []
    expect(page.locator(".tbd-files li")).to_contain_text(
        "clip.mp4"
    )  # still chosen, so a second press needs no choice
    server.engine.label = "real"
    page.click("#analyze")
    expect_headline(page, "real")
    assert server.engine.seen[0][:2] == server.engine.seen[1][:2] == (CLIP["buffer"], "clip.mp4")


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


def test_the_annotated_video_is_made_of_the_file_that_the_browser_kept(page, server, tmp_path):
    clip = media_factory.portrait_clip(tmp_path / "clip.mp4")
    report, media = make_report(n_people=1), open_media(clip, Limits())
    counts = replace(report.frames, size=(media.width, media.height))
    server.engine.report = replace(report, media=media, frames=counts)
    analyse(page, clip)
    expect_headline(page, "fake")
    assert server.leftovers() == []
    name, content = saved(page, "[data-film]")
    assert name == "clip.tbd.mp4"
    assert content[4:8] == b"ftyp"
    expect(page.locator(".tbd-film")).to_contain_text(texts.FILMED)
    assert server.leftovers() == []


def test_several_files_are_rows_and_one_zip(page, server, refused, artifacts):
    second = CLIP | {"name": "second.mp4", "buffer": CLIP["buffer"] + b"2"}
    third = CLIP | {"name": "third.mp4", "buffer": b"%PDF-1.7"}
    server.engine.errors = {"third.mp4": refused}
    analyse(page, CLIP, second, third)
    expect(page.locator("#status")).to_contain_text(texts.DONE_SEVERAL.format(n=3))
    rows = page.locator(".tbd-queue li")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text(words.ANSWERS["suspicious"])
    expect(rows.nth(2)).to_contain_text(refused.message)
    expect(page.locator(".tbd-result")).to_have_count(2)
    rows.nth(1).get_by_role("button").click()
    expect(page.locator(".tbd-result[open] > summary")).to_contain_text("second.mp4")
    assert [name for _, name, _ in server.engine.seen] == ["clip.mp4", "second.mp4", "third.mp4"]
    _, content = saved(page, "#archive a")
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert names == ["01-clip.tbd.html", "01-clip.tbd.json", "02-second.tbd.html", "02-second.tbd.json"]
    page.screenshot(path=artifacts / "several.png")
    assert server.leftovers() == []


def test_stop_keeps_the_results_that_are_there(page, server):
    server.engine.halts_at = "second.mp4"
    analyse(page, CLIP, CLIP | {"name": "second.mp4", "buffer": CLIP["buffer"] + b"2"})
    expect_headline(page, "fake")
    expect(page.locator("#status")).to_contain_text(
        "File 2 of 2, second.mp4: Looking for faces (frame 8 of 32)"
    )
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text(texts.STOPPED)
    assert server.engine.closed.wait(60), "the engine must be closed, not left running"
    expect_headline(page, "fake")
    assert server.leftovers() == []
    page.wait_for_timeout(500)  # nothing that comes late may say that the server failed
    expect(page.locator("#status")).to_contain_text(texts.STOPPED)


def test_errors_are_readable_and_leave_a_page_that_still_works(page, server, refused: TBDError):
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(texts.CHOOSE_FILE)
    page.set_input_files(
        "#upload input[type=file]", [CLIP | {"name": "huge.mp4", "buffer": bytes(2_100_000)}]
    )
    expect(page.locator(".tbd-problem")).to_contain_text("huge.mp4")
    server.engine.error = refused
    analyse(page, CLIP)
    expect(page.locator("#status [role=alert]")).to_contain_text(refused.message)
    expect(page.locator(".tbd-result")).to_have_count(0)
    server.engine.error = RuntimeError("/secret/path")
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(texts.UNEXPECTED)
    assert "/secret/path" not in page.content()
    server.engine.error = None
    page.click("#analyze")
    expect_headline(page, "fake")
    assert server.leftovers() == []


def test_a_file_chosen_during_a_run_stays_and_a_second_visitor_waits(page, server, chromium):
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Looking for faces (frame 8 of 32)")
    expect(page.locator("#status progress")).to_have_attribute("value", "40")
    page.set_input_files("#upload input[type=file]", [CLIP | {"name": "later.mp4"}])
    second = chromium.new_page()
    second.goto(server.url)
    analyse(second, CLIP | {"buffer": CLIP["buffer"] + b"2"})
    expect(second.locator("#status")).to_contain_text(texts.waiting(1))
    second.click("#stop")
    expect(second.locator("#status")).to_contain_text(texts.STOPPED)
    second.close()
    server.engine.go.set()
    expect_headline(page, "fake")
    expect(page.locator(".tbd-files li")).to_have_count(2)
    assert len(server.engine.seen) == 1
    assert server.leftovers() == []


def test_the_page_for_programs_offers_no_mcp_while_it_is_off(page):
    page.get_by_role("button", name="Use via API").click()
    expect(page.get_by_text("cURL", exact=True).first).to_be_visible()
    expect(page.get_by_text("MCP", exact=True)).to_be_hidden()


def test_closing_the_page_stops_too(page, server):
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Looking for faces")
    page.close()
    assert server.engine.closed.wait(60)
    assert server.leftovers() == []


def test_clear_resets_the_page(page, server):
    page.get_by_text(texts.ADVANCED).click()
    page.get_by_label(texts.N_FRAMES).first.fill("16")
    analyse(page, CLIP)
    expect_headline(page, "fake")
    page.click("#clear")
    expect(page.locator(".tbd-result")).to_have_count(0)
    expect(page.locator(".tbd-files li")).to_have_count(0)
    expect(page.locator(".tbd-card").first).to_be_visible()
    expect(page.get_by_label(texts.N_FRAMES).first).to_have_value("32")
    assert server.engine.seen[0][2].n_frames == 16


def test_a_file_name_cannot_inject_anything(page):
    name = "<img src=x onerror=alert(1)>${6*7}{{6*7}}.mp4"
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    analyse(page, CLIP | {"name": name})
    expect_headline(page, "fake")
    page.get_by_text(texts.DETAILS).click()
    expect(page.locator(".tbd-details dd").first).to_have_text(name)


def test_stored_examples_are_one_click_away(page, server):
    for name, title in texts.EXAMPLE_FILES.items():
        report = stored.load(EXAMPLES / f"{name}{stored.SUFFIX}")
        page.locator(".tbd-card").filter(has_text=title).click()
        expect(page.locator(".tbd-headline h2")).to_have_text(words.answer_label(report))
        expect(page.locator(".tbd-notes")).to_contain_text(texts.STORED)
        page.click("#clear")
    assert server.engine.seen == [], "no analysis is needed"


def test_a_clip_is_filmed_with_the_camera(page, server):
    page.context.grant_permissions(["camera"])
    page.get_by_text(texts.WEBCAM, exact=True).click()
    page.get_by_text(texts.WEBCAM_START, exact=True).click()
    expect(page.locator(".tbd-files li")).to_contain_text("webcam.webm")
    page.click("#analyze")
    expect_headline(page, "fake")
    content, name, _ = server.engine.seen[0]
    assert name == "webcam.webm"
    assert content[:4] == b"\x1aE\xdf\xa3"


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


def test_the_keyboard_alone_is_enough(page, server):
    choose(page, CLIP)
    page.locator("#upload input[type=file]").focus()
    names = []
    for _ in range(8):  # the way from the drop zone to Analyse is short
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        if names[-1] == "analyze":
            break
    assert names[-1] == "analyze", names
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect_headline(page, "fake")


@pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_hinders_people_with_assistive_technology(page, server, refused, scheme, artifacts, request):
    page.goto(f"{server.url}?__theme={scheme}")
    expect(page.locator(".tbd-card").first).to_be_visible()
    found = violations(page, "start")
    page.get_by_text(texts.ADVANCED).click()
    expect(page.get_by_text(texts.MODELS, exact=True)).to_be_visible()
    found += violations(page, "settings")
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Looking for faces")
    found += violations(page, "running")
    server.engine.go.set()
    for label in ("fake", "real", "uncertain", "not_applicable"):
        server.engine.label = label
        if label != "fake":
            page.click("#analyze")
        expect_headline(page, label)
        found += violations(page, label)
        page.screenshot(path=artifacts / f"{request.node.callspec.id}-{label}.png", full_page=True)
    server.engine.error = refused
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(refused.message)
    found += violations(page, "error")
    assert found == []
