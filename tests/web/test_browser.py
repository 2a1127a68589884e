"""The page in a real Chromium, around an engine that the test steers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tbd_app.errors import NotMedia, TBDError
from tbd_app.report import texts as words
from tbd_app.report.to_json import dumps
from tbd_app.web import texts
from tests.report_factory import make_report
from tests.web.conftest import PATIENCE_MS, Server

pytestmark = pytest.mark.browser
CLIP = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"\x00\x00\x00\x18ftypisom" + b"\0" * 64}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(params=[DESKTOP], ids=["desktop"])
def page(request: pytest.FixtureRequest, chromium: Browser, server: Server) -> Iterator[Page]:
    context = chromium.new_context(viewport=request.param)
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
    expect(page.locator("#upload .file-preview tr")).to_have_count(len(files))


def analyse(page: Page, *files: dict | Path) -> None:
    choose(page, *files)
    page.click("#analyze")


def expect_headline(page: Page, label: str) -> None:
    expect(page.locator("#summary h2")).to_have_text(words.LABELS[label])


def width_beyond_the_screen(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("page", [DESKTOP, PHONE], ids=["desktop", "phone"], indirect=True)
def test_a_clip_is_analysed_and_everything_fits_the_screen(page, server, artifacts, request):
    expect(page.get_by_text("Up to 2 MB.")).to_be_visible()
    assert width_beyond_the_screen(page) <= 0
    analyse(page, CLIP)
    expect_headline(page, "fake")
    report = make_report(name="clip.mp4")
    expect(page.locator("#summary")).to_contain_text(words.headline(report))
    expect(page.locator("#summary .tbd-person")).to_have_count(2)
    expect(page.locator("#evidence .tbd-pairs figure")).to_have_count(4)
    expect(page.locator("#evidence .tbd-grid figure")).to_have_count(12)
    expect(page.get_by_text("8 of 8 frames reach the vote threshold")).to_be_visible()
    expect(page.locator("#result svg.marks")).to_be_visible()
    expect(page.get_by_text("not proof, and")).to_be_visible()
    assert width_beyond_the_screen(page) <= 0
    page.screenshot(path=artifacts / f"{request.node.callspec.id}.png", full_page=True)
    assert server.leftovers() == []


def test_the_report_can_be_downloaded(page):
    analyse(page, CLIP)
    expect_headline(page, "fake")
    with page.expect_download() as download:
        page.click("#download a")
    assert download.value.suggested_filename == "clip.tbd.json"
    assert Path(download.value.path()).read_text() == dumps(make_report(name="clip.mp4")) + "\n"


@pytest.mark.parametrize("label", ["real", "uncertain", "not_applicable"])
def test_every_verdict_is_said_in_words(page, server, label):
    server.engine.label = label
    analyse(page, CLIP)
    expect_headline(page, label)


def test_a_wrong_file_gives_a_readable_message(page, server, refused: TBDError):
    server.engine.error = refused
    analyse(page, {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"%PDF-1.7"})
    expect(page.get_by_role("alert").filter(has_text=refused.message)).to_be_visible()
    expect(page.locator("#summary h2")).to_have_count(0)
    assert server.leftovers() == []


def test_an_unforeseen_error_leaves_a_page_that_still_works(page, server):
    server.engine.error = RuntimeError("/secret/path")
    analyse(page, CLIP)
    expect(page.locator("#status [role=alert]")).to_contain_text(texts.UNEXPECTED)
    assert "/secret/path" not in page.content()
    server.engine.error = None
    analyse(page, CLIP)
    expect_headline(page, "fake")


def test_analyse_without_a_file_says_what_to_do(page):
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(texts.CHOOSE_FILE)


def test_progress_is_shown_and_stop_stops(page, server):
    server.engine.go.clear()
    expect(page.locator("#stop")).to_be_disabled()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Finding faces")
    expect(page.locator("#status progress")).to_have_attribute("value", "40")
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text(texts.STOPPED)
    assert server.engine.closed.wait(60), "the engine must be closed, not left running"
    expect(page.locator("#stop")).to_be_disabled()
    assert server.leftovers() == []
    page.wait_for_timeout(500)  # nothing that comes late may say that the server failed
    expect(page.locator("#status")).to_contain_text(texts.STOPPED)


def test_a_second_visitor_waits_and_may_give_up(page, server, chromium):
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Finding faces")
    second = chromium.new_page()
    second.goto(server.url)
    analyse(second, CLIP | {"buffer": CLIP["buffer"] + b"2"})
    expect(second.locator("#status")).to_contain_text(texts.WAITING)
    second.click("#stop")
    expect(second.locator("#status")).to_contain_text(texts.STOPPED)
    second.close()
    server.engine.go.set()
    expect_headline(page, "fake")
    assert len(server.engine.seen) == 1
    assert server.leftovers() == []


def test_closing_the_page_stops_too(page, server):
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Finding faces")
    page.close()
    assert server.engine.closed.wait(60)
    assert server.leftovers() == []


def test_clear_resets_the_page_and_deletes_what_is_left(page, server):
    analyse(page, CLIP)
    expect_headline(page, "fake")
    choose(page, CLIP)
    page.get_by_label(texts.N_FRAMES).first.fill("16")
    page.click("#clear")
    expect(page.locator("#summary h2")).to_have_count(0)
    expect(page.locator("#upload .file-preview")).to_have_count(0)
    expect(page.get_by_text("How it works")).to_be_visible()
    expect(page.get_by_label(texts.N_FRAMES).first).to_have_value("32")
    assert server.leftovers() == []


def test_of_several_files_the_page_says_which_was_used(page, server):
    picture = {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n" + b"\0" * 64}
    analyse(page, CLIP, picture)
    expect(page.locator("#summary")).to_contain_text(texts.used("photo.png", "picture"))
    assert server.engine.seen[0][1] == "photo.png"


def test_a_file_name_cannot_inject_anything(page):
    name = "<img src=x onerror=alert(1)>${6*7}{{6*7}}.mp4"
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    analyse(page, CLIP | {"name": name})
    expect_headline(page, "fake")
    page.get_by_text(texts.DETAILS).click()
    expect(page.locator("#details dd").first).to_have_text(name)


def test_what_a_file_says_of_itself_cannot_inject_anything_and_the_policy_lets_the_page_work(page, server):
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    blocked: list[str] = []
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    page.on("console", lambda m: blocked.append(m.text) if "Content Security Policy" in m.text else None)
    server.engine.error = NotMedia(f"The zip holds '{markup}', which is not a picture.")
    analyse(page, CLIP)
    expect(page.get_by_role("alert").filter(has_text=markup)).to_be_visible()
    server.engine.error, server.engine.report = None, make_report(name=f"{markup}.mp4", warnings=(markup,))
    analyse(page, CLIP)
    expect_headline(page, "fake")
    expect(page.locator("#summary")).to_contain_text(markup)
    assert page.locator("#output img[src=x], #output script").count() == 0
    assert blocked == []


@pytest.mark.parametrize(("title", "file"), [(title, name) for name, title in texts.EXAMPLE_FILES.items()])
def test_an_example_is_one_click_away(page, server, title, file):
    page.get_by_role("button", name=title, exact=True).click()
    expect(page.locator("#upload .file-preview tr")).to_have_count(1)
    page.click("#analyze")
    expect_headline(page, "fake")
    assert server.engine.seen[0][1] == file


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
    stored.unlink()
