"""The same small job on many pictures, on as many threads as torch has; OpenCV resizes one picture on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def each(job: Callable[..., T], *columns: Iterable[object]) -> list[T]:
    """`job` of each row of the columns, as the built-in `map`, in order.

    Raises:
        Exception: the first that a job raised.
    """
    rows = list(zip(*columns, strict=True))
    threads = min(torch.get_num_threads(), len(rows))
    if threads < 2:
        return [job(*row) for row in rows]
    with ThreadPoolExecutor(threads, "tbd-pictures") as pool:
        return list(pool.map(lambda row: job(*row), rows))
