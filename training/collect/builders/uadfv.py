"""UADFV: 49 videos and their 49 fakes, one face swapped into all.

    real/0000.mp4
    fake/0000_fake.mp4

Each folder may hold its videos in a folder `videos` of its own. The whole set is a test set, and a tiny one: five points of
AUC are noise. A fake shares its person with the real video of its number.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below, refuse, videos
from training.collect.medium import Medium


def media(root: Path) -> list[Medium]:
    """Reals and fakes."""
    out = []
    for label, name in enumerate(("real", "fake")):
        found = videos(root / name)
        if not found:
            refuse(__doc__, root, f"no {name}/*.mp4 is there.")
        for path in found:
            number = path.stem.removesuffix("_fake")
            out.append(
                Medium(
                    root,
                    below(root, path),
                    "uadfv",
                    video_id=path.stem,
                    label=label,
                    split="test",
                    method="UADFV" if label else "",
                    target_id=f"uadfv:{number}",
                    source_id="" if label else f"uadfv:{number}",
                )
            )
    return out
