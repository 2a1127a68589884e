"""The HTTP side, through gradio's own client and through bare requests."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections import deque
from dataclasses import replace

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tbd_app.media.open import open_media
from tbd_app.models import registry
from tbd_app.report.to_json import dumps
from tbd_app.settings import Limits
from tbd_app.web import texts, uploads
from tbd_app.web.page import EXAMPLES, build_page, launch_options
from tests import media_factory
from tests.report_factory import make_report
from tests.web.conftest import SteeredEngine, serve

pytestmark = pytest.mark.usefixtures("server")
CLIP = b"\x00\x00\x00\x18ftypisom" + bytes(range(200))


@pytest.fixture(scope="module")
def client(launched):
    client = Client(launched.url, verbose=False)
    yield client
    client.close()


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "día del [niño] #1.mp4"
    path.write_bytes(CLIP)
    return path


def _call(url: str, file: object) -> str:
    """The events of one bare HTTP call."""
    started = httpx.post(
        f"{url}gradio_api/call/analyze", json={"data": [file, 32, 0.9, ["default"], True, False, False, True]}
    )
    answer = httpx.get(f"{url}gradio_api/call/analyze/{started.json()['event_id']}", timeout=30)
    return answer.text


def test_there_is_exactly_one_public_endpoint(client):
    api = client.view_api(return_format="dict")
    assert list(api["named_endpoints"]) == ["/analyze"]
    assert not api["unnamed_endpoints"]
    parameters = {p["parameter_name"]: p for p in api["named_endpoints"]["/analyze"]["parameters"]}
    assert list(parameters) == [
        "file",
        "n_frames",
        "face_confidence",
        "models",
        "explain",
        "html",
        "video",
        "stability",
        "attention",
        "language",
    ]
    assert parameters["n_frames"]["parameter_default"] == 32
    assert [n for n, p in parameters.items() if not p["parameter_has_default"]] == ["file"]


def test_the_answer_is_the_report_and_nothing_of_the_file_is_left(client, server, clip):
    answer = client.predict(handle_file(clip), api_name="/analyze")
    assert json.dumps(answer) == json.dumps(json.loads(dumps(make_report(name=clip.name))))
    content, name, settings = server.engine.seen[0]
    assert (content, name) == (CLIP, clip.name)
    assert (settings.n_frames, settings.face_confidence, settings.models) == (32, 0.9, ("default",))
    assert not server.engine.pictures, "nothing that was asked for shows any"
    assert server.leftovers() == []


def test_settings_reach_the_engine(client, server, clip):
    client.predict(handle_file(clip), 16, 0.8, ["swin_tiny_mean"], False, api_name="/analyze")
    settings = server.engine.seen[0][2]
    assert (settings.n_frames, settings.face_confidence) == (16, 0.8)
    assert (settings.models, settings.explain) == (("swin_tiny_mean",), False)


@pytest.mark.parametrize("sound", ["aac", "wavpack"])
def test_the_html_report_and_the_annotated_video_come_along_when_asked(client, server, tmp_path, sound):
    clip = media_factory.portrait_clip(tmp_path / "clip.mkv", n_frames=8, audio=True, audio_codec=sound)
    report, media = make_report(n_people=1), open_media(clip, Limits())
    counts = replace(report.frames, size=(media.width, media.height))
    server.engine.report = replace(report, media=media, frames=counts)
    answer = client.predict(handle_file(clip), html=True, video=True, api_name="/analyze")
    assert server.engine.pictures
    html, film = answer["files"]["clip.tbd.html"], answer["files"]["clip.tbd.mp4"]
    assert media.sha256 in base64.b64decode(html.removeprefix("data:text/html;base64,")).decode()
    assert base64.b64decode(film.removeprefix("data:video/mp4;base64,"))[4:8] == b"ftyp"
    assert answer["sound_missing"] == (sound == "wavpack")
    assert server.leftovers() == []


@pytest.mark.parametrize("extra", [[], ["swin_tiny_mean"]])
def test_ticks_on_the_page_ask_for_default_or_for_names(server, extra):
    ticked = [*registry.resolve(["default"]), *extra]
    (press,) = (fn.fn for fn in server.blocks.fns.values() if fn.name == "on_analyze")
    example = uploads.stage(EXAMPLES / "no_face.mp4")
    upload = [{"path": str(example), "orig_name": example.name, "meta": {"_type": "gradio.FileData"}}]
    deque(press(upload, 32, 0.9, ticked, True, True, False), maxlen=0)
    assert server.engine.seen[0][2].models == (tuple(ticked) if extra else ("default",))
    assert server.leftovers() == []


def test_what_could_not_be_sent_whole_is_deleted(server):
    (press,) = (fn.fn for fn in server.blocks.fns.values() if fn.name == "on_analyze")
    example = uploads.stage(EXAMPLES / "no_face.mp4")
    sent = [{"path": str(example), "orig_name": example.name}]
    *_, last = press({"sent": sent, "problem": "413"}, 32, 0.9, ["default"], True, True, False)
    assert texts.UPLOAD_FAILED in str(last)
    assert server.engine.seen == []
    assert server.leftovers() == []


def test_a_refused_file_gives_code_and_message(client, server, clip, refused):
    server.engine.error = refused
    with pytest.raises(AppError, match=f"not_media: {refused.message}"):
        client.predict(handle_file(clip), api_name="/analyze")
    assert server.leftovers() == []


@pytest.mark.parametrize("n_frames", [7, 65, "many", None])
def test_a_bad_setting_gives_code_and_message(client, server, clip, n_frames):
    with pytest.raises(AppError, match="bad_setting: "):
        client.predict(handle_file(clip), n_frames, api_name="/analyze")
    assert server.leftovers() == []


def test_an_unforeseen_error_is_not_spelled_out_but_cleaned_up(client, server, clip):
    server.engine.error = RuntimeError("/secret/path")
    with pytest.raises(AppError) as error:
        client.predict(handle_file(clip), api_name="/analyze")
    assert "/secret/path" not in str(error.value)
    assert server.leftovers() == []


@pytest.mark.parametrize(
    "file",
    [
        None,
        "/etc/hostname",
        {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/hostname"},
    ],
)
def test_no_file_of_the_server_can_be_named(server, file):
    assert "event: error" in _call(server.url, file)
    assert server.engine.seen == []


def test_an_address_is_refused_before_anything_is_fetched(server):
    address = {"path": "http://example.invalid/clip.mp4", "meta": {"_type": "gradio.FileData"}}
    answer = _call(server.url, address)
    assert texts.NO_URLS in answer
    assert server.engine.seen == []


def test_an_upload_over_the_limit_is_refused(server):
    files = {"files": ("big.mp4", b"\0" * 2_100_000)}
    assert httpx.post(f"{server.url}gradio_api/upload", files=files).status_code == 413
    assert server.leftovers() == []


def test_the_page_keeps_and_sends_nothing(server):
    blocks = server.blocks
    assert blocks.analytics_enabled is False
    assert blocks.allowed_paths == []
    assert blocks.delete_cache is not None
    assert blocks.run_history is False


def test_private_events_are_private_and_the_queue_is_bounded(server):
    public = [fn.api_name for fn in server.blocks.fns.values() if fn.api_visibility != "private"]
    assert public == ["analyze"]
    assert server.blocks._queue.max_size == 20


@pytest.mark.parametrize("flag", [None, "1"])
def test_mcp_is_off_unless_asked_for_and_then_has_the_one_tool(flag, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k != "TBD_MCP"})
    assert launch_options(build_page(SteeredEngine()))["mcp_server"] is False
    if flag is None:
        return
    pytest.importorskip("mcp")
    monkeypatch.setenv("TBD_MCP", flag)
    with serve(SteeredEngine(), tmp_path) as with_mcp:
        schema = httpx.get(f"{with_mcp.url}gradio_api/mcp/schema").json()
        assert [tool["name"].split("_")[-1] for tool in schema] == ["analyze"]
        assert "signs of manipulation" in schema[0]["description"]


def test_the_page_loads_without_torch():
    code = "import sys, tbd_app.web.page as p; p.build_page(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
