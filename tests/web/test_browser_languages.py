"""The page in Arabic, from right to left, and the choice of another language, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tbd_app.errors import EmptyFile
from tbd_app.languages import spoken
from tbd_app.report import texts as words
from tbd_app.web import texts
from tests.report_factory import make_report
from tests.web.actions import CLIP, PHONE, choose, width_beyond_the_screen
from tests.web.axe import violations
from tests.web.conftest import PATIENCE_MS

pytestmark = pytest.mark.browser


def test_an_arabic_visitor_sees_an_arabic_page(chromium, server):
    context = chromium.new_context(viewport=PHONE, locale="ar", reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url)
    with spoken("ar"):
        expect(page.locator("#analyze")).to_have_text(texts.ANALYZE)
        expect(page.locator("html")).to_have_attribute("lang", "ar")
        assert page.evaluate("getComputedStyle(document.querySelector('.tbd-drop')).direction") == "rtl"
        assert width_beyond_the_screen(page) <= 0
        found = violations(page, "start")
        choose(page, CLIP)
        page.click("#analyze")
        expect(page.locator(".tbd-headline h2")).to_have_text(words.answer_label(make_report()))
        expect(page.locator("#status")).to_have_text(texts.DONE)
        expect(page.locator(".tbd-result th").first).to_have_text(texts.COLUMNS["model"])
    assert page.evaluate("getComputedStyle(document.querySelector('.tbd-plot')).direction") == "ltr"
    page.locator(".tbd-details summary").click()
    assert width_beyond_the_screen(page) <= 0
    found += violations(page, "result")
    context.close()
    assert found == []


def test_a_visitor_chooses_hindi(page, server):
    page.goto(f"{server.url}?__theme=dark")
    page.get_by_role("link", name="हिन्दी").click()
    with spoken("hi"):
        expect(page.locator("#analyze")).to_have_text(texts.ANALYZE)
        expect(page.locator("html")).to_have_attribute("lang", "hi")
        assert "__theme=dark" in page.url
        server.engine.error = EmptyFile("The file is empty.")
        choose(page, CLIP)
        page.click("#analyze")
        expect(page.locator("#status [role=alert]")).to_contain_text("फ़ाइल खाली है।")
        assert violations(page, "error") == []
