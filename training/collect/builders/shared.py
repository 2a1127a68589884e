"""A collection with an index.csv, one row per file.

    index.csv    columns path, kind, label, split, identity, generator, face_box, landmarks (see training/README.md)
    and the files that it names

`kind` is crop, image or video; label is real or fake; boxes and landmarks of crops are given, all other faces are searched
for.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below
from training.collect.medium import KnownFace, Medium
from training.faces.index import Item, read_index


def media(root: Path) -> list[Medium]:
    """Every row of the index."""
    return [_medium(root, item) for item in read_index(root)]


def _medium(root: Path, item: Item) -> Medium:
    face = None
    if item.box is not None:
        points = None if item.landmarks is None else tuple(item.landmarks.ravel().tolist())
        face = KnownFace(tuple(item.box.tolist()), points, relative=False)
    elif item.kind == "crop":
        raise SystemExit(f"{root / 'index.csv'}: the crop {item.path.name} lacks its face box.")
    person = f"shared:{item.group}" if item.group else ""
    return Medium(
        root,
        below(root, item.path),
        "shared",
        video_id=below(root, item.path),
        label=item.label,
        split=item.split,
        method=item.generator or ("unknown" if item.label else ""),
        target_id=person,
        source_id="" if item.label else person,
        face=face,
        family=item.family,
    )
