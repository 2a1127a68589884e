"""The other side of `sandbox`: the child process, from its start to its one answer."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from tbd_app import errors
from tbd_app.media import rights
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
_layers: rights.Layers = {}


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


def layers(*, limits: Limits) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """Sandbox job: which layers hold this process; see `rights`."""
    return dict(_layers), ()


def main() -> None:
    """One order, one answer. Arguments: the module of the jobs, the parent's process, the shared memory's descriptor.

    The order comes on stdin, a socket: "f" with the open file as its descriptor or "-", then a line of JSON. The answer
    goes to stdout.
    """
    global _shelf
    # Libraries that print must not break the protocol.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = importlib.import_module(sys.argv[1])
    _layers.update(rights.rest(int(sys.argv[2])))
    orders, file = _next_order()
    line = orders.readline()
    if not line:
        os._exit(0)  # nobody needs it any more
    order = json.loads(line)
    limits, args = Limits(**order["limits"]), order["args"]
    if file is not None:
        args["path"] = f"/proc/self/fd/{file}"
    arrays: Sequence[np.ndarray] = ()
    try:
        _shelf = Shelf(int(sys.argv[3])) if len(sys.argv) > 3 else None
        _layers.update(rights.give_up(limits, order["cpu_s"], file))
        threading.Thread(target=_die_with_parent, args=(orders,), daemon=True).start()
        info, arrays = getattr(jobs, order["job"])(limits=limits, **args)
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


def _next_order() -> tuple[BinaryIO, int | None]:
    """Waits for an order: where it can be read, and the descriptor of the file that it is about."""
    if not hasattr(socket, "recv_fds"):  # Windows, where it is a pipe
        sys.stdin.buffer.read(1)
        return sys.stdin.buffer, None
    channel = socket.socket(fileno=0)
    _, files, _, _ = socket.recv_fds(channel, 1, 1)
    return channel.makefile("rb"), files[0] if files else None


def _die_with_parent(orders: BinaryIO) -> None:
    while orders.read(1):
        pass
    os._exit(1)
