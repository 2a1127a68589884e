"""The one thread on which all analyses are worked on, and how a server that runs for long keeps its memory bounded.

Gradio runs handlers, and each step of one that yields, on any of 40 threads. glibc gives threads heaps of their own, and
libraries keep working memory for each: a server that had analysed on all of them held a gigabyte that nobody used.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

Item = TypeVar("Item")
ARENAS = 2  # heaps of malloc: one for the analysis, one for the rest
_M_ARENA_MAX = -8  # of glibc's malloc.h


def few_arenas() -> bool:
    """Holds malloc to few heaps, if the operator says nothing of it; to be called before threads are started.

    Returns:
        Whether that was done; only glibc can.
    """
    if {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"} & os.environ.keys():
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_ARENA_MAX, ARENAS) == 1


class Bench:
    """A thread that works for others, who wait for it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "tbd-analysis")

    def begin(self, work: Callable[[], None]) -> None:
        """Do this, and do not wait for it."""
        self._thread.submit(work)

    def stream(self, start: Callable[..., Generator[Item]], *args: Any, **kwargs: Any) -> Generator[Item]:
        """The items of a generator, each made on the thread in the caller's context; closing it closes that one."""
        context = copy_context()

        def do(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return self._thread.submit(context.run, work, *args, **kwargs).result()

        made = do(start, *args, **kwargs)
        try:
            while (item := do(next, made, None)) is not None:
                yield item
        finally:
            do(made.close)
