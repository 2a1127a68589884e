"""The local engine: worker processes of this machine, each with its own models; one that dies is replaced."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tbd_app.errors import WorkerDied
from tbd_app.report import to_json
from tbd_app.scan.journal import Journal, Task
from tbd_app.scan.machine import Plan
from tbd_app.scan.sources import name_of
from tbd_app.settings import AnalysisSettings

CHILD = "from tbd_app.scan.worker import main; main()"
MAX_DEATHS = 2  # a file that ended so many workers is given up
Show = Callable[[int, int], None]  # hears how many files wait, and how many are listed


def run(
    journal: Journal, settings: AnalysisSettings, analysis: str, plan: Plan, folder: Path, show: Show
) -> None:
    """Work until no file waits.

    Args:
        analysis: name of the module; see `analysis`.
        folder: for files that are fetched; exists.

    Raises:
        WorkerDied: a worker cannot even start.
    """
    crew = _Crew(journal, settings, analysis, plan, folder, show)
    try:
        while journal.waiting(0, 1):  # again, where copies of a file that went missing wait again
            crew.go_through()
    finally:
        crew.end()


class _Worker:
    """A process with at most one task.

    Attributes:
        ready: it has started well.
    """

    def __init__(self, number: int, shared: dict[str, Any], environment: dict[str, str]) -> None:
        self.number, self.task, self.ready = number, None, False
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )
        self.task: Task | None
        self.say(shared)

    def say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # it is dead, which `hear` says
            if self.process.stdin:
                self.process.stdin.write(json.dumps(message).encode() + b"\n")
                self.process.stdin.flush()

    def hear(self) -> dict[str, Any] | None:
        """Its next message, None when it is dead. It never says two things unasked, so nothing waits in the buffer."""
        line = self.process.stdout.readline() if self.process.stdout else b""
        return json.loads(line) if line.endswith(b"\n") else None

    def end(self) -> int:
        """Kill it and wait; returns the signal or the code with which it ended."""
        self.process.kill()
        with suppress(OSError), self.process:
            pass
        return abs(self.process.returncode)


@dataclass(slots=True)
class _Crew:
    journal: Journal
    settings: AnalysisSettings
    analysis: str
    plan: Plan
    folder: Path
    show: Show
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    again: deque[Task] = field(default_factory=deque)
    waiting: int = 0
    files: int = 0

    def go_through(self) -> None:
        """Hand out every file that waits, once, and wait for all answers."""
        self.files, self.waiting = self.journal.count()
        self.show(self.waiting, self.files)
        tasks = self._tasks()
        for number in range(min(self.plan.workers, self.waiting) - len(self.selector.get_map())):
            self._start(number)
        for worker in self._workers():
            if worker.ready:
                self._give(worker, tasks)
        while any(worker.task or not worker.ready for worker in self._workers()):
            for key, _ in self.selector.select():
                self._serve(key.data, tasks)

    def end(self) -> None:
        """Ends every worker."""
        for worker in self._workers():
            worker.end()
        self.selector.close()

    def _workers(self) -> list[_Worker]:
        return [key.data for key in self.selector.get_map().values()]

    def _tasks(self) -> Iterator[Task]:
        last = 0
        while page := self.journal.waiting(last):
            last = page[-1].id
            yield from page

    def _start(self, number: int) -> None:
        limits = replace(self.settings.limits, decode_threads=self.plan.threads)
        shared = {
            "settings": asdict(replace(self.settings, limits=limits)),
            "analysis": self.analysis,
            "folder": str(self.folder),
        }
        worker = _Worker(number, shared, self.plan.environment(number))
        if worker.process.stdout:
            self.selector.register(worker.process.stdout, selectors.EVENT_READ, worker)

    def _give(self, worker: _Worker, tasks: Iterator[Task]) -> None:
        worker.task = self.again.popleft() if self.again else next(tasks, None)
        if worker.task:
            worker.say({"path": worker.task.path})

    def _serve(self, worker: _Worker, tasks: Iterator[Task]) -> None:
        """Take one message of a worker, or its death."""
        message, task = worker.hear(), worker.task
        if message is None:
            self._bury(worker)
        elif task is None:
            worker.ready = True
            self._give(worker, tasks)
        elif "sha256" in message:
            first = self.journal.claim(task.id, message["sha256"], message["bytes"])
            worker.say({"score": first})
            if not first:
                self._done(worker, tasks)
        else:
            self.journal.write(task.id, message["answer"], message["seconds"])
            self._done(worker, tasks)

    def _done(self, worker: _Worker, tasks: Iterator[Task]) -> None:
        self.waiting -= 1
        self.show(self.waiting, self.files)
        self._give(worker, tasks)

    def _bury(self, worker: _Worker) -> None:
        if worker.process.stdout:
            self.selector.unregister(worker.process.stdout)
        code = worker.end()
        if not worker.ready:
            raise WorkerDied(
                f"A worker process ended before its first file (code {code}); see the lines above."
            )
        if worker.task:
            give_up_or_wait(self.journal, worker.task, self.again)
        self._start(worker.number)


def give_up_or_wait(
    journal: Journal,
    task: Task,
    again: deque[Task],
    known: Callable[[], dict[str, str | int | None]] = lambda: {},
) -> None:
    """What becomes of the file of a worker that died: it waits again, or it is an error.

    Args:
        known: its sha256 and bytes, where the journal has them not; asked when it is given up.
    """
    if journal.died(task.id) < MAX_DEATHS:
        again.append(task)
        return
    error = WorkerDied(
        f"The process that analysed it ended {MAX_DEATHS} times; too little memory is the usual reason."
    )
    journal.write(task.id, to_json.error_to_dict(name_of(task.path), error), 0.0, **known())
