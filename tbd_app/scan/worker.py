"""A worker process of the local engine: orders on stdin, answers on stdout, one JSON line each.

First comes what all orders share; the worker answers `{"ready": true}`. Then for each order `{"path"}` it says `{"sha256",
"bytes"}`, hears `{"score": true|false}`, and, where it shall score or the file cannot be read, says `{"answer", "seconds"}`.
It ends with its parent.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tbd_app.media.open import identify
from tbd_app.scan import analysis
from tbd_app.scan.sources import at_hand, name_of
from tbd_app.settings import AnalysisSettings, Limits
from tbd_app.trust import TrustList


def main() -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # libraries that print must not break the protocol
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(lines,), daemon=True).start()

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def hear() -> dict[str, Any]:
        return json.loads(lines.get())

    shared = hear()
    settings = settings_from(shared["settings"])
    engine = analysis.load(shared["analysis"])
    say({"ready": True})
    while True:
        path = hear()["path"]
        start = time.perf_counter()

        def work(path: str = path) -> dict[str, Any]:
            with at_hand(path, Path(shared["folder"]), settings.limits) as file:
                seen = identify(file, settings.limits)
                say({"sha256": seen.sha256, "bytes": seen.bytes})
                if not hear()["score"]:
                    return {}
                return engine.judge(engine.read(file, settings), settings, name_of(path))

        if answer := analysis.answered(work, name_of(path)):
            say({"answer": answer, "seconds": time.perf_counter() - start})


def _hear(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(1)  # whoever gave the orders is gone


def settings_from(fields: dict[str, Any]) -> AnalysisSettings:
    """Settings from the dict that `dataclasses.asdict` makes of them, perhaps by way of JSON."""
    trust = TrustList(**fields["trust"]) if fields["trust"] else None
    limits = Limits(**fields["limits"])
    return AnalysisSettings(**fields | {"models": tuple(fields["models"]), "limits": limits, "trust": trust})
