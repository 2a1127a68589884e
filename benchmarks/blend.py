"""Pseudo-fakes a second on one core, from decoded crops of 224 px: every kind, by processor time and by wall time.

    OMP_NUM_THREADS=1 python benchmarks/blend.py --data ../shared/data

Processor time is what counts where a machine is shared. Without `--data` the faces are variants of skimage's astronaut.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import cv2
import numpy as np

from training.datasets.augment import degrade, extreme
from training.faces.index import read_index
from training.faces.toy import Face, face
from training.fakes.animate import animate
from training.fakes.mouth import redraw_mouth
from training.fakes.resynth import resample_like_decoder
from training.fakes.selfblend import self_blend, self_blend_clip
from training.fakes.swap import poses, similar, swap

ROOT = Path(__file__).resolve().parent.parent
SIDE_PX, MIN_PAIRS_A_SECOND = 224, 150
CLIP_LEN = 8


def main() -> None:
    """Measure, print, and write results/blend.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with index.csv")
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    faces = [at_size(f) for f in read_faces(args.data, args.faces)]
    known = poses(np.stack([f.landmarks for f in faces]))

    def swapped(f: Face, rng: np.random.Generator) -> object:
        other = faces[similar(poses(f.landmarks[None])[0], known, rng)]
        return swap(f.image, f.landmarks, other.image, other.landmarks, rng)

    def clip_of(f: Face) -> tuple[list[np.ndarray], np.ndarray]:
        return [f.image] * CLIP_LEN, np.repeat(f.landmarks[None], CLIP_LEN, 0)

    makers: dict[str, tuple[int, Callable[[Face, np.random.Generator], object]]] = {
        "self_blend": (1, lambda f, rng: self_blend(f.image, f.landmarks, rng)),
        "self_blend_clip_frames": (CLIP_LEN, lambda f, rng: self_blend_clip(*clip_of(f), rng)),
        "swap": (1, swapped),
        "redraw_mouth": (1, lambda f, rng: redraw_mouth(f.image, f.landmarks, rng)),
        "resample_like_decoder": (1, lambda f, rng: resample_like_decoder(f.image, rng)),
        "animate_frames": (
            CLIP_LEN, lambda f, rng: animate(f.image, f.box, f.landmarks, clip_of(f)[1], rng)
        ),
        "degrade_pairs": (1, lambda f, rng: degrade([f.image] * 2, rng)),
        "extreme_frames": (CLIP_LEN, lambda f, rng: extreme([f.image] * CLIP_LEN, rng)),
    }  # fmt: skip
    speeds = {}
    for name, (each, make) in makers.items():
        runs = [rates(make, faces, each, round_) for round_ in range(args.rounds)]
        cpu, wall = (round(statistics.median(column), 1) for column in zip(*runs, strict=True))
        speeds[name] = {"per_cpu_second": cpu, "per_wall_second": wall}
        print(f"{name:24} {cpu:8.1f} a second of one core, {wall:8.1f} by the clock")
    met = speeds["self_blend"]["per_cpu_second"] >= MIN_PAIRS_A_SECOND
    result = {"side_px": SIDE_PX, "faces": len(faces), "rounds": args.rounds, **speeds, "met": met}
    path = ROOT / "benchmarks" / "results" / "blend.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(not met)


def read_faces(data: Path | None, count: int) -> list[Face]:
    """Real stills of the train split, evenly over it, or drawn ones."""
    if data is None:
        return [face(n) for n in range(count)]
    found = [i for i in read_index(data) if i.kind == "crop" and i.split == "train" and not i.label]
    step = max(len(found) // count, 1)
    return [Face(cv2.imread(str(i.path))[..., ::-1], i.box, i.landmarks) for i in found[::step][:count]]


def at_size(f: Face) -> Face:
    """A face in a picture of `SIDE_PX` by `SIDE_PX`."""
    scale = SIDE_PX / np.array(f.image.shape[1::-1])
    image = cv2.resize(f.image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return Face(image, f.box * np.tile(scale, 2), f.landmarks * scale)


def rates(
    make: Callable[[Face, np.random.Generator], object], faces: list[Face], each: int, seed: int
) -> tuple[float, float]:
    """How many a second of processor time and by the clock, over all faces once; `each` are made of a face."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number, f in enumerate(faces):
        make(f, np.random.default_rng([seed, number]))
    n = len(faces) * each
    return n / (time.process_time() - cpu), n / (time.perf_counter() - wall)


if __name__ == "__main__":
    main()
