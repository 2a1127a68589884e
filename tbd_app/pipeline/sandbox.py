"""Runs a function that parses untrusted bytes in a short-lived child process with little memory and time.

A job is a plain function `job(limits=..., **args) -> (info, arrays)`: JSON in, JSON and (H,W,3) uint8 arrays
out. The child gets it on stdin and answers on stdout with one JSON line, then the raw bytes of the arrays:
nothing that it says is ever unpickled or trusted. It may not write files, and dies with its parent.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from tbd_app import errors
from tbd_app.settings import Limits

Answer = tuple[dict[str, Any], Sequence[np.ndarray]]
MAX_HEADER_BYTES = 4 << 20
PIPE_BYTES = 1 << 20  # frames pass through it: the usual 64 KiB cost as much time as the decoding


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
    order = {"job": [job.__module__, job.__name__], "limits": asdict(limits), "args": args}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tbd_app.pipeline.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        pipesize=PIPE_BYTES,
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limits.decode_timeout_s, stop)
    timer.daemon = True
    timer.start()
    with process:
        try:
            return _converse(process, order, limits)
        except (_Broken, OSError):
            process.kill()
            process.wait()
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
            process.kill()


class _Broken(Exception):
    """The child stopped talking, or did not keep to the protocol."""


def _converse(process: subprocess.Popen[bytes], order: dict[str, Any], limits: Limits) -> tuple:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise _Broken
    # Stays open: its end tells the child that nobody waits any more.
    stdin.write(json.dumps(order).encode() + b"\n")
    stdin.flush()
    line = stdout.readline(MAX_HEADER_BYTES)
    if not line.endswith(b"\n"):
        raise _Broken
    try:
        header = json.loads(line)
        if "error" in header:
            _raise_again(**header["error"])
        info, shapes = dict(header["info"]), [(int(h), int(w), int(c)) for h, w, c in header["shapes"]]
    except (ValueError, KeyError, TypeError):
        raise _Broken from None
    fits = sum(h * w * c for h, w, c in shapes) <= limits.max_decoded_mb * 1e6
    if not fits or any(c != 3 or min(h, w) < 1 for h, w, c in shapes):
        raise _Broken
    return info, [_read_array(stdout, shape) for shape in shapes]


def _read_array(stream: IO[bytes], shape: tuple[int, int, int]) -> np.ndarray:
    array = np.empty(shape, np.uint8)
    if stream.readinto(array.data.cast("B")) != array.size:  # type: ignore[attr-defined]
        raise _Broken
    return array


def _raise_again(code: str, message: str, limit: float | None = None, value: float | None = None) -> NoReturn:
    kinds = (c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.TBDError))
    classes = {c.code: c for c in kinds}
    raise classes.get(code, errors.CorruptMedia)(message, limit=limit, value=value)


def _main() -> None:
    """The child: one order from stdin, one answer on stdout."""
    # Libraries that print must not break the protocol.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    limits = Limits(**order["limits"])
    arrays: Sequence[np.ndarray] = ()
    try:
        module, name = order["job"]
        job = getattr(importlib.import_module(module), name)
        _confine(limits)
        info, arrays = job(limits=limits, **order["args"])
        header = {"info": info, "shapes": [a.shape for a in arrays]}
    except errors.TBDError as error:
        header = {"error": error.to_dict()}
    except MemoryError:
        message = f"Decoding needs more than {limits.decode_memory_mb:g} MB of memory."
        header = {"error": errors.CorruptMedia(message, limit=limits.decode_memory_mb).to_dict()}
    except Exception as error:  # parsers meet hostile bytes here: whatever they raise, the file is at fault
        # Not its text, which may name paths of this machine.
        message = f"The file is damaged: it could not be decoded ({type(error).__name__})."
        header = {"error": errors.CorruptMedia(message).to_dict()}
    answer.write(json.dumps(header).encode() + b"\n")
    for array in arrays:
        answer.write(np.ascontiguousarray(array, dtype=np.uint8).data)
    answer.flush()
    os._exit(0)  # at once: a normal end would wait for decoder threads and for the one that reads stdin


def _die_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def _confine(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the only bound
        return
    memory = int(limits.decode_memory_mb * 1e6)
    cpu = int(limits.decode_timeout_s * (os.cpu_count() or 1)) + 1
    for what, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        soft = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(what, (soft, soft))


if __name__ == "__main__":
    _main()
