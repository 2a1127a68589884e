"""DF40 (github.com/YZY-stack/DF40): forty methods, distributed as pictures of faces.

    dataset_json/simswap_ff.json    the authors' lists with train, val and test; files elsewhere are named by them
    DF40/simswap/ff/frames/000_003/000.png
    DF40/StyleGAN2/ff/000/000.png
    FaceForensics++/original_sequences/youtube/c23/frames/000/000.png    reals of the lists, from the authors' page
    Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png

or, without lists, the two downloads side by side: train/METHOD/... and test/METHOD/..., where a method's own reals lie in
METHOD/real. Folders named `frames` hold crops in the pose of DeepfakeBench (1.3 times the face, 5 points known); faces of
all other pictures are searched for. Lists repeat their test part as val: what is test anywhere is test here, and only what
is train everywhere is train. People keep the names that they have in `ffpp` and `celebdf2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.collect.builders.layout import below, picture_folders, read_json, refuse
from training.collect.medium import KnownFace, Medium

EDGE = (1 - 1 / 1.3) / 2
# The ArcFace points enlarged 1.3 times. Source: fact sheet H, section 3.
ALIGNED = KnownFace(
    (EDGE, EDGE, 1 - EDGE, 1 - EDGE),
    (0.378, 0.470, 0.620, 0.469, 0.500, 0.608, 0.401, 0.750, 0.601, 0.749),
)
RANK = {"train": 0, "val": 1, "test": 2}
SETS = ("DF40", "FaceForensics++", "Celeb-DF-v2")


def media(root: Path) -> list[Medium]:
    """Every clip and single picture, each once."""
    lists = sorted((root / "dataset_json").glob("*.json"))
    found = _listed(root, lists) if lists else _unlisted(root)
    out: dict[str, Medium] = {}
    for medium in found:
        before = out.get(medium.file)
        if before is None or RANK[before.split] < RANK[medium.split]:
            out[medium.file] = medium
    if not out:
        refuse(__doc__, root, "neither dataset_json/*.json nor train/ and test/ with methods is there.")
    if not any(m.path.exists() for m in out.values()):
        refuse(__doc__, root, f"not one of the {len(out)} listed clips is there, such as {next(iter(out))}.")
    return list(out.values())


def _listed(root: Path, lists: list[Path]) -> Iterator[Medium]:
    for path in lists:
        for classes in read_json(path, __doc__).values():
            for name, splits in classes.items():
                kind = name.lower()
                if not kind.endswith(("real", "fake")):
                    refuse(__doc__, path, f"the class {name!r} ends neither in Real nor in Fake.")
                for split, clips in splits.items():
                    if split not in RANK:
                        refuse(__doc__, path, f"there is no split {split!r}.")
                    for frames in _frames(clips):
                        yield _medium(root, _place(frames), int(kind.endswith("fake")), split)


def _frames(clips: dict) -> Iterator[list[str]]:
    """Frames of every clip; some lists put a level for the compression between."""
    for clip in clips.values():
        if "frames" not in clip:
            yield from _frames(clip)
        elif clip["frames"]:
            yield clip["frames"]


def _place(frames: list[str]) -> str:
    """Picture or folder of a clip below the root; the lists give the authors' own paths."""
    path = frames[0].replace("\\", "/")
    for name in SETS:
        at = path.find(f"{name}/")
        if at >= 0:
            path = path[at:]
            break
    return path if len(frames) == 1 else path.rpartition("/")[0]


def _unlisted(root: Path) -> Iterator[Medium]:
    for split in ("train", "test"):
        for folder, names in picture_folders(root / split):
            parts = folder.relative_to(root / split).parts
            label = int("real" not in parts[1:])
            # Pictures that lie directly in fake/ or real/ have nothing to do with each other.
            single = folder.name in ("fake", "real")
            for place in [folder / n for n in names] if single else [folder]:
                yield _medium(root, below(root, place), label, split)


def _medium(root: Path, file: str, label: int, split: str) -> Medium:
    parts = file.split("/")
    target, source = _people(Path(file).stem)
    return Medium(
        root,
        file,
        "df40",
        video_id=file,
        label=label,
        split=split,
        method=parts[1] if label else "",  # after DF40/, train/ or test/
        target_id=target,
        source_id=source,
        face=ALIGNED if "frames" in parts else None,
    )


def _people(clip: str) -> tuple[str, str]:
    """Target and source by the name of a clip of FaceForensics++ or Celeb-DF, else empty."""
    if match := re.fullmatch(r"(\d{3})(?:_(\d{3}))?", clip):
        return f"ffpp:{match[1]}", f"ffpp:{match[2] or match[1]}"
    if match := re.fullmatch(r"(id\d+)(?:_(id\d+))?_\d{4}", clip):
        return f"celebdf:{match[1]}", f"celebdf:{match[2] or match[1]}"
    return "", ""
