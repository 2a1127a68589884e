"""Runs a function that parses untrusted bytes in a short-lived child process with little memory and time.

A job is a plain function `job(limits=..., **args) -> (info, arrays)`: JSON in, JSON and (H,W,3) uint8 arrays
out. The child gets it on stdin and answers on stdout with one JSON line; the arrays lie in memory that both
share, or follow as raw bytes where the system has none. Nothing that it says is ever unpickled or trusted.

The file comes to it as an open descriptor. It may open nothing else but the interpreter's own files, has no network, starts
no program or process, signals nobody, writes nothing, sees few of the environment's variables, and dies with its parent
(`rights`, `syscalls`). What the kernel does not have is missing, and `tbd doctor` names it. docs/security.md says what this
does not stop.

Starting Python takes longer than most jobs, so every run leaves a child behind that waits for the next one. It
has seen no media yet; a child never serves twice.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from tbd_app import errors
from tbd_app.media import answers, regular
from tbd_app.settings import Limits

Answer = tuple[dict[str, Any], Sequence[np.ndarray]]
MAX_HEADER_BYTES = 4 << 20
CHILD = "from tbd_app.media.confined import main; main()"
# Whatever else is in the environment, tokens among it, stays with the parent.
ENVIRONMENT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONHOME",
    "SYSTEMROOT",
)


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
        return _run(job.__module__, limits, order, file)


def _run(
    module: str, limits: Limits, order: dict[str, Any], file: int | None
) -> tuple[dict[str, Any], list[np.ndarray]]:
    child = _waiting(module)
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(limits.decode_timeout_s, stop)
    timer.daemon = True
    timer.start()
    try:
        child.order(order, limits, file)
        _leave_one(module)
        return child.answer(limits)
    except (_Broken, OSError):
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
        child.end()


class _Child:
    """A process that has imported `module` and waits for one order.

    Attributes:
        memory: file descriptor of the memory that both share, or None.
    """

    def __init__(self, module: str) -> None:
        root = Path(__file__).resolve().parents[2]
        env = {
            **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            "PYTHONPATH": os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH")))),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Every thread of a numeric library, and every arena of malloc, counts against the address space.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
        }
        self.module, self.owner = module, os.getpid()
        self.memory = os.memfd_create("frames") if hasattr(os, "memfd_create") else None
        shared = [] if self.memory is None else [self.memory]
        command = [sys.executable, "-P", "-c", CHILD, module, str(self.owner), *map(str, shared)]
        self.channel, theirs = socket.socketpair() if hasattr(socket, "send_fds") else (None, None)

        def start() -> subprocess.Popen[bytes]:  # our own interpreter, no shell
            return subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE if theirs is None else theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=env,
                pass_fds=shared,
                start_new_session=True,
            )

        self.process = _starter().submit(start).result()
        if theirs is not None:
            theirs.close()

    def order(self, order: dict[str, Any], limits: Limits, file: int | None) -> None:
        if self.memory is not None:
            os.ftruncate(self.memory, int(limits.max_decoded_mb * 1e6))  # only what is written takes memory
        line = json.dumps(order).encode() + b"\n"
        # Both stay open: their end tells the child that nobody waits any more.
        if self.channel is not None:
            socket.send_fds(self.channel, [b"-" if file is None else b"f"], [] if file is None else [file])
            self.channel.sendall(line)
        elif self.process.stdin is not None:
            self.process.stdin.write(b"-" + line)
            self.process.stdin.flush()

    def answer(self, limits: Limits) -> tuple[dict[str, Any], list[np.ndarray]]:
        stdout = self.process.stdout
        line = stdout.readline(MAX_HEADER_BYTES) if stdout else b""
        if stdout is None or not line.endswith(b"\n"):
            raise _Broken
        try:
            header = json.loads(line)
            if "error" in header:
                answers.raise_again(header["error"])
            info, shapes = dict(header["info"]), [(h, w, c) for h, w, c in header["shapes"]]
            places = list(header.get("places", ()))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _Broken from None
        if any(type(number) is not int for number in (*chain(*shapes), *places)):
            raise _Broken
        fits = sum(h * w * c for h, w, c in shapes) <= limits.max_decoded_mb * 1e6
        if not fits or any(c != 3 or min(h, w) < 1 for h, w, c in shapes):
            raise _Broken
        if self.memory is None:
            return info, [_read_array(stdout, shape) for shape in shapes]
        self.kill()
        self.process.wait()  # nothing changes the pictures any more
        return info, _arrays(self.memory, shapes, places)

    def kill(self) -> None:
        """End it and all of its session."""
        with contextlib.suppress(OSError):
            if self.process.returncode is None and hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        with contextlib.suppress(OSError), self.process:  # an order that it never read is still in the pipe
            pass
        if self.channel is not None:
            self.channel.close()
        if self.memory is not None:
            os.close(self.memory)
            self.memory = None


class _Broken(Exception):
    """The child stopped talking, or did not keep to the protocol."""


_lock = threading.Lock()
_spare: _Child | None = None
_starters: dict[int, ThreadPoolExecutor] = {}


def _starter() -> ThreadPoolExecutor:
    """The one thread that starts children: to the kernel, the thread that started a child is what it dies with."""
    return _starters.get(os.getpid()) or _starters.setdefault(
        os.getpid(), ThreadPoolExecutor(1, "tbd-sandbox")
    )


def _waiting(module: str) -> _Child:
    """The child that waits for a job of this module, or a new one."""
    global _spare
    with _lock:
        child, _spare = _spare, None
    if (
        child is not None
        and (child.module, child.owner) == (module, os.getpid())
        and child.process.poll() is None
    ):
        return child
    if child is not None:
        child.end()
    return _Child(module)


def _leave_one(module: str) -> None:
    """Starts the child of the next run, unless one waits already."""
    global _spare
    with _lock:
        _spare = _spare or _Child(module)


@atexit.register
def close() -> None:
    """Ends the child that waits for a next run, if there is one."""
    global _spare
    with _lock:
        child, _spare = _spare, None
    if child is not None and child.owner == os.getpid():
        child.end()


def _arrays(memory: int, shapes: Sequence[tuple[int, int, int]], places: Sequence[int]) -> list[np.ndarray]:
    """Arrays at these places of the shared memory, which is freed with the last of them."""
    if len(places) != len(shapes):
        raise _Broken
    if not shapes:
        return []
    size = os.fstat(memory).st_size
    if any(not 0 <= at <= size - math.prod(shape) for at, shape in zip(places, shapes, strict=True)):
        raise _Broken
    # Private: whoever draws on a picture draws on a copy of its pages.
    shared = mmap.mmap(memory, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    return [np.ndarray(shape, np.uint8, shared, at) for at, shape in zip(places, shapes, strict=True)]


def _read_array(stream: IO[bytes], shape: tuple[int, int, int]) -> np.ndarray:
    array = np.empty(shape, np.uint8)
    if stream.readinto(array.data.cast("B")) != array.size:  # type: ignore[attr-defined]
        raise _Broken
    return array
