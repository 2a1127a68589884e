"""One thread works for many, and a server that runs for long holds little memory that nobody uses."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from contextvars import ContextVar

import pytest

from tbd_app.web.bench import Bench

said = ContextVar("said", default="")
HEAPS = """
import ctypes, threading
from tbd_app.web import bench
print(bench.few_arenas(), flush=True)
met = threading.Barrier(9)
def work():
    kept = [bytes(1000) for _ in range(100)]
    met.wait()
    met.wait()
for _ in range(8):
    threading.Thread(target=work).start()
met.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
met.wait()
"""


def names(n: int):
    try:
        for _ in range(n):
            yield threading.current_thread().name, said.get()
    finally:
        ended.append(threading.current_thread().name)


ended: list[str] = []


def test_all_work_is_done_on_one_thread_in_the_callers_context():
    bench, seen = Bench(), []

    def ask(word: str) -> None:
        said.set(word)
        seen.extend(bench.stream(names, 2))

    callers = [threading.Thread(target=ask, args=(word,)) for word in ("one", "two")]
    for caller in callers:
        caller.start()
        caller.join()
    assert [word for _, word in seen] == ["one", "one", "two", "two"]
    assert len({name for name, _ in seen}) == 1
    assert seen[0][0] != threading.current_thread().name


def test_who_stops_early_stops_the_work_there_and_a_fault_arrives():
    bench = Bench()
    ended.clear()
    stream = bench.stream(names, 1000)
    name, _ = next(stream)
    stream.close()
    assert ended == [name]

    def broken():
        yield 1
        raise KeyError("a fault")

    with pytest.raises(KeyError, match="a fault"):
        list(bench.stream(broken))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has these heaps")
@pytest.mark.parametrize(("given", "done"), [({}, "True"), ({"MALLOC_ARENA_MAX": "7"}, "False")])
def test_threads_share_few_heaps_unless_the_operator_chose(given, done):
    env = {k: v for k, v in os.environ.items() if k not in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")} | given
    command = [sys.executable, "-c", HEAPS]
    answer, *heaps = subprocess.check_output(command, env=env, text=True).splitlines()
    n_heaps = sum(line.startswith("<heap nr") for line in heaps)
    assert answer == done
    assert n_heaps <= 2 if not given else n_heaps > 2
