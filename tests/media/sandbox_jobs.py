"""Jobs that misbehave, for test_sandbox.py; apart from it so that the child need not import pytest."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tbd_app.errors import TooLong


def echo(*, limits, shapes, value):
    return {"value": value, "timeout": limits.decode_timeout_s}, [
        np.full(s, i, np.uint8) for i, s in enumerate(shapes)
    ]


def whoami(*, limits):
    return {"pid": os.getpid()}, ()


def modules(*, limits):
    return {"modules": list(sys.modules)}, ()


def print_and_echo(*, limits):
    print("noise from a library")
    os.write(1, b"and from C\n")
    return {"ok": True}, [np.zeros((2, 2, 3), np.uint8)]


def raise_too_long(*, limits):
    raise TooLong("Too long by far.", limit=10, value=20.5)


def bug(*, limits):
    return {}[0]


def crash(*, limits):
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(*, limits):
    time.sleep(600)


def burn(*, limits):
    while True:
        pass


def hog(*, limits):
    return {"bytes": len(bytearray(int(limits.decode_memory_mb * 1e6) + 1))}, ()


def read_file(*, limits, path):
    return {"pid": os.getpid(), "path": path, "bytes": [len(Path(path).read_bytes()) for _ in range(2)]}, ()


def picture_of(*, limits, path):
    return {"pid": os.getpid()}, [np.zeros((2, 2, 3), np.uint8)]


def environment(*, limits):
    return dict(os.environ), ()


def use_rights(*, limits, parent, folder, outside, port):
    """Tries each right that a decoder does not need; `{name: "refused" or what came of it}`."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(16)

    def call(number, *args):
        if libc.syscall(number, *args) < 0:
            raise OSError(ctypes.get_errno(), "")

    tries = {
        "read a file": lambda: Path(outside).read_bytes(),
        "list a folder": lambda: os.listdir(folder),
        "read the parent's memory": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
        "read the parent's environment": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
        "write a file": lambda: Path(folder, "new").write_bytes(b"x"),
        "delete a file": lambda: os.unlink(outside),
        "rename a file": lambda: os.rename(outside, f"{outside}2"),
        "make a folder": lambda: os.mkdir(f"{folder}/new"),
        "make a link": lambda: os.symlink(outside, f"{folder}/link"),
        "empty a file": lambda: os.truncate(outside, 0),
        "change a mode": lambda: os.chmod(outside, 0o600),
        "open a socket": lambda: socket.socket(),
        "open a local socket": lambda: socket.socket(socket.AF_UNIX),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 1),
        "fork": os.fork,
        "start a program": lambda: os.execv(sys.executable, ["python"]),  # noqa: S606
        "signal the parent": lambda: os.kill(parent, 0),
        "signal everybody": lambda: os.kill(-1, 0),
        "trace the parent": lambda: call(101 if platform.machine() == "x86_64" else 117, 16, parent, 0, 0),
        "copy the parent's memory": lambda: call(
            310 if platform.machine() == "x86_64" else 270, parent, buffer, 1, buffer, 1, 0
        ),
        "leave the name space": lambda: call(272 if platform.machine() == "x86_64" else 97, 0x10000000),
        "become another user": lambda: os.setuid(12345),
    }
    out = {}
    for name, attempt in tries.items():
        try:
            out[name] = repr(attempt())
        except OSError as error:
            out[name] = "refused" if error.errno in (errno.EPERM, errno.EACCES) else repr(error)
    thread = threading.Thread(target=out.update, args=({"start a thread": "refused"},))
    thread.start()
    thread.join()
    return out, ()


def too_many_bytes(*, limits):
    side = int((limits.max_decoded_mb * 1e6 / 3) ** 0.5) + 2
    return {}, [np.zeros((side, side, 3), np.uint8)]


def wrong_shape(*, limits):
    return {}, [np.zeros((4, 4), np.uint8)]


def lying_probe(*, limits, path, format_name):
    said = json.loads(Path(path).read_bytes()[8:])
    return {k: v for k, v in said.items() if k not in ("indices", "times_s")}, ()


def lying_decode(*, limits, path, format_name, n_frames, n, index):
    return json.loads(Path(path).read_bytes()[8:]), [np.zeros((24, 32, 3), np.uint8)]


def say(*, limits, text):
    """Past the protocol: straight to whatever the child holds open."""
    for fd in range(3, 20):
        try:
            os.write(fd, text.encode() + b"\n")
        except OSError:
            continue
    os._exit(0)
