"""The other side of `sandbox`: the child process, from its start to its one answer."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import sys
import threading
from collections.abc import Sequence

import numpy as np

from tbd_app import errors
from tbd_app.settings import Limits


class Shelf:
    """Memory that the parent shares: arrays lie on it end to end.

    Args:
        memory: file descriptor.
    """

    def __init__(self, memory: int) -> None:
        self.bytes = np.frombuffer(mmap.mmap(memory, os.fstat(memory).st_size), np.uint8)
        self.used = 0

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Lay an array down, while there is room, and return it as it lies there."""
        if self.used + array.size > self.bytes.size:
            return array
        place = self.bytes[self.used : self.used + array.size].reshape(array.shape)
        place[:] = array
        self.used += array.size
        return place

    def place(self, array: np.ndarray) -> int:
        """Where an array lies; one that is not here yet is laid down.

        Raises:
            MemoryError: there is no room.
        """
        if not np.may_share_memory(array, self.bytes):
            array = self.keep(array)
        if not np.may_share_memory(array, self.bytes):
            raise MemoryError
        return array.ctypes.data - self.bytes.ctypes.data


_shelf: Shelf | None = None


def keep(array: np.ndarray) -> np.ndarray:
    """For jobs: lay an array (H,W,3) uint8 where the parent sees it, instead of copying all at the end.

    Returns:
        The array in its place; the same array where no memory is shared.
    """
    return _shelf.keep(array) if _shelf else array


def start_over() -> None:
    """For jobs: nothing that was kept so far belongs to the answer."""
    if _shelf:
        _shelf.used = 0


def main() -> None:
    """One order from stdin, one answer on stdout. Arguments: the module of the jobs, the shared memory's descriptor."""
    global _shelf
    # Libraries that print must not break the protocol.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = importlib.import_module(sys.argv[1])
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)  # nobody needs it any more
    order = json.loads(line)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    limits = Limits(**order["limits"])
    arrays: Sequence[np.ndarray] = ()
    try:
        _confine(limits)
        _shelf = Shelf(int(sys.argv[2])) if len(sys.argv) > 2 else None
        info, arrays = getattr(jobs, order["job"])(limits=limits, **order["args"])
        header = {"info": info, "shapes": [a.shape for a in arrays]}
        if _shelf:
            header["places"] = [_shelf.place(a) for a in arrays]
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
    if not _shelf:
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
