"""Draw the faces of the train split anew by networks of super-resolution; see `training/fakes/upscale.py`.

    pip install -r requirements-generators.txt
    python training/prepare/upscale_faces.py --data ../shared/data
    python training/train_frame.py --preset bundled --data ../shared/data --upscaled runs/upscaled

Each still is drawn once and a few frames of each clip, by a network that its number draws. What is there is kept: the same
command goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import cv2
import numpy as np
import tyro
from tqdm import tqdm

from training.faces.open import Faces, open_faces
from training.fakes.upscale import NETWORKS, Upscaler, draw_anew, find_param, fingerprint

PART = 200  # faces a file


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv or index.parquet.
        out: where the drawn faces go.
        frames_per_clip: frames cut from each clip of an index.csv, as in training.
        drawn_per_clip: of which so many are drawn.
        faces: how many are drawn of all these, at random; 0 for all.
        threads: of the CPU.
        seed: of every draw.
    """

    data: Path = Path("../shared/data")
    out: Path = Path("runs/upscaled")
    frames_per_clip: int = 16
    drawn_per_clip: int = 8
    faces: int = 0
    threads: int = 2
    seed: int = 7


def main(config: Config) -> None:
    """Draw what is not there yet."""
    faces = open_faces(config.data, n_frames=config.frames_per_clip, splits=["train"])["train"]
    rows = np.random.default_rng(config.seed).permutation(chosen(faces, config.drawn_per_clip))
    rows = rows[: config.faces or None]
    upscalers = [Upscaler(find_param(n), n.scale, config.threads) for n in NETWORKS]
    shares = np.array([n.share for n in NETWORKS])
    config.out.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(
        tqdm(np.split(rows, range(PART, len(rows), PART)), desc="drawn", unit=f"x{PART}")
    ):
        path = config.out / f"part-{number:04}.npz"
        if path.is_file():
            continue
        data = []
        for row in part:
            rng = np.random.default_rng([config.seed, int(row)])
            upscaler = upscalers[int(rng.choice(len(NETWORKS), p=shares / shares.sum()))]
            made = draw_anew(faces.bank.image(int(row)), upscaler, rng)
            data.append(encode(made, as_jpeg=faces.items[int(faces.bank.item[row])].kind == "crop"))
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(
            unfinished,
            faces=fingerprint(faces.bank),
            rows=part.astype(np.int32),
            sizes=np.array([len(d) for d in data], np.int64),
            blob=np.frombuffer(b"".join(data), np.uint8),
        )
        unfinished.rename(path)


def chosen(faces: Faces, drawn_per_clip: int) -> np.ndarray:
    """(N,) rows of the bank: the real stills, and frames of real clips spread over their time."""

    def of(number: int) -> Iterator[int]:
        rows = faces.rows(number)
        spread = np.linspace(0, len(rows) - 1, min(drawn_per_clip, len(rows)))
        yield from rows[np.rint(spread).astype(int)]

    return np.array([row for n in faces.media() if not faces.items[n].label for row in of(int(n))])


def encode(image: np.ndarray, *, as_jpeg: bool) -> bytes:
    """(H,W,3) uint8 RGB, coded as the bank's own: crops of stills are JPEGs of quality 95, all else is without loss."""
    how = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]) if as_jpeg else (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return cv2.imencode(how[0], image[..., ::-1], how[1])[1].tobytes()


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
