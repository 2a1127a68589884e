"""The Ray engine: files are read by actors on CPUs and judged by actors on GPUs or CPUs, on one machine or many.

Ray Data moves frames between them, holds readers back while judges are busy, and repeats what a dead worker had. The journal
stays with the process that calls; it alone says what is done.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from tbd_app.errors import BadSetting, InputError

try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError as error:
    raise BadSetting("Ray is not installed: pip install 'tbd-deepfakes[scale]'.") from error

from tbd_app.media.open import identify
from tbd_app.scan import analysis as analyses
from tbd_app.scan.journal import Journal, Task
from tbd_app.scan.local import Show, give_up_or_wait
from tbd_app.scan.sources import at_hand, name_of
from tbd_app.settings import AnalysisSettings, Limits

AT_ONCE = 100_000  # files that one run of Ray Data is given; models are loaded once in it
ROWS_A_BLOCK = 4  # what is repeated when a worker dies
REPEATS = 1  # of a block whose worker died, within one run


def run(
    journal: Journal,
    settings: AnalysisSettings,
    analysis: str,
    workers: int | None,
    address: str | None,
    show: Show,
) -> None:
    """Work until no file waits.

    Args:
        analysis: name of the module; see `analysis`. Every machine of the cluster must have it, the files and the weights.
        workers: judging actors at most; by default one a GPU, or as many as there are CPUs.
        address: of the cluster; None starts one on this machine, unless this process has one already.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(
                address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING
            )
        except (ConnectionError, ValueError) as error:
            raise BadSetting(f"Ray cannot be reached at {address or 'this machine'}: {error}") from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        context.max_errored_blocks = -1  # files whose worker died again and again wait again, and then alone
        while tasks := _next(journal):
            careful = bool(tasks[0].deaths)
            _go_through(journal, tasks, settings, analysis, workers, careful, show)
    finally:
        if ours:
            ray.shutdown()


def _next(journal: Journal) -> list[Task]:
    """Files that wait: first those of which no worker died, then the others."""
    last, found, suspects = 0, [], []
    while len(found) < AT_ONCE and (page := journal.waiting(last)):
        last = page[-1].id
        for task in page:
            (suspects if task.deaths else found).append(task)
    return found or suspects


def _go_through(
    journal: Journal,
    tasks: Sequence[Task],
    settings: AnalysisSettings,
    analysis: str,
    workers: int | None,
    careful: bool,
    show: Show,
) -> None:
    """One run of Ray Data over some files.

    Args:
        careful: one file at a time for each actor, so that its death says which file it had.
    """
    crew = _Crew.of(ray.cluster_resources(), settings.device, workers)
    keeper: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Contents)
    contents = keeper.remote()
    known = journal.contents()
    while page := list(islice(known, AT_ONCE)):
        ray.get(contents.know.remote(page))
    limits = replace(settings.limits, decode_threads=1)
    shared = {"settings": replace(settings, limits=limits), "analysis": analysis}
    items = [{"id": task.id, "path": os.fsencode(task.path)} for task in tasks]
    n_blocks = len(items) if careful else math.ceil(len(items) / ROWS_A_BLOCK)
    each: dict[str, Any] = {
        "num_cpus": crew.cpus_each,
        "max_restarts": -1,
        "max_task_retries": REPEATS,
    }

    def at_most(actors: int) -> ray.data.ActorPoolStrategy:
        in_flight = 1 if careful else None
        return ray.data.ActorPoolStrategy(
            min_size=1, max_size=actors, max_tasks_in_flight_per_actor=in_flight
        )

    data: Any = ray.data.from_items(items, override_num_blocks=n_blocks)
    data = data.map(
        _Reader,
        fn_constructor_kwargs=shared | {"contents": contents},
        compute=at_most(crew.readers),
        **each,
    )
    data = data.map(
        _Judge,
        fn_constructor_kwargs=shared,
        compute=at_most(crew.judges),
        num_gpus=crew.gpus_each,
        **each,
    )
    open_tasks = {task.id: task for task in tasks}
    n_files, waiting = journal.count()
    show(waiting, n_files)
    for row in data.iter_rows():
        _take(journal, row)
        open_tasks.pop(row["id"], None)
        waiting -= 1
        show(waiting, n_files)
    looking: Any = ray.remote(num_cpus=0)(_identity)
    for task in open_tasks.values():
        path = os.fsencode(task.path)
        give_up_or_wait(
            journal, task, deque(), lambda path=path: ray.get(looking.remote(path, settings.limits))
        )


def _identity(path: bytes, limits: Limits) -> dict[str, str | int | None]:
    """What is known of a file without analysing it; nothing, where it cannot be read."""
    try:
        with at_hand(os.fsdecode(path), None, limits) as file:
            seen = identify(file, limits)
    except InputError:
        return {}
    return {"sha256": seen.sha256, "bytes": seen.bytes}


def _take(journal: Journal, row: dict[str, Any]) -> None:
    if row["first"] != row["id"]:
        journal.copy(row["id"], row["sha256"], row["bytes"], row["first"])
        return
    known = {"sha256": row["sha256"], "bytes": row["bytes"]} if row["sha256"] else {}
    journal.write(row["id"], json.loads(row["answer"]), row["seconds"], **known)


@dataclass(frozen=True, slots=True)
class _Crew:
    """How many actors of each kind there are at most, and what each takes of a machine."""

    readers: int
    judges: int
    cpus_each: float
    gpus_each: float

    @classmethod
    def of(cls, resources: Mapping[str, float], device: str, workers: int | None) -> _Crew:
        cpus, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0)) if device != "cpu" else 0
        return cls(
            readers=max(cpus - 1, 1),
            judges=workers or gpus or max(cpus - 1, 1),
            cpus_each=1.0 if cpus > 1 else 0.5,  # one of each kind must fit
            gpus_each=1.0 if gpus else 0.0,
        )


class _Contents:
    """An actor that knows which file was the first with some bytes."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def know(self, found: Iterable[tuple[str, int]]) -> None:
        for sha256, number in found:
            self._first.setdefault(sha256, number)

    def first(self, sha256: str, number: int) -> int:
        """The number of the first file with these bytes, which is this one when there was none."""
        return self._first.setdefault(sha256, number)


@dataclass(frozen=True, slots=True)
class _Box:
    """Any value in a column, so that Ray keeps it as it is."""

    value: Any


class _Reader:
    """An actor that fetches and reads files."""

    def __init__(self, settings: AnalysisSettings, analysis: str, contents: Any) -> None:
        self.settings, self.engine, self.contents = settings, analyses.load(analysis), contents

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        path, start = os.fsdecode(row["path"]), time.perf_counter()
        out = row | {"sha256": "", "bytes": 0, "first": row["id"], "error": "", "read": _Box(None)}

        def work() -> dict[str, Any]:
            with at_hand(path, None, self.settings.limits) as file:
                seen = identify(file, self.settings.limits)
                first = ray.get(self.contents.first.remote(seen.sha256, row["id"]))
                out.update(sha256=seen.sha256, bytes=seen.bytes, first=first)
                if first == row["id"]:
                    out["read"] = _Box(self.engine.read(file, self.settings))
            return {}

        if error := analyses.answered(work, name_of(path), passed_on=(ray.exceptions.RayError,)):
            out["error"] = json.dumps(error)
        return out | {"seconds": time.perf_counter() - start}


class _Judge:
    """An actor that holds models and judges what was read."""

    def __init__(self, settings: AnalysisSettings, analysis: str) -> None:
        self.settings, self.engine = settings, analyses.load(analysis)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        name, start, answer = name_of(os.fsdecode(row["path"])), time.perf_counter(), row["error"]
        if not answer and row["first"] == row["id"]:
            read = row["read"].value
            answer = json.dumps(analyses.answered(lambda: self.engine.judge(read, self.settings, name), name))
        kept = {key: row[key] for key in ("id", "sha256", "bytes", "first")}
        return kept | {"answer": answer, "seconds": row["seconds"] + time.perf_counter() - start}
