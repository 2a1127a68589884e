"""The server forgets what it showed, and answers that nobody fetches."""

from __future__ import annotations

import time

import httpx

from tbd_app.types import Report
from tbd_app.web.private import KEEP_ANSWER_S
from tests.web.test_edge import ask, put

DATA = (8, 0.9, ["default"], False, False, False, True)


def start(url: str) -> str:
    """The event of a call that nobody listens to."""
    file = {"path": put(url).json()[0], "meta": {"_type": "gradio.FileData"}}
    return httpx.post(f"{url}gradio_api/call/analyze", json={"data": [file, *DATA]}).json()["event_id"]


def press(server, session: str) -> str:
    """The button of the page: the events that its browser gets."""
    (number,) = (i for i, fn in server.blocks.fns.items() if fn.name == "on_analyze")
    sent = [{"path": put(server.url).json()[0], "meta": {"_type": "gradio.FileData"}}]
    body = {
        "data": [sent, 32, 0.9, ["default"], True, True, False],
        "fn_index": number,
        "session_hash": session,
    }
    httpx.post(f"{server.url}gradio_api/queue/join", json=body).raise_for_status()
    return httpx.get(f"{server.url}gradio_api/queue/data", params={"session_hash": session}, timeout=60).text


def until(condition) -> bool:
    return any(condition() or time.sleep(0.05) for _ in range(200))


def test_a_call_leaves_no_session_behind(server):
    before = set(server.blocks.state_holder.session_data)
    assert "event: complete" in ask(server.url, put(server.url).json()[0])
    assert until(lambda: set(server.blocks.state_holder.session_data) == before)


def test_of_what_a_page_showed_only_the_report_is_kept_and_that_without_pictures(server):
    assert "data:image" in press(server, "a-page")
    state = server.blocks.state_holder.session_data["a-page"]
    assert state.config_values == {}
    assert all(state.blocks_config.blocks[i] is server.blocks.blocks[i] for i in server.blocks.blocks)
    values = [item for value in state.state_data.values() for item in value]
    (report,) = [item for item in values if isinstance(item, Report)]
    assert (report.snapshots, report.explanations) == ((), ())
    assert [person.thumbnail.size for person in report.people] == [0] * len(report.people)
    assert report.people


def test_a_result_cannot_be_written_to_the_disk_for_a_link(server):
    press(server, "a-page")
    for path in ("gradio_api/deep_link", "gradio_api/deep_link/"):
        answer = httpx.get(f"{server.url}{path}", params={"session_hash": "a-page"}, follow_redirects=True)
        assert answer.status_code == 404
    assert server.leftovers() == []


def test_an_answer_that_nobody_fetches_is_dropped_in_time(server):
    blocks, now = server.blocks, [time.monotonic()]
    queue = blocks._queue
    blocks.waiting.clock = lambda: now[0]
    left = start(server.url)
    assert until(lambda: left not in queue.event_ids_to_events)
    assert left in queue.pending_messages_per_session
    now[0] += KEEP_ANSWER_S + 1
    later = start(server.url)
    assert until(lambda: later not in queue.event_ids_to_events)
    assert left not in queue.pending_messages_per_session
    assert left not in queue.pending_event_ids_session
    events = httpx.get(f"{server.url}gradio_api/call/analyze/{later}", timeout=60).text
    assert "event: complete" in events
    blocks.waiting.clock = time.monotonic
