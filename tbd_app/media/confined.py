"""The other side of `sandbox`: the child process, from its start to its last answer."""

from __future__ import annotations

import importlib
import json
import math
import mmap
import os
import socket
import sys
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from types import ModuleType
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

    def room(self, shape: tuple[int, ...]) -> np.ndarray | None:
        """An array to be filled; None where there is no room."""
        size = math.prod(shape)
        if self.used + size > self.bytes.size:
            return None
        self.used += size
        return self.bytes[self.used - size : self.used].reshape(shape)

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Lay an array down, while there is room, and return it as it lies there."""
        if (place := self.room(array.shape)) is None:
            return array
        place[:] = array
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


def room(shape: tuple[int, ...]) -> np.ndarray:
    """For jobs: an array (H,W,3) uint8 to be filled, where the parent sees it."""
    place = _shelf.room(shape) if _shelf else None
    return np.empty(shape, np.uint8) if place is None else place


def start_over() -> None:
    """For jobs: nothing that was kept so far belongs to the answer."""
    if _shelf:
        _shelf.used = 0


def layers(*, limits: Limits) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """Sandbox job: which layers hold this process; see `rights`."""
    return dict(_layers), ()


def main() -> None:
    """Orders about one file, an answer to each. Arguments: the jobs' module, the parent's process, the shared memory.

    The first order comes on stdin, a socket: "f" with the open file as its descriptor or "-", then a line of JSON; each that
    follows is such a line. The answers go to stdout.
    """
    global _shelf
    # Libraries that print must not break the protocol.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = importlib.import_module(sys.argv[1])
    _layers.update(rights.rest(int(sys.argv[2])))
    orders, file = _first_order()
    line = orders.readline()
    if not line:
        os._exit(0)  # nobody needs it any more
    order = json.loads(line)
    try:
        _shelf = Shelf(int(sys.argv[3])) if len(sys.argv) > 3 else None
        _layers.update(rights.give_up(Limits(**order["limits"]), order["cpu_s"], file))
    except Exception as error:
        _answer(answer, {"error": _damaged(error).to_dict()})
        os._exit(1)
    following: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_take_orders, args=(orders, following), daemon=True).start()
    while True:
        start_over()
        _answer(answer, *_done(jobs, order, file))
        order = json.loads(following.get())


def _done(
    jobs: ModuleType, order: dict[str, Any], file: int | None
) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """The header of the answer to an order, and its arrays."""
    limits, args = Limits(**order["limits"]), order["args"]
    if file is not None:
        args["path"] = f"/proc/self/fd/{file}"
    try:
        info, arrays = getattr(jobs, order["job"])(limits=limits, **args)
        header = {"info": info, "shapes": [a.shape for a in arrays]}
        if _shelf:
            header["places"] = [_shelf.place(a) for a in arrays]
    except errors.TBDError as error:
        return {"error": error.to_dict()}, ()
    except MemoryError:
        message = f"Decoding needs more than {limits.decode_memory_mb:g} MB of memory."
        return {"error": errors.CorruptMedia(message, limit=limits.decode_memory_mb).to_dict()}, ()
    except Exception as error:  # parsers meet hostile bytes here: whatever they raise, the file is at fault
        return {"error": _damaged(error).to_dict()}, ()
    return header, arrays


def _damaged(error: Exception) -> errors.CorruptMedia:
    # Not its text, which may name paths of this machine.
    return errors.CorruptMedia(f"The file is damaged: it could not be decoded ({type(error).__name__}).")


def _answer(stream: BinaryIO, header: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    stream.write(json.dumps(header).encode() + b"\n")
    if not _shelf:
        for array in arrays:
            stream.write(np.ascontiguousarray(array, dtype=np.uint8).data)
    stream.flush()


def _first_order() -> tuple[BinaryIO, int | None]:
    """Waits for an order: where it can be read, and the descriptor of the file that it is about."""
    if not hasattr(socket, "recv_fds"):  # Windows, where it is a pipe
        sys.stdin.buffer.read(1)
        return sys.stdin.buffer, None
    channel = socket.socket(fileno=0)
    _, files, _, _ = socket.recv_fds(channel, 1, 1)
    return channel.makefile("rb"), files[0] if files else None


def _take_orders(orders: BinaryIO, following: SimpleQueue[bytes]) -> None:
    """Hands on what the parent asks next, and ends this process with it."""
    while line := orders.readline():
        following.put(line)
    os._exit(1)
