"""A confined process as its parent sees it: started, given orders, its answers checked, ended. See `sandbox`."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from tbd_app.media import answers
from tbd_app.settings import Limits

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


_starters: dict[int, ThreadPoolExecutor] = {}


@dataclass(frozen=True, slots=True)
class About:
    """What all orders of one child have in common."""

    device: int
    inode: int
    n_bytes: int
    changed_ns: int
    module: str
    limits: Limits
    budget_s: float
    owner: int

    @classmethod
    def of(cls, file: int, module: str, limits: Limits, budget_s: float) -> About:
        s = os.fstat(file)
        return cls(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, module, limits, budget_s, os.getpid())


class Child:
    """A process that has imported `module` and waits for an order, and then for others about the same file.

    Attributes:
        memory: file descriptor of the memory that both share, or None.
        about: what it was kept for after its first job.
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
        self.about: About | None = None
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
        """Send an order; the file goes with the first one."""
        if self.memory is not None:
            os.ftruncate(self.memory, int(limits.max_decoded_mb * 1e6))  # only what is written takes memory
        line = json.dumps(order).encode() + b"\n"
        # Both stay open: their end tells the child that nobody waits any more.
        if self.channel is not None:
            if self.about is None:
                socket.send_fds(
                    self.channel, [b"-" if file is None else b"f"], [] if file is None else [file]
                )
            self.channel.sendall(line)
        elif self.process.stdin is not None:
            self.process.stdin.write(b"-" + line)
            self.process.stdin.flush()

    def answer(self, limits: Limits) -> tuple[dict[str, Any], list[np.ndarray]]:
        stdout = self.process.stdout
        line = stdout.readline(MAX_HEADER_BYTES) if stdout else b""
        if stdout is None or not line.endswith(b"\n"):
            raise Broken
        try:
            header = json.loads(line)
            if "error" in header:
                answers.raise_again(header["error"])
            info, shapes = dict(header["info"]), [(h, w, c) for h, w, c in header["shapes"]]
            places = list(header.get("places", ()))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Broken from None
        if any(type(number) is not int for number in (*chain(*shapes), *places)):
            raise Broken
        fits = sum(h * w * c for h, w, c in shapes) <= limits.max_decoded_mb * 1e6
        if not fits or any(c != 3 or min(h, w) < 1 for h, w, c in shapes):
            raise Broken
        if not shapes:
            return info, []
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


class Broken(Exception):
    """The child stopped talking, or did not keep to the protocol."""


def _starter() -> ThreadPoolExecutor:
    """The one thread that starts children: to the kernel, the thread that started a child is what it dies with."""
    return _starters.get(os.getpid()) or _starters.setdefault(
        os.getpid(), ThreadPoolExecutor(1, "tbd-sandbox")
    )


def _arrays(memory: int, shapes: Sequence[tuple[int, int, int]], places: Sequence[int]) -> list[np.ndarray]:
    """Arrays at these places of the shared memory, which is freed with the last of them."""
    if len(places) != len(shapes):
        raise Broken
    if not shapes:
        return []
    size = os.fstat(memory).st_size
    if any(not 0 <= at <= size - math.prod(shape) for at, shape in zip(places, shapes, strict=True)):
        raise Broken
    # Private: whoever draws on a picture draws on a copy of its pages.
    shared = mmap.mmap(memory, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    return [np.ndarray(shape, np.uint8, shared, at) for at, shape in zip(places, shapes, strict=True)]


def _read_array(stream: IO[bytes], shape: tuple[int, int, int]) -> np.ndarray:
    array = np.empty(shape, np.uint8)
    if stream.readinto(array.data.cast("B")) != array.size:  # type: ignore[attr-defined]
        raise Broken
    return array
