"""Celeb-DF v1 and v2 (github.com/yuezunli/celeb-deepfakeforensics).

    Celeb-real/id0_0000.mp4
    YouTube-real/00000.mp4
    Celeb-synthesis/id0_id1_0000.mp4
    List_of_testing_videos.txt    lines such as "1 YouTube-real/00170.mp4"

Each folder may hold its videos in a folder `videos` of its own. The list has 1 for real and 0 for fake, the other way
round than everybody else; here fake is 1, and a line that contradicts its folder is refused. Listed videos are `test`, all
others `train`; people of v2's test videos are in its train videos too, as published. The fake id0_id1 is a video of id0
with the face of id1. v1 is nearly a part of v2: never train on one and test on the other; their people share names here.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below, refuse, videos
from training.collect.medium import Medium

FOLDERS = {"Celeb-real": 0, "YouTube-real": 0, "Celeb-synthesis": 1}
TEST_LIST = "List_of_testing_videos.txt"


def media_v1(root: Path) -> list[Medium]:
    """Celeb-DF v1: 408 real and 795 fake videos, 100 of them test."""
    return _media(root, "celebdf1")


def media_v2(root: Path) -> list[Medium]:
    """Celeb-DF v2: 890 real and 5639 fake videos, 518 of them test."""
    return _media(root, "celebdf2")


def _media(root: Path, dataset: str) -> list[Medium]:
    found = {name: videos(root / name) for name in FOLDERS}
    for name, paths in found.items():
        if not paths:
            refuse(__doc__, root, f"no {name}/*.mp4 is there.")
    tested = _test_videos(root)
    absent = tested - {f"{name}/{p.name}" for name, paths in found.items() for p in paths}
    if absent:
        refuse(__doc__, root, f"{len(absent)} videos of {TEST_LIST} are missing, the first is {min(absent)}.")
    out = []
    for name, paths in found.items():
        for path in paths:
            people = path.stem.split("_")[:-1] or [f"youtube{path.stem}"]
            out.append(
                Medium(
                    root,
                    below(root, path),
                    dataset,
                    video_id=f"{name}/{path.stem}",
                    label=FOLDERS[name],
                    split="test" if f"{name}/{path.name}" in tested else "train",
                    method="Celeb-synthesis" if FOLDERS[name] else "",
                    target_id=f"celebdf:{people[0]}",
                    source_id=f"celebdf:{people[-1]}",
                )
            )
    return out


def _test_videos(root: Path) -> set[str]:
    """Folder and name of every listed video."""
    path = root / TEST_LIST
    if not path.is_file():
        refuse(__doc__, root, f"{TEST_LIST} is missing, so nobody can tell the test videos.")
    out = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        flag, _, name = line.strip().partition(" ")
        folder = name.strip().split("/")[0]
        if flag not in ("0", "1") or folder not in FOLDERS:
            refuse(__doc__, path, f"line {number} is not a flag and a video: {line.strip()!r}.")
        # In this list, 1 is real.
        if 1 - int(flag) != FOLDERS[folder]:
            refuse(__doc__, path, f"line {number} contradicts its folder: {line.strip()!r}.")
        out.add(name.strip())
    return out
