"""What the browser tests do on the page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tbd_app.report import texts as words
from tbd_app.types import Label
from tbd_app.web import texts
from tests.report_factory import make_report

CLIP = {"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"\x00\x00\x00\x18ftypisom" + b"\0" * 64}
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def choose(page: Page, *files: dict | Path) -> None:
    page.set_input_files("#upload input[type=file]", list(files))
    expect(page.locator(".tbd-files li")).to_have_count(len(files))


def type_frames(page: Page, n: str) -> None:
    """Open the settings and type how many frames; what is typed before the page has made them is set back to the default."""
    page.get_by_text(texts.ADVANCED).click()
    number, slider = (page.locator(f"#settings input[type={kind}]").first for kind in ("number", "range"))
    for _ in range(20):
        number.fill(n)
        page.wait_for_timeout(500)
        if number.input_value() == slider.input_value() == n:
            return
    raise AssertionError(f"the page does not keep {n} frames")


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
