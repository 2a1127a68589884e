"""Runs a function that parses untrusted bytes in a short-lived child process with little memory and time.

A job is a plain function `job(limits=..., **args) -> (info, arrays)`: JSON in, JSON and (H,W,3) uint8 arrays
out. The child gets it on stdin and answers on stdout with one JSON line; the arrays lie in memory that both
share, or follow as raw bytes where the system has none. Nothing that it says is ever unpickled or trusted.

The file comes to it as an open descriptor. It may open nothing else but the interpreter's own files, has no network, starts
no program or process, signals nobody, writes nothing, sees few of the environment's variables, and dies with its parent
(`rights`, `syscalls`). What the kernel does not have is missing, and `tbd doctor` names it. docs/security.md says what this
does not stop.

Starting Python takes longer than most jobs, so every run leaves a child behind that waits for the next one, and has seen
no media yet. A child serves one file: all jobs on it, until one answers with pictures, which nobody may change any more.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from tbd_app import errors
from tbd_app.media import regular, waiting
from tbd_app.media.child import About, Broken
from tbd_app.media.waiting import close as close
from tbd_app.media.waiting import start_later as start_later
from tbd_app.settings import Limits

Answer = tuple[dict[str, Any], Sequence[np.ndarray]]


def run(
    job: Callable[..., Answer],
    limits: Limits,
    *,
    path: str | None = None,
    cpu_s: float | None = None,
    **args: Any,
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Run `job(limits=limits, **args)` in a child process and wait for it.

    Args:
        job: module-level function of this package; its arguments must survive JSON.
        path: the one file that it may open; the job gets a path that leads to it.
        cpu_s: seconds of all its threads together; by default `limits.decode_cpu_s` and one for each MB of the file.

    Returns:
        The job's info and its arrays, (H,W,3) uint8, at most `limits.max_decoded_mb` in all.

    Raises:
        TBDError: what the job raised, as the same class.
        FileMissing: there is no such file, or it is none.
        DecodeTimeout: `limits.decode_timeout_s` or `cpu_s` passed.
        CorruptMedia: the child crashed, ran out of memory or answered nonsense.
    """
    with regular.handed(path) as file:
        n_bytes = 0 if file is None else os.fstat(file).st_size
        budget_s = cpu_s or limits.decode_cpu_s + n_bytes / 1e6
        order = {"job": job.__name__, "limits": asdict(limits), "cpu_s": budget_s}
        order["args"] = args if path is None else {"path": path, **args}
        about = None if file is None else About.of(file, job.__module__, limits, budget_s)
        return _run(job.__module__, limits, order, file, about)


def _run(
    module: str, limits: Limits, order: dict[str, Any], file: int | None, about: About | None
) -> tuple[dict[str, Any], list[np.ndarray]]:
    child = waiting.take(about) or waiting.spare(module)
    kept: About | None = None  # what it may wait for
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(limits.decode_timeout_s, stop)
    timer.daemon = True
    timer.start()
    try:
        child.order(order, limits, file)
        waiting.leave_one(module)
        info, arrays = child.answer(limits)
        kept = None if arrays else about
        return info, arrays
    except (Broken, OSError):
        child.end()
        if child.process.returncode == -getattr(signal, "SIGXCPU", 0):
            raise errors.DecodeTimeout(
                f"Decoding took more than {order['cpu_s']:.0f} s of the processor, too much for a file of this size.",
                limit=round(order["cpu_s"], 1),
            ) from None
        if late.is_set():
            raise errors.DecodeTimeout(
                f"Decoding took longer than {limits.decode_timeout_s:g} s.",
                limit=limits.decode_timeout_s,
            ) from None
        raise errors.CorruptMedia(
            "The decoder crashed or ran out of memory on this file; it is damaged or made to do harm."
        ) from None
    finally:
        timer.cancel()
        if kept is not None and not late.is_set():
            waiting.keep(child, kept)
        else:
            child.end()
