"""DeepFakeDetection (Google and Jigsaw), as the download script of FaceForensics++ leaves it.

    original_sequences/actors/{c0 or raw, c23, c40}/videos/01__exit_phone_room.mp4
    manipulated_sequences/DeepFakeDetection/{c0 or raw, c23, c40}/videos/01_02__exit_phone_room__YVGY8LOK.mp4
    manipulated_sequences/DeepFakeDetection/masks/videos/01_02__exit_phone_room__YVGY8LOK.mp4

28 actors. The fake 01_02 is the scene of actor 01 with the face of 02; several people may be in it, and only the mask
tells which face is fake, so the masks must be there. The whole set is a test set.
"""

from __future__ import annotations

from pathlib import Path

from training.collect.builders.ffpp import sequences
from training.collect.builders.layout import below, refuse
from training.collect.medium import Medium

METHOD = "DeepFakeDetection"


def media(root: Path) -> list[Medium]:
    """Actors' originals and fakes, in every compression that is there."""
    fakes_at = root / "manipulated_sequences" / METHOD
    reals = list(sequences(root / "original_sequences" / "actors"))
    fakes = list(sequences(fakes_at))
    if not reals or not fakes:
        lacking = "original_sequences/actors" if not reals else f"manipulated_sequences/{METHOD}"
        refuse(__doc__, root, f"no {lacking}/{{c0,raw,c23,c40}}/videos/*.mp4 is there.")
    maskless = [p for _, p in fakes if not (fakes_at / "masks" / "videos" / p.name).is_file()]
    if maskless:
        refuse(__doc__, root, f"{len(maskless)} fakes have no mask, the first is {maskless[0].name}.")
    out = []
    for fake, listed in enumerate((reals, fakes)):
        for compression, path in listed:
            actors = path.stem.split("__")[0].split("_")
            out.append(
                Medium(
                    root,
                    below(root, path),
                    "dfd",
                    video_id=path.stem,
                    label=fake,
                    split="test",
                    method=METHOD if fake else "",
                    target_id=f"dfd:{actors[0]}",
                    source_id=f"dfd:{actors[-1]}",
                    compression=compression,
                    mask=below(root, fakes_at / "masks" / "videos" / path.name) if fake else "",
                )
            )
    return out
