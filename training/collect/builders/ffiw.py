"""FFIW-10K (github.com/tfzhou/FFIW): one face of several is fake.

    source/{train,val,test}/val_00000000.mp4            real
    target/{train,val,test}/val_00000000.mp4            fake, made from the source of the same name
    target_mask/{train,val,test}/val_00000000_mask.mp4  optional: which face it is

All of it may lie in a folder `FFIW10K-v1-release`, and the videos of a split in a folder `videos`. Splits that were not
downloaded may be missing. Without a mask, the largest face of a fake is taken for the fake one.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below, refuse, unpacked, videos
from training.collect.medium import Medium

SPLITS = ("train", "val", "test")


def media(root: Path) -> list[Medium]:
    """Sources and targets of every split that is there."""
    home = unpacked(root, "source", "target")
    out = []
    for label, kind in enumerate(("source", "target")):
        for split in SPLITS:
            masks = {p.stem.removesuffix("_mask"): p for p in videos(home / f"{kind}_mask" / split)}
            for path in videos(home / kind / split):
                scene = f"ffiw:{split}/{path.stem}"
                out.append(
                    Medium(
                        root,
                        below(root, path),
                        "ffiw",
                        video_id=f"{kind}/{path.stem}",
                        label=label,
                        split=split,
                        method="FFIW" if label else "",
                        target_id=scene,
                        source_id="" if label else scene,
                        mask=below(root, masks[path.stem]) if path.stem in masks else "",
                    )
                )
    if {m.label for m in out} != {0, 1}:
        lacking = "target" if out and out[0].label == 0 else "source"
        refuse(__doc__, root, f"no {lacking}/{{train,val,test}}/*.mp4 is there.")
    return out
