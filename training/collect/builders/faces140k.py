"""140k real and fake faces (Kaggle, xhlulu): FFHQ portraits and StyleGAN pictures, 256 px.

    real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}/*.jpg

The folder may also be the inner one, with train, valid and test. The folders tell label and split; beware of the csv files,
which have 1 for real. `valid` is called val. Who the people are is unknown.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import IMAGES, below, files, refuse, unpacked
from training.collect.medium import Medium

SPLITS = {"train": "train", "valid": "val", "test": "test"}


def media(root: Path) -> list[Medium]:
    """Every picture."""
    home = unpacked(root, "valid")
    out = []
    for folder, split in SPLITS.items():
        for label, kind in enumerate(("real", "fake")):
            found = files(home / folder / kind, IMAGES)
            if not found:
                refuse(__doc__, root, f"no {folder}/{kind}/*.jpg is there.")
            out += [
                Medium(
                    root,
                    below(root, path),
                    "faces140k",
                    video_id=f"{kind}/{path.stem}",
                    label=label,
                    split=split,
                    method="StyleGAN" if label else "",
                )
                for path in found
            ]
    return out
