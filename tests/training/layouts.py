"""Making miniatures of data sets, and looking at what a builder lists."""

from __future__ import annotations

from pathlib import Path

from training.collect.medium import Medium


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def facts(media: list[Medium]) -> dict[str, tuple]:
    """File -> label, split, method."""
    return {m.file: (m.label, m.split, m.method) for m in media}


def by_file(media: list[Medium], file: str) -> Medium:
    (found,) = [m for m in media if m.file == file]
    return found
