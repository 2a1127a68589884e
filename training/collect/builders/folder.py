"""Videos and pictures of your own.

    real/...
    fake/...    in folders named after what made them: fake/SimSwap/a.mp4; otherwise the method is "unknown"

or with splits, {train,val,test}/{real,fake}/... Folders may be nested. Without splits, give --random-split 70/15/15. Nobody
knows who is in which file, so every file counts as a person of its own: where people recur, write an index.csv instead
(builder `shared`), which names them.
"""

from __future__ import annotations

from pathlib import Path

from tbd_app.media.archive import natural_key
from training.collect.builders.layout import IMAGES, VIDEOS, below, refuse
from training.collect.medium import Medium

SPLITS = ("train", "val", "test")


def media(root: Path) -> list[Medium]:
    """Every video and picture."""
    parts = [s for s in SPLITS if (root / s).is_dir()] or [""]
    out = []
    for split in parts:
        for label, kind in enumerate(("real", "fake")):
            at = root / split / kind
            found = [
                p
                for p in sorted(at.rglob("*"), key=lambda p: natural_key(p.as_posix()))
                if p.suffix.lower() in VIDEOS | IMAGES and p.name[0] != "."
            ]
            out += [_medium(root, path, path.relative_to(at), label, split) for path in found]
    if {m.label for m in out} != {0, 1}:
        refuse(__doc__, root, f"no video or picture in {'fake' if out and not out[0].label else 'real'}/.")
    return out


def _medium(root: Path, path: Path, inner: Path, label: int, split: str) -> Medium:
    made_by = inner.parts[0] if len(inner.parts) > 1 else "unknown"
    return Medium(
        root,
        below(root, path),
        "folder",
        video_id=below(root, path),
        label=label,
        split=split,
        method=made_by if label else "",
    )
