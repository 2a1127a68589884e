"""What a scan has done so far, in one SQLite file: who is killed goes on from it, nothing is lost and nothing is twice."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tbd_app.errors import BadSetting, FileMissing

PAGE = 1000  # rows that are held in memory at once
# answer: the report JSON of a file, or its error. same_as: the file with the same bytes that is scored in place of this one.
TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, sha256 TEXT, bytes INTEGER, seconds REAL, answer TEXT,
    same_as INTEGER, deaths INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS contents ON files (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX IF NOT EXISTS waiting ON files (id) WHERE answer IS NULL AND same_as IS NULL;
CREATE INDEX IF NOT EXISTS copies ON files (same_as) WHERE same_as IS NOT NULL;
"""
WAITING = "answer IS NULL AND same_as IS NULL"


@dataclass(frozen=True, slots=True)
class Task:
    """A file that waits: its number in the journal, its path or address, how many workers died while they had it."""

    id: int
    path: str
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A file that is done.

    Attributes:
        path: as it was listed.
        sha256: hex digest, None where it could not be read.
        bytes: its size, None where it could not be read.
        seconds: how long reading and judging took; of a copy, that of the file that was scored.
        same_as: path of the first listed file with the same bytes, None for that file itself.
        answer: a report or an error, as `report/schema.json` describes both.
    """

    path: str
    sha256: str | None
    bytes: int | None
    seconds: float
    same_as: str | None
    answer: dict[str, Any]


class Journal:
    """One writer; opening it takes up an earlier scan, and closing it removes it where no file was listed.

    Args:
        path: the file, made where there is none.
        facts: what all rows of one scan have in common; JSON.

    Raises:
        BadSetting: another scan writes it, it was begun with other facts, or it is something else.
    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            # Exclusive before the log is opened: it then needs no memory shared between processes.
            self._db.executescript(
                "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            )
            self._db.executescript(TABLES)
        except sqlite3.OperationalError as error:
            raise BadSetting(f"{path} cannot be written, or another scan writes it: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise BadSetting(f"{path} exists and is no journal of a scan.") from error
        self._compare(facts)
        self._forget_unfinished()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        empty = self.count()[0] == 0
        self._db.close()
        if empty:
            self.path.unlink(missing_ok=True)

    def _compare(self, facts: dict[str, Any]) -> None:
        with self._transaction():
            for name, value in facts.items():
                self._db.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
        for name, text in self._db.execute("SELECT name, value FROM facts").fetchall():
            if name in facts and json.loads(text) != facts[name]:
                self._db.close()
                raise BadSetting(
                    f"{self.path} was begun with {name} {text}, and now it is {json.dumps(facts[name])}; "
                    "give another --out, or delete it to begin anew."
                )

    def _forget_unfinished(self) -> None:
        """What was known of files that were being scored when a scan was killed: they may have changed since."""
        first = "(SELECT answer FROM files AS first WHERE first.id = files.same_as)"
        with self._transaction():
            self._db.execute(
                f"UPDATE files SET same_as = NULL, sha256 = NULL WHERE same_as IS NOT NULL AND {first} IS NULL"  # noqa: S608
            )
            self._db.execute(f"UPDATE files SET sha256 = NULL WHERE sha256 IS NOT NULL AND {WAITING}")  # noqa: S608

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, paths: Iterable[str]) -> None:
        """List files; those that are listed already stay as they are."""
        rest = iter(paths)
        while page := [(os.fsencode(path),) for path in islice(rest, PAGE)]:
            with self._transaction():
                self._db.executemany("INSERT OR IGNORE INTO files (path) VALUES (?)", page)

    def count(self) -> tuple[int, int]:
        """How many files are listed, and how many of them wait."""
        n_all = self._db.execute("SELECT count(*) FROM files").fetchone()[0]
        return n_all, self._db.execute(f"SELECT count(*) FROM files WHERE {WAITING}").fetchone()[0]  # noqa: S608

    def waiting(self, after: int, limit: int = PAGE) -> list[Task]:
        """The next files that wait behind number `after`."""
        found = self._db.execute(
            f"SELECT id, path, deaths FROM files WHERE id > ? AND {WAITING} ORDER BY id LIMIT ?",  # noqa: S608
            (after, limit),
        )
        return [Task(number, os.fsdecode(path), deaths) for number, path, deaths in found]

    def contents(self) -> Iterator[tuple[str, int]]:
        """The sha256 and the number of each file that was scored."""
        last = 0
        query = "SELECT id, sha256 FROM files WHERE id > ? AND answer IS NOT NULL AND sha256 IS NOT NULL ORDER BY id LIMIT ?"
        while page := self._db.execute(query, (last, PAGE)).fetchall():
            last = page[-1][0]
            yield from ((sha256, number) for number, sha256 in page)

    def claim(self, number: int, sha256: str, n_bytes: int) -> bool:
        """Write down a file's content; True when it is to be scored, False when another with the same bytes is or was."""
        self._free("same_as = ? AND sha256 != ?", number, sha256)  # it has changed since a worker died of it
        first = self._db.execute(
            "SELECT id FROM files WHERE sha256 = ? AND same_as IS NULL AND id != ? LIMIT 1", (sha256, number)
        ).fetchone()
        self._write(number, sha256=sha256, bytes=n_bytes, same_as=first and first[0])
        return first is None

    def copy(self, number: int, sha256: str, n_bytes: int, first: int) -> None:
        """Write down that a file has the same bytes as number `first`, unless that went missing: then it waits again."""
        gone = "SELECT 1 FROM files WHERE id = ? AND answer IS NOT NULL AND sha256 IS NULL"
        if not self._db.execute(gone, (first,)).fetchone():
            self._write(number, sha256=sha256, bytes=n_bytes, same_as=first)

    def write(self, number: int, answer: dict[str, Any], seconds: float, **known: str | int | None) -> None:
        """Write down a file's report or error, at once.

        Args:
            answer: as `report/schema.json` describes it.
            seconds: how long it took.
            known: sha256 and bytes, where they are not written down yet.
        """
        gone = answer.get("error", {}).get("code") == FileMissing.code
        with self._transaction():
            if gone:  # says nothing about its copies, which wait again
                known = {"sha256": None}
                self._free("same_as = ?", number)
            self._write(number, answer=json.dumps(answer), seconds=seconds, **known)

    def died(self, number: int) -> int:
        """Write down that the worker that had this file is dead; returns how many have died of it."""
        self._db.execute("UPDATE files SET deaths = deaths + 1 WHERE id = ?", (number,))
        return self._db.execute("SELECT deaths FROM files WHERE id = ?", (number,)).fetchone()[0]

    def _free(self, where: str, *values: object) -> None:
        """Copies that wait again."""
        self._db.execute(f"UPDATE files SET same_as = NULL, sha256 = NULL WHERE {where}", values)  # noqa: S608 - our words

    def _write(self, number: int, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE files SET {names} WHERE id = ?", (*values.values(), number))  # noqa: S608 - our names

    def rows(self) -> Iterator[Row]:
        """Every file that is done, in the order of the list."""
        query = """
            SELECT f.id, f.path, f.sha256, f.bytes, s.seconds, s.answer,
                (SELECT g.path FROM files g WHERE g.sha256 = f.sha256 ORDER BY g.id LIMIT 1)
            FROM files f JOIN files s ON s.id = coalesce(f.same_as, f.id)
            WHERE f.id > ? AND s.answer IS NOT NULL ORDER BY f.id LIMIT ?
        """
        last = 0
        while page := self._db.execute(query, (last, PAGE)).fetchall():
            last = page[-1][0]
            for _, path, sha256, n_bytes, seconds, answer, first in page:
                same_as = os.fsdecode(first) if first not in (None, path) else None
                yield Row(os.fsdecode(path), sha256, n_bytes, seconds, same_as, json.loads(answer))
