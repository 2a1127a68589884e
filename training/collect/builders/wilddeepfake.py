"""WildDeepfake (github.com/OpenTAI/wild-deepfake): sequences of face crops, no whole frames.

    real_train/1/real/0/0.png    real_train/VIDEO/.../SEQUENCE/*.png, unpacked from real_train/1.tar.gz
    fake_train/1/fake/131/942.png
    real_test/...
    fake_test/...

The four folders may lie in a folder `deepfake_in_the_wild`. Faces are not searched for: the pictures are crops, and the face
box is taken to be the middle of each, 1/1.3 as wide; landmarks come from the detector where it agrees. Sequences of one
archive are one video and share their unknown person.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.layout import below, picture_folders, refuse, unpacked
from training.collect.medium import KnownFace, Medium

PARTS = {
    f"{kind}_{split}": (label, split)
    for label, kind in enumerate(("real", "fake"))
    for split in ("train", "test")
}
EDGE = (1 - 1 / 1.3) / 2
MIDDLE = KnownFace((EDGE, EDGE, 1 - EDGE, 1 - EDGE))


def media(root: Path) -> list[Medium]:
    """Every sequence."""
    home = unpacked(root, *PARTS)
    out = []
    for part, (label, split) in PARTS.items():
        sequences = [folder for folder, _ in picture_folders(home / part)]
        if not sequences:
            packed = list((home / part).glob("*.tar*"))
            problem = f"unpack the {len(packed)} archives in {part}." if packed else f"no pictures in {part}."
            refuse(__doc__, root, problem)
        for folder in sequences:
            inner = folder.relative_to(home / part)
            archive = next(p for p in inner.parts if p != "extracted")
            person = f"wilddeepfake:{part}/{archive}"
            out.append(
                Medium(
                    root,
                    below(root, folder),
                    "wilddeepfake",
                    video_id=f"{part}/{inner.as_posix()}",
                    label=label,
                    split=split,
                    method="WildDeepfake" if label else "",
                    target_id=person,
                    source_id="" if label else person,
                    face=MIDDLE,
                )
            )
    return out
