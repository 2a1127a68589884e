"""The way through the page in a real Chromium, around an engine that the test steers."""

from __future__ import annotations

import io
import zipfile

import pytest
from playwright.sync_api import expect

from tbd_app.errors import NotMedia, TBDError
from tbd_app.report import texts as words
from tbd_app.web import sentences, texts
from tbd_app.web.page import EXAMPLES
from tests.report_factory import make_report
from tests.web.actions import (
    CLIP,
    DESKTOP,
    PHONE,
    analyse,
    choose,
    expect_headline,
    saved,
    type_frames,
    width_beyond_the_screen,
)

pytestmark = pytest.mark.browser


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
    expect(page.get_by_text("not proof, and").first).to_be_visible()
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


def test_several_files_are_rows_and_one_zip(page, server, refused, artifacts):
    second = CLIP | {"name": "second.mp4", "buffer": CLIP["buffer"] + b"2"}
    third = CLIP | {"name": "third.mp4", "buffer": b"%PDF-1.7"}
    server.engine.errors = {"third.mp4": refused}
    analyse(page, CLIP, second, third)
    expect(page.locator("#status")).to_contain_text(sentences.done_with(3))
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


def test_a_chosen_file_is_shown_before_it_is_sent_and_can_be_taken_back(page, server):
    choose(page, EXAMPLES / "drawn_face.mp4")
    preview = page.locator(".tbd-files video")
    expect(preview).to_have_js_property("readyState", 4)
    box = preview.bounding_box()
    assert box is not None
    assert box["width"] > 200
    page.get_by_label(texts.REMOVE.format(name="drawn_face.mp4")).click()
    expect(page.locator(".tbd-files li")).to_have_count(0)
    assert server.leftovers() == []


@pytest.mark.parametrize("page", [PHONE], ids=["phone"], indirect=True)
def test_stop_keeps_the_results_that_are_there(page, server):
    server.engine.halts_at = "second.mp4"
    analyse(page, CLIP, CLIP | {"name": "second.mp4", "buffer": CLIP["buffer"] + b"2"})
    expect_headline(page, "fake")
    expect(page.locator("#archive a")).to_have_count(0)
    expect(page.locator("#status")).to_contain_text(
        "File 2 of 2, second.mp4: Looking for faces (frame 8 of 32)"
    )
    expect(page.locator("#stop")).to_be_in_viewport()
    page.click("#stop")
    expect(page.locator("#status")).to_contain_text(texts.STOPPED)
    assert server.engine.closed.wait(60), "the engine must be closed, not left running"
    expect_headline(page, "fake")
    rows = page.locator(".tbd-queue li")
    expect(rows.nth(0)).to_contain_text(words.ANSWERS["suspicious"])
    expect(rows.nth(1)).to_contain_text(texts.ROW_STOPPED)
    expect(page.locator(".tbd-result")).to_have_count(1)
    _, content = saved(page, "#archive a")
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["01-clip.tbd.html", "01-clip.tbd.json"]
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
    expect(second.locator("#status")).to_contain_text(sentences.waiting(1))
    second.click("#stop")
    expect(second.locator("#status")).to_contain_text(texts.STOPPED)
    second.close()
    assert (
        len(server.leftovers(expected=1)) == 1
    )  # the second visitor's file is gone, and their place in the line
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
    type_frames(page, "16")
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


def test_what_a_file_says_of_itself_cannot_inject_anything_and_the_policy_lets_the_page_work(page, server):
    markup = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    blocked: list[str] = []
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    page.on("console", lambda m: blocked.append(m.text) if "Content Security Policy" in m.text else None)
    server.engine.error = NotMedia(f"The zip holds '{markup}', which is not a picture.")
    analyse(page, CLIP)
    expect(page.get_by_role("alert").filter(has_text=markup)).to_be_visible()
    server.engine.error, server.engine.report = None, make_report(name=f"{markup}.mp4", warnings=(markup,))
    page.click("#analyze")
    expect_headline(page, "fake")
    expect(page.locator(".tbd-result")).to_contain_text(markup)
    assert page.locator("#output img[src=x], #output script").count() == 0
    assert blocked == []


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
