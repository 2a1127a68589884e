"""Loads the real page with many clients at once, good and hostile files mixed, and writes the table of docs/security.md.

python benchmarks/soak.py                          50 clients, 10 minutes; with --minutes 30 the slope of memory shows
python benchmarks/soak.py --clients 8 --minutes 1 --no-write

Each file is sent once by itself first: what is answered then, a report or a code, must be answered under load, too.
Afterwards the server is killed, started again and ended, and its folder must be empty. The command fails where one of this
does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import httpx
import numpy as np
import psutil

from benchmarks.rest import growth
from tests import hostile
from training.evaluation.marked import replaced

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "security.md"
MARKS = ("<!-- soak: begin, written by benchmarks/soak.py -->", "<!-- soak: end -->")
GOOD = 0.5  # share of requests with a file that can be judged
PAGE_SHARE = 0.3  # of these are pressed on the page by a new visitor each
LARGEST = 300_000  # bytes of a hostile file that is sent again and again
SLOW = ("GIF: 1,500 large frames", "WebP: 400 large frames")  # each would hold the place for a minute
SAMPLE_S = 0.5
WARM_UP = 0.3  # of the time, before the slope of memory is taken
MAX_SLOPE = 1.0  # MiB a minute
START_S = 300.0  # a busy machine is slow to load the models
BUSY = "busy"


@dataclass(frozen=True)
class File:
    """A file with its name, and the codes that are right answers; "ok" for a report."""

    name: str
    content: bytes
    answers: frozenset[str] = frozenset({hostile.OK})


@dataclass
class Counts:
    """What all clients saw; kinds are "report", "page", "code", "busy" and "fault"."""

    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    by_client: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


class Server:
    """The page in a process of its own, with its uploads below a folder."""

    def __init__(self, folder: Path) -> None:
        self.uploads = folder / "uploads"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        env = os.environ | {
            "GRADIO_TEMP_DIR": str(self.uploads),
            "TBD_FEEDBACK_DIR": str(folder / "feedback"),
            "GRADIO_SERVER_PORT": str(port),
            "TBD_REQUESTS_PER_MINUTE": "1000000",  # all clients have one address here
        }
        command = [sys.executable, str(ROOT / "app.py")]
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)  # noqa: S603
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}healthz", timeout=5).status_code == httpx.codes.OK:
                    return
            time.sleep(0.2)
        self.process.kill()
        sys.exit("The page did not start.")

    def button(self) -> int:
        """The number of the event by which the page analyses."""
        events = httpx.get(f"{self.url}config", timeout=60).json()["dependencies"]
        return next(event["id"] for event in events if event["api_name"] == "on_analyze")

    def memory_mib(self) -> float:
        """Of the server alone: its decoders come and go."""
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.process.wait(60)

    def left(self) -> list[str]:
        """Files below its folder, but for its lock."""
        return [f for _, _, files in os.walk(self.uploads) for f in files if f != ".lock"]


def files(folder: Path) -> tuple[list[File], list[File]]:
    """Good files and hostile ones."""
    good = [File(p.name, p.read_bytes()) for p in sorted((ROOT / "examples").glob("*.mp4"))]
    bad = []
    for name, case in hostile.CASES.items():
        content = case.make(folder)
        if len(content) <= LARGEST and name not in SLOW:
            bad.append(File(f"{name}.bin", content, case.answers))
    return good, bad


def ask(url: str, file: File, button: int | None = None) -> tuple[str, str]:
    """One upload and analysis: a kind and what was said.

    Args:
        button: the number of the page's own event, pressed by a visitor of its own; None calls the HTTP interface.
    """
    with httpx.Client(base_url=url, timeout=600) as client:
        sent = client.post("gradio_api/upload", files={"files": (file.name, file.content)})
        if sent.status_code != httpx.codes.OK:
            return _refused(sent, "upload")
        data = {"path": sent.json()[0], "orig_name": file.name, "meta": {"_type": "gradio.FileData"}}
        if button is not None:
            return _visited(client, data, button)
        body = {"data": [data, 8, 0.9, ["default"], False, False, False, False]}
        asked = client.post("gradio_api/call/analyze", json=body)
        if asked.status_code != httpx.codes.OK:
            return _refused(asked, "call")
        return said(client.get(f"gradio_api/call/analyze/{asked.json()['event_id']}").text)


def _visited(client: httpx.Client, data: dict[str, object], button: int) -> tuple[str, str]:
    session = {"session_hash": secrets.token_hex(8)}
    body = {"data": [[data], 8, 0.9, ["default"], True, False, False], "fn_index": button}
    asked = client.post("gradio_api/queue/join", json=body | session)
    if asked.status_code != httpx.codes.OK:
        return _refused(asked, "page")
    events = client.get("gradio_api/queue/data", params=session).text
    return ("page", "") if "tbd-headline" in events else ("fault", f"page: {events[-200:]}")


def _refused(answer: httpx.Response, what: str) -> tuple[str, str]:
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # the queue is full
        return BUSY, ""
    return "fault", f"{what} {answer.status_code}: {answer.text[:100]}"


def said(events: str) -> tuple[str, str]:
    """The last event of an answer, as `ask` says it."""
    event, _, data = events.strip().rpartition("event: ")[2].partition("\ndata: ")
    if event == "complete":
        report = json.loads(data)[0]
        report |= {"timings_s": None, "made_at": ""}
        return "report", json.dumps(report, sort_keys=True)
    text = str(json.loads(data)) if event == "error" else ""
    code = text.removeprefix("{'error': ").strip("\"'{}").partition(":")[0]
    return ("code", code) if code.replace("_", "").isalpha() and code.islower() else ("fault", events[-200:])


def client(
    number: int, url: str, button: int, pools: tuple[list[File], list[File]], expected: dict[str, tuple[str, str]],
    until: float, counts: Counts, lock: threading.Lock,
) -> None:  # fmt: skip
    """Asks until the time is over; who finds no place comes again a second later."""
    rng = random.Random(number)  # noqa: S311
    while time.monotonic() < until:
        good = rng.random() < GOOD
        file, on_page = rng.choice(pools[not good]), good and rng.random() < PAGE_SHARE
        start = time.monotonic()
        try:
            kind, text = ask(url, file, button if on_page else None)
        except httpx.HTTPError as error:
            kind, text = "fault", type(error).__name__
        with lock:
            counts.kinds[kind] += 1
            if kind == "fault":
                counts.faults[text] += 1
            elif kind != BUSY:
                counts.by_client[number] += 1
                counts.seconds.append(time.monotonic() - start)
                if not on_page and (kind, text) != expected[file.name]:
                    counts.faults[f"{file.name}: another answer than alone"] += 1
        time.sleep(1 if kind == BUSY else 0)


def watched(server: Server, until: float) -> Iterator[tuple[float, float]]:
    """(minutes, MiB) from now until a time."""
    start = time.monotonic()
    while time.monotonic() < until:
        yield (time.monotonic() - start) / 60, server.memory_mib()
        time.sleep(SAMPLE_S)


def soak(n_clients: int, minutes: float, folder: Path) -> tuple[str, list[str]]:
    """The table, and what did not hold."""
    pools = files(folder)
    server = Server(folder)
    button = server.button()
    shown = [ask(server.url, file, button) for file in pools[0]]  # maps take memory that calls do not
    expected = {file.name: ask(server.url, file) for pool in pools for file in pool}
    wrong = [
        f"{file.name}: {expected[file.name][1][:80]}"
        for pool in pools
        for file in pool
        if (hostile.OK if expected[file.name][0] == "report" else expected[file.name][1]) not in file.answers
    ]
    wrong += [text for kind, text in shown if kind != "page"]
    counts, lock = Counts(), threading.Lock()
    until = time.monotonic() + minutes * 60
    arguments = (server.url, button, pools, expected, until, counts, lock)
    threads = [threading.Thread(target=client, args=(n, *arguments), daemon=True) for n in range(n_clients)]
    for thread in threads:
        thread.start()
    memory = np.array(list(watched(server, until)))
    for thread in threads:
        thread.join(600)
    level, slope, low, high = growth(memory[memory[:, 0] >= WARM_UP * minutes])
    left_idle = settled(server)
    server.end(signal.SIGKILL)
    again = Server(folder)
    left_killed = settled(again)
    again.end(signal.SIGTERM)
    left_ended = again.left()
    wrong += [f"{n} x {text}" for text, n in counts.faults.most_common(10)]
    wrong += [f"memory grows by {slope:.1f} MiB a minute"] * (slope > MAX_SLOPE)
    wrong += [
        f"{len(left)} files left {when}"
        for left, when in ((left_idle, "when idle"), (left_killed, "after a kill and a start"), (left_ended, "at the end"))
        if left
    ]  # fmt: skip
    shares = [counts.by_client[n] for n in range(n_clients)]
    rows = {
        "clients, minutes": f"{n_clients}, {minutes:g}",
        "different files": f"{len(pools[0])} good, {len(pools[1])} hostile",
        "answered": f"{counts.kinds['report']} reports, {counts.kinds['page']} pages, {counts.kinds['code']} codes",
        "found no place and came again": str(counts.kinds[BUSY]),
        "answers that were not those of a lone visitor, or none": str(sum(counts.faults.values())),
        "answers of one client": f"{min(shares)} to {max(shares)}",
        "seconds to an answer, median and 95 %": " and ".join(
            f"{q:.1f}" for q in np.quantile(counts.seconds or [0], [0.5, 0.95])
        ),
        "memory after the warm-up": f"{level:.0f} MiB, {slope:+.2f} ({low:+.2f} to {high:+.2f}) MiB a minute",
        "files left: idle, after kill and start, after the end": f"{len(left_idle)}, {len(left_killed)}, {len(left_ended)}",
    }
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    load = f"{os.cpu_count()} cores of {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    return "\n".join([*lines, "", f"Measured {time.strftime('%Y-%m-%d')}, {load}."]), wrong


def settled(server: Server) -> list[str]:
    """Files that are left once a running deletion had its time."""
    for _ in range(100):
        if not (left := server.left()):
            break
        time.sleep(0.1)
    return left


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--no-write", action="store_true")
    config = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tbd-soak-") as folder:
        table, wrong = soak(config.clients, config.minutes, Path(folder))
    if wrong:
        table += "\n\nDid not hold: " + "; ".join(wrong) + "."
    print(table)
    if not config.no_write:
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), MARKS, table), encoding="utf-8")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
