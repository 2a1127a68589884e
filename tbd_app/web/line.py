"""Analyses wait here for their turn, first come, first served, and each knows how many are before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

POLL_S = 0.5


class Line:
    """One analysis at a time has its turn."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []

    @contextmanager
    def joined(self) -> Iterator[Ticket]:
        """A place at the end, given up at the end of the block, whether its turn came or not."""
        ticket = Ticket(self)
        with self._changed:
            self._waiting.append(ticket)
        try:
            yield ticket
        finally:
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def before(self, ticket: Ticket) -> int:
        """How many are before a ticket; 0 when it is its turn."""
        with self._changed:
            return self._waiting.index(ticket)

    def wait(self, seconds: float) -> None:
        """Until somebody leaves, at most so long."""
        with self._changed:
            self._changed.wait(seconds)


class Ticket:
    """A place in the line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def before(self) -> Iterator[int]:
        """How many are before this one, again and again until it is its turn."""
        while n := self._line.before(self):
            yield n
            self._line.wait(POLL_S)
