"""Runs a function that parses untrusted bytes in a short-lived child process with little memory and time.

A job is a plain function `job(limits=..., **args) -> (info, arrays)`: JSON in, JSON and (H,W,3) uint8 arrays
out. The child gets it on stdin and answers on stdout with one JSON line; the arrays lie in memory that both
share, or follow as raw bytes where the system has none. Nothing that it says is ever unpickled or trusted. It
may not write files, and dies with its parent.

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
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from tbd_app import errors
from tbd_app.media import answers
from tbd_app.settings import Limits

Answer = tuple[dict[str, Any], Sequence[np.ndarray]]
MAX_HEADER_BYTES = 4 << 20
CHILD = "from tbd_app.media.confined import main; main()"


def run(job: Callable[..., Answer], limits: Limits, **args: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Run `job(limits=limits, **args)` in a child process and wait for it.

    Args:
        job: module-level function of this package; its arguments must survive JSON.

    Returns:
        The job's info and its arrays, (H,W,3) uint8, at most `limits.max_decoded_mb` in all.

    Raises:
        TBDError: what the job raised, as the same class.
        DecodeTimeout: `limits.decode_timeout_s` passed.
        CorruptMedia: the child crashed, ran out of memory or answered nonsense.
    """
    child = _waiting(job.__module__)
    late = threading.Event()

    def stop() -> None:
        late.set()
        child.process.kill()

    timer = threading.Timer(limits.decode_timeout_s, stop)
    timer.daemon = True
    timer.start()
    try:
        child.order({"job": job.__name__, "limits": asdict(limits), "args": args}, limits)
        _leave_one(job.__module__)
        return child.answer(limits)
    except (_Broken, OSError):
        child.end()
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
            **os.environ,
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
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-P", "-c", CHILD, module, *map(str, shared)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            pass_fds=shared,
        )

    def order(self, order: dict[str, Any], limits: Limits) -> None:
        stdin = self.process.stdin
        if stdin is None:
            raise _Broken
        if self.memory is not None:
            os.ftruncate(self.memory, int(limits.max_decoded_mb * 1e6))  # only what is written takes memory
        # Stays open: its end tells the child that nobody waits any more.
        stdin.write(json.dumps(order).encode() + b"\n")
        stdin.flush()

    def answer(self, limits: Limits) -> tuple[dict[str, Any], list[np.ndarray]]:
        stdout = self.process.stdout
        line = stdout.readline(MAX_HEADER_BYTES) if stdout else b""
        if stdout is None or not line.endswith(b"\n"):
            raise _Broken
        try:
            header = json.loads(line)
            if "error" in header:
                _raise_again(**answers.error_fields(header["error"]))
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
        self.process.kill()
        self.process.wait()  # nothing changes the pictures any more
        return info, _arrays(self.memory, shapes, places)

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.process.kill()
        with contextlib.suppress(OSError), self.process:  # an order that it never read is still in the pipe
            pass
        if self.memory is not None:
            os.close(self.memory)
            self.memory = None


class _Broken(Exception):
    """The child stopped talking, or did not keep to the protocol."""


_lock = threading.Lock()
_spare: _Child | None = None


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


def _raise_again(code: str, message: str, limit: float | None = None, value: float | None = None) -> NoReturn:
    kinds = (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.InputError))
    classes = {c.code: c for c in kinds}
    raise classes.get(code, errors.CorruptMedia)(message, limit=limit, value=value)
