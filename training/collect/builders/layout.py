"""What the builders share: finding files, reading lists, and saying what a folder lacks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Any, NoReturn

from tbd_app.media.archive import natural_key

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def refuse(layout: str | None, root: Path, problem: str) -> NoReturn:
    """End with one sentence and the expected files.

    Args:
        layout: the builder's own text.
    """
    raise SystemExit(f"{root}: {problem}\n\nExpected: {cleandoc(layout or '')}")


def files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """Files directly in a folder, in natural order; none when there is no such folder."""
    if not folder.is_dir():
        return []
    found = (p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.name[0] != ".")
    return sorted(found, key=lambda p: natural_key(p.name))


def videos(folder: Path) -> list[Path]:
    """Videos of a folder or of the folder `videos` in it."""
    return files(folder, VIDEOS) or files(folder / "videos", VIDEOS)


def picture_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder below `root` that holds pictures itself, with their names, in natural order."""
    for folder, inner, names in os.walk(root):
        inner[:] = sorted((n for n in inner if n[0] != "."), key=natural_key)
        pictures = [n for n in names if Path(n).suffix.lower() in IMAGES and n[0] != "."]
        if pictures:
            yield Path(folder), sorted(pictures, key=natural_key)


def unpacked(root: Path, *names: str) -> Path:
    """`root`, or the folder at most two levels below it that holds one of `names`: archives bring folders of their own."""
    for pattern in ("", "*/", "*/*/"):
        for name in names:
            for hit in sorted(root.glob(pattern + name)):
                return hit.parent
    return root


def below(root: Path, path: Path) -> str:
    """Name of a file for `Medium`."""
    return path.relative_to(root).as_posix()


def read_json(path: Path, layout: str | None) -> Any:
    """Content of a JSON file that came with a data set."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        refuse(layout, path, f"this is not the JSON file that it should be ({error}).")
