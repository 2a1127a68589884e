"""FaceForensics++, as its download script leaves it (github.com/ondyari/FaceForensics).

    original_sequences/youtube/{c0 or raw, c23, c40}/videos/000.mp4
    manipulated_sequences/METHOD/{c0 or raw, c23, c40}/videos/000_003.mp4
    manipulated_sequences/METHOD/masks/videos/000_003.mp4    optional
    splits/{train,val,test}.json    from the authors' repository, dataset/splits; may also lie in the folder itself

METHOD is Deepfakes, Face2Face, FaceSwap, NeuralTextures or FaceShifter; methods and compressions that were not
downloaded may be missing. The fake 000_003 is the scene of video 000 with the face of 003. Its split is that of both;
the official files list 360, 70 and 70 such pairs. `raw` is called c0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.collect.builders.layout import below, read_json, refuse, videos
from training.collect.medium import Medium

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
COMPRESSIONS = {"c0": "c0", "raw": "c0", "c23": "c23", "c40": "c40"}
SPLITS = ("train", "val", "test")


def media(root: Path) -> list[Medium]:
    """Originals and all fakes, in every compression that is there."""
    split_of = _splits(root)

    def made(path: Path, compression: str, method: str) -> Medium:
        target, _, source = path.stem.partition("_")
        unknown = {target, source or target} - set(split_of)
        if unknown:
            refuse(__doc__, path, f"video {min(unknown)} is in none of the split files.")
        if split_of[target] != split_of[source or target]:
            refuse(
                __doc__,
                path,
                "its two videos are in different splits: these are not the official split files.",
            )
        mask = root / "manipulated_sequences" / method / "masks" / "videos" / path.name
        return Medium(
            root,
            below(root, path),
            "ffpp",
            video_id=path.stem,
            label=int(bool(method)),
            split=split_of[target],
            method=method,
            target_id=f"ffpp:{target}",
            source_id=f"ffpp:{source or target}",
            compression=compression,
            mask=below(root, mask) if method and mask.is_file() else "",
        )

    out = [made(p, c, "") for c, p in sequences(root / "original_sequences" / "youtube")]
    if not out:
        refuse(__doc__, root, "no original_sequences/youtube/{c0,raw,c23,c40}/videos/*.mp4 is there.")
    for method in METHODS:
        out += [made(p, c, method) for c, p in sequences(root / "manipulated_sequences" / method)]
    return out


def sequences(folder: Path) -> Iterator[tuple[str, Path]]:
    """Compression and video, for every video of a sequence folder."""
    for name, compression in COMPRESSIONS.items():
        for path in videos(folder / name):
            yield compression, path


def _splits(root: Path) -> dict[str, str]:
    """Split of every original, from the official files."""
    for folder in (root / "splits", root, root / "dataset" / "splits"):
        if all((folder / f"{name}.json").is_file() for name in SPLITS):
            break
    else:
        refuse(__doc__, root, "the split files train.json, val.json and test.json are missing.")
    pairs = {name: read_json(folder / f"{name}.json", __doc__) for name in SPLITS}
    if not all(isinstance(p, list) and len(p) == 2 for listed in pairs.values() for p in listed):
        refuse(__doc__, folder, "the split files are no lists of pairs of video numbers.")
    return {video: name for name, listed in pairs.items() for pair in listed for video in pair}
