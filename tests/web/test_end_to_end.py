"""The page with the real engine, real face detector and bundled weights: what a visitor gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, expect

import tbd_app
from tbd_app.models import registry
from tbd_app.report import texts as words
from tbd_app.web import jobs, texts
from tbd_app.web.page import EXAMPLES
from tests.web.conftest import Server, serve

SCHEMA = json.loads((Path(tbd_app.__file__).parent / "report" / "schema.json").read_text())
MINUTES_MS = 300_000


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(jobs.default_engine, tmp_path_factory.mktemp("page")) as server:
        yield server


def _without_timings(document: dict) -> str:
    return json.dumps(document | {"timings_s": None, "made_at": ""})


@pytest.mark.parametrize("name", list(texts.EXAMPLE_FILES))
def test_http_and_python_give_the_same_json(real_server, name):
    client = Client(real_server.url, verbose=False)
    over_http = client.predict(handle_file(EXAMPLES / name), 8, explain=False, api_name="/analyze")
    in_python = tbd_app.analyze(EXAMPLES / name, n_frames=8, explain=False).to_dict()
    assert _without_timings(over_http) == _without_timings(json.loads(json.dumps(in_python)))
    jsonschema.validate(over_http, SCHEMA)
    assert real_server.leftovers() == []


def test_a_file_that_is_no_media_is_refused_with_its_code(real_server, tmp_path):
    notes = tmp_path / "notes.mp4"
    notes.write_bytes(b"%PDF-1.7 these are no pictures")
    with pytest.raises(Exception, match="not_media: "):
        Client(real_server.url, verbose=False).predict(handle_file(notes), api_name="/analyze")
    assert real_server.leftovers() == []


@pytest.mark.browser
@pytest.mark.weights
@pytest.mark.skipif(not registry.is_installed("effnetv2_b0_frame"), reason="the weights are not here")
def test_a_visitor_analyses_the_edited_example(real_server, chromium: Browser, artifacts):
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(real_server.url)
    page.set_input_files("#upload input[type=file]", [EXAMPLES / "drawn_face_edited.mp4"])
    page.get_by_text(texts.ADVANCED).click()
    page.get_by_label(texts.N_FRAMES).first.fill("8")
    page.click("#analyze")
    heading = page.locator(".tbd-headline h2")
    expect(heading).not_to_have_text(words.ANSWERS["cannot_judge"], timeout=MINUTES_MS)
    expect(page.locator(".tbd-person")).to_have_count(1)
    expect(page.locator(".tbd-person")).to_contain_text("effnetv2_b0_frame")
    expect(page.locator(".tbd-crops figure")).not_to_have_count(0)
    expect(page.locator(".tbd-frame:visible .tbd-heat")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    with page.expect_download() as download:
        page.click(f".tbd-downloads >> text={texts.DOWNLOAD_JSON}")
    report = json.loads(Path(download.value.path()).read_text())
    jsonschema.validate(report, SCHEMA)
    assert report["media"]["name"] == "drawn_face_edited.mp4"
    with page.expect_download(timeout=MINUTES_MS) as download:
        page.click("[data-film]")
    assert Path(download.value.path()).read_bytes()[4:8] == b"ftyp"
    page.screenshot(path=artifacts / "end-to-end.png", full_page=True)
    page.close()
    assert real_server.leftovers() == []
