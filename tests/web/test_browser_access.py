"""The page without a mouse, and what axe-core says of each of its states."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

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


@pytest.mark.parametrize(
    ("page", "theme"),
    [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark")],
    ids=["desktop-light", "desktop-dark", "phone-dark"],
    indirect=["page"],
)
def test_no_state_hinders_people_with_assistive_technology(page, server, refused, theme, artifacts, request):
    page.goto(f"{server.url}?__theme={theme}")
    expect(page.locator(".tbd-card").first).to_be_visible()
    found = violations(page, "start")
    page.get_by_text(texts.ADVANCED).click()
    expect(page.get_by_text(texts.MODELS, exact=True)).to_be_visible()
    found += violations(page, "settings")
    page.get_by_text(texts.ADVANCED).click()
    server.engine.go.clear()
    analyse(page, CLIP)
    expect(page.locator("#status")).to_contain_text("Looking for faces")
    found += violations(page, "running")
    page.screenshot(path=artifacts / f"{request.node.callspec.id}-running.png")
    server.engine.go.set()
    for label in ("fake", "real", "uncertain", "not_applicable"):
        server.engine.label = label
        if label != "fake":
            page.click("#analyze")
        expect_headline(page, label)
        expect(page.locator("#analyze")).to_be_enabled()
        found += violations(page, label)
        if label == "fake":
            page.screenshot(path=artifacts / f"{request.node.callspec.id}.png", full_page=True)
    server.engine.error = refused
    page.click("#analyze")
    expect(page.locator("#status [role=alert]")).to_contain_text(refused.message)
    found += violations(page, "error")
    assert found == []
