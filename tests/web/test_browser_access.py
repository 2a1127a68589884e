"""The page without a mouse, and what axe-core says of each of its states."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tbd_app.web import texts
from tests.web.actions import (
    CLIP,
    DESKTOP,
    PHONE,
    analyse,
    choose,
    expect_headline,
)
from tests.web.axe import violations

pytestmark = pytest.mark.browser


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


def _in_themes(page: Page, state: str, themes: tuple[str, ...]) -> list[str]:
    found = []
    for theme in themes:
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        page.wait_for_timeout(200)  # colours change in their own time
        found += violations(page, f"{state}, {theme}")
    return found


@pytest.mark.parametrize(
    ("page", "themes"),
    [(DESKTOP, ("light", "dark")), (PHONE, ("dark",))],
    ids=["desktop", "phone"],
    indirect=["page"],
)
def test_no_state_hinders_people_with_assistive_technology(page, server, refused, themes, artifacts, request):
    expect(page.locator(".tbd-card").first).to_be_visible()
    found = _in_themes(page, "start", themes)
    page.get_by_text(texts.ADVANCED).click()
    expect(page.get_by_text(texts.MODELS, exact=True)).to_be_visible()
    found += _in_themes(page, "settings", themes)
    page.get_by_text(texts.ADVANCED).click()
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Looking for faces")
    found += _in_themes(page, "running", themes)
    page.screenshot(path=artifacts / f"{request.node.callspec.id}-running.png")
    server.engine.go.set()
    for label in ("fake", "real", "uncertain", "not_applicable"):
        server.engine.label = label
        if label != "fake":
            page.click("#analyze")
        expect_headline(page, label)
        found += _in_themes(page, label, themes)
        if label == "fake":
            page.screenshot(path=artifacts / f"{request.node.callspec.id}-dark.png", full_page=True)
    server.engine.error = refused
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(refused.message)
    found += _in_themes(page, "error", themes)
    assert found == []
