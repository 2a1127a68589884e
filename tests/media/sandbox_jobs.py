"""Jobs that misbehave, for test_sandbox.py; apart from it so that the child need not import pytest."""

from __future__ import annotations

import json
import os
import signal
import sys
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


def tell_and_hang(*, limits, path):
    pipe = os.open(path, os.O_WRONLY)
    os.write(pipe, str(os.getpid()).encode())
    os.close(pipe)
    time.sleep(600)


def burn(*, limits):
    while True:
        pass


def hog(*, limits):
    return {"bytes": len(bytearray(int(limits.decode_memory_mb * 1e6) + 1))}, ()


def write_file(*, limits, path):
    Path(path).write_bytes(b"x" * 100)
    return {}, ()


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
