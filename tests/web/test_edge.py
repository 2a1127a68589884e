"""What a stranger may not do to the page, to its disk, or to another visitor."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
import time

import httpx
import pytest

from tbd_app.errors import BadSetting, NoRoom
from tbd_app.settings import Edge as Settings
from tbd_app.web import intake, uploads
from tbd_app.web.edge import Edge, Rate, Waiting

PICTURE = b"\xff\xd8\xff\xe0" + bytes(100)


def put(url: str, content: bytes = PICTURE, name: str = "same.jpg") -> httpx.Response:
    return httpx.post(f"{url}gradio_api/upload", files={"files": (name, content)})


def ask(url: str, path: str, models: object = ("default",)) -> str:
    """The events of one call that analyses an upload."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = {"data": [file, 8, 0.9, models, False, False, False, True]}
    started = httpx.post(f"{url}gradio_api/call/analyze", json=data, timeout=60)
    if started.status_code != 200:
        return started.text
    return httpx.get(f"{url}gradio_api/call/analyze/{started.json()['event_id']}", timeout=60).text


def test_the_same_file_from_several_visitors_at_once_gives_each_a_report(server):
    names = [put(server.url).json()[0] for _ in range(4)]
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(ask(server.url, n))) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 4
    assert ["event: complete" in answer for answer in answers] == [True] * 4
    assert server.leftovers() == []


def test_an_upload_has_a_name_that_only_its_visitor_knows(server):
    name = put(server.url).json()[0]
    token = name.split("/")[0]
    assert len(token) > 25
    for guess in (
        str(server.temp_dir / name),
        "/etc/hostname",
        f"{token}/../{name}",
        "",
        token,
        "0/same.jpg",
    ):
        assert "event: error" in ask(server.url, guess)
    assert (server.temp_dir / name).exists()
    assert "event: complete" in ask(server.url, name)
    assert server.leftovers() == []


def test_no_answer_says_where_things_lie(server):
    name = put(server.url).json()[0]
    texts = [name, ask(server.url, "/etc/hostname"), ask(server.url, name)]
    texts += [httpx.get(f"{server.url}{path}").text for path in ("", "config", "gradio_api/info")]
    texts.append(httpx.get(f"{server.url}gradio_api/file=/etc/hostname").text)
    here = (str(server.temp_dir), str(uploads.Path(__file__).parents[2]), str(uploads.Path.home()))
    assert [place for place in here if any(place in text for text in texts)] == []


def test_an_upload_that_breaks_off_leaves_nothing(server):
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    head = b'--XB\r\nContent-Disposition: form-data; name="files"; filename="half.mp4"\r\n\r\n'
    with socket.create_connection((host, int(port))) as half:
        half.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1500000\r\n"
            "Content-Type: multipart/form-data; boundary=XB\r\n\r\n".encode()
        )
        half.sendall(head + bytes(500_000))
        for _ in range(100):
            if any(server.temp_dir.glob("upload-*/*")):
                break
            time.sleep(0.05)
        assert any(server.temp_dir.glob("upload-*/*"))
    assert server.leftovers() == []
    assert list(server.temp_dir.glob("upload-*")) == []


def test_an_upload_without_a_name_or_a_form_is_the_clients_fault(server):
    body = b'--XB\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\nx\r\n--XB--\r\n'
    form = {"content-type": "multipart/form-data; boundary=XB"}
    for content, headers in ((body, form), (b"x", {}), (b"", form), (body[:40], form)):
        answer = httpx.post(f"{server.url}gradio_api/upload", content=content, headers=headers)
        assert answer.status_code == 400, answer.text
    assert server.leftovers() == []


def test_a_full_disk_is_a_code_and_leaves_nothing(server, monkeypatch):
    def full(*_: object) -> None:
        raise NoRoom("No room.")

    monkeypatch.setattr(uploads, "require_room", full)
    answer = put(server.url)
    assert (answer.status_code, answer.json()["detail"]) == (507, "no_room: No room.")

    async def breaks_off(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.undo()
    monkeypatch.setattr(intake, "_kept", breaks_off)
    assert put(server.url).status_code == 507
    assert server.leftovers() == []


def test_room_is_what_the_disk_and_the_operator_leave(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "waits").write_bytes(bytes(1_000_000))
    uploads.require_room(1_000_000, Settings(stored_uploads_mb=2.5, spare_disk_mb=1))
    with pytest.raises(NoRoom):
        uploads.require_room(2_000_000, Settings(stored_uploads_mb=2.5, spare_disk_mb=1))
    with pytest.raises(NoRoom):
        uploads.require_room(1, Settings(spare_disk_mb=1e12))


def test_room_is_counted_while_others_delete_their_uploads(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            folder = uploads.new_folder()
            (folder / "0").mkdir()
            (folder / "0" / "clip.mp4").write_bytes(b"clip")
            shutil.rmtree(folder)

    others = [threading.Thread(target=come_and_go) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(2000):
            uploads.require_room(10, Settings(spare_disk_mb=1))
    finally:
        over.set()
        for other in others:
            other.join()


def test_what_nobody_claims_is_swept_and_what_is_worked_on_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, new = uploads.new_folder(), uploads.new_folder()
    os.utime(old, (0, 0))
    waiting = uploads.new_folder()
    (waiting / "a.jpg").write_bytes(PICTURE)
    with uploads.claimed({"path": f"{waiting.name}/a.jpg"}) as (upload,):
        os.utime(upload.path.parent, (0, 0))
        uploads.sweep()
        assert upload.path.exists()
        assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("models", [["default"] * 101, [["default"]], ["x" * 101]])
def test_an_endless_list_of_models_is_refused_before_any_work(server, models):
    name = put(server.url).json()[0]
    assert "bad_setting" in ask(server.url, name, models)
    assert server.engine.seen == []
    assert server.leftovers() == []


def test_names_that_are_repeated_count_once(server):
    ask(server.url, put(server.url).json()[0], ["default"] * 50)
    assert server.engine.seen[0][2].models == ("default",)


def test_a_long_body_and_a_way_past_the_queue_are_closed(server):
    long = httpx.post(f"{server.url}gradio_api/call/analyze", content=b"[" * 1_000_001)
    assert long.status_code == 413
    past = httpx.post(f"{server.url}gradio_api/run/analyze", json={"data": []})
    assert past.status_code == 404


def test_who_leaves_gives_the_place_free(server):
    server.engine.go.clear()
    waiting = server.blocks.waiting
    now = [1000.0]
    waiting.clock = lambda: now[0]
    file = {"path": put(server.url).json()[0], "meta": {"_type": "gradio.FileData"}}
    data = {"data": [file, 8, 0.9, ["default"], False, False, False, True]}
    httpx.post(f"{server.url}gradio_api/call/analyze", json=data)  # and nobody asks for the answer
    for _ in range(200):
        if server.engine.seen:
            break
        time.sleep(0.05)
    now[0] += 31
    assert server.engine.closed.wait(60)
    assert server.leftovers() == []
    waiting.clock = time.monotonic


def test_who_finds_no_place_leaves_no_file(server, monkeypatch):
    monkeypatch.setattr(server.blocks._queue, "max_size", 0)
    (path,) = put(server.url).json()
    assert server.leftovers(1) != []
    assert "Queue is full" in ask(server.url, path)
    assert server.leftovers() == []


def test_every_answer_carries_the_headers(server):
    for path in ("", "healthz", "gradio_api/info", "nowhere"):
        headers = httpx.get(f"{server.url}{path}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "object-src 'none'" in headers["content-security-policy"]


def test_frames_are_allowed_by_a_variable(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert "https://huggingface.co" in Settings.from_env().frame_ancestors
    monkeypatch.setenv("TBD_FRAME_ANCESTORS", "https://example.org")
    assert Settings.from_env().frame_ancestors == "https://example.org"
    monkeypatch.setenv("TBD_FRAME_ANCESTORS", "'self'; script-src *")
    with pytest.raises(BadSetting):
        Settings.from_env()


async def _hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def _statuses(settings: Settings, *requests: tuple) -> list[int]:
    async def all_of_them() -> list[int]:
        transport = httpx.ASGITransport(app=Edge(_hello, settings, 1000, Waiting()))
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return [(await client.request(*args, auth=auth)).status_code for *args, auth in requests]

    return asyncio.run(all_of_them())


def test_a_password_stands_before_everything_but_the_health_check():
    right, wrong = ("anybody", "open"), ("anybody", "opex")
    requests = [("GET", "/", None), ("GET", "/", wrong), ("GET", "/", right), ("GET", "/healthz", None)]
    requests += [("POST", "/gradio_api/upload", None), ("POST", "/gradio_api/call/analyze", wrong)]
    assert _statuses(Settings(password="open"), *requests) == [401, 401, 200, 200, 401, 401]  # noqa: S106
    assert _statuses(Settings(), *requests[:1]) == [200]


def test_metrics_are_shown_only_where_the_operator_asks():
    assert _statuses(Settings(metrics=True), ("GET", "/metrics", None)) == [200]
    from tbd_app.web import metrics

    metrics.failed("not_media")
    metrics.judged("fake", {"faces": 1.5})
    page = metrics.page().decode()
    assert 'tbd_errors_total{code="not_media"}' in page
    assert 'tbd_stage_seconds_sum{stage="faces"}' in page
    assert "process_resident_memory_bytes" in page or sys.platform != "linux"


def test_one_client_has_a_rate_and_others_are_not_held_up():
    rate = Rate(3)
    assert [rate.admits("a", 0) for _ in range(4)] == [True, True, True, False]
    assert rate.admits("b", 0)
    assert [rate.admits("a", 20), rate.admits("a", 20)] == [True, False]
    post = ("POST", "/gradio_api/call/analyze", None)
    assert _statuses(Settings(requests_per_minute=2), post, post, post, ("GET", "/", None)) == [
        200,
        200,
        429,
        200,
    ]


def test_an_answer_is_in_vain_only_when_nobody_reads_it_for_long():
    now = [0.0]
    waiting, event, session = Waiting(lambda: now[0]), "e" * 32, "a-session"
    now[0] = 31
    assert waiting.in_vain(event, 0)
    assert not waiting.in_vain(event, 10)
    assert not waiting.in_vain(session, 0)  # read by an event that is not known here
    waiting.come(session)
    now[0] = 100
    assert not waiting.in_vain(session, 0)
    waiting.go(session)
    assert not waiting.in_vain(session, 0)
    now[0] = 131
    assert waiting.in_vain(session, 0)
