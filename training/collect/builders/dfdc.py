"""The Deepfake Detection Challenge data set, full version.

    train/dfdc_train_part_0/metadata.json and *.mp4    one or more of the 50 parts; may also lie in the folder itself
    validation/labels.csv and *.mp4                    optional
    test/labels.csv and *.mp4                          optional; may also be the folder itself

Videos may lie in a folder `videos` beside their list. metadata.json has `{"a.mp4": {"label": "FAKE", "original": "b.mp4"}}`,
labels.csv the columns `filename` and `label`, 1 for fake. Train fakes are tied to their original; who the people are was
not published. Some fakes are fake in sound alone, and many clips show two people.
"""

from __future__ import annotations

import csv
from pathlib import Path

from training.collect.builders.layout import below, read_json, refuse
from training.collect.medium import Medium


def media(root: Path) -> list[Medium]:
    """Every part whose list is there; a listed video that is missing fails when its faces are cut."""
    out = []
    for split in ("validation", "test"):
        out += _labelled(root, root / split, "val" if split == "validation" else "test")
    out = out or _labelled(root, root, "test")
    for listed in sorted([*root.glob("dfdc_train_part*/metadata.json"), *root.glob("train/*/metadata.json")]):
        out += _part(root, listed)
    if not out:
        refuse(__doc__, root, "neither dfdc_train_part_*/metadata.json nor labels.csv is there.")
    if not any(m.path.is_file() for m in out):
        refuse(__doc__, root, f"not one of the {len(out)} listed videos is there, such as {out[0].file}.")
    return out


def _labelled(root: Path, folder: Path, split: str) -> list[Medium]:
    path = folder / "labels.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"filename", "label"} <= set(rows[0]):
        refuse(__doc__, path, "the columns filename and label are missing.")
    wrong = [r["filename"] for r in rows if r["label"] not in ("0", "1")]
    if wrong:
        refuse(__doc__, path, f"the label of {wrong[0]} is neither 0 nor 1.")
    at = _videos_of(folder)
    return [
        Medium(
            root,
            below(root, at / row["filename"]),
            "dfdc",
            video_id=Path(row["filename"]).stem,
            label=int(row["label"]),
            split=split,
            method="DFDC" if row["label"] == "1" else "",
        )
        for row in rows
    ]


def _part(root: Path, listed: Path) -> list[Medium]:
    at, out = _videos_of(listed.parent), []
    for name, entry in read_json(listed, __doc__).items():
        label = {"REAL": 0, "FAKE": 1}.get(entry.get("label"))
        if label is None:
            refuse(__doc__, listed, f"the label of {name} is neither REAL nor FAKE.")
        original = Path(entry.get("original") or name).stem
        out.append(
            Medium(
                root,
                below(root, at / name),
                "dfdc",
                video_id=Path(name).stem,
                label=label,
                split="train",
                method="DFDC" if label else "",
                target_id=f"dfdc:{original}",
                source_id="" if label else f"dfdc:{original}",
            )
        )
    return out


def _videos_of(folder: Path) -> Path:
    return folder / "videos" if (folder / "videos").is_dir() else folder
