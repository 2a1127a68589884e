"""Memory of training on FaceForensics++'s train split, on a stand-in of its size; writes the table of training/README.md.

python benchmarks/train_memory.py                     8 loader processes, faces by number and as a stream
python benchmarks/train_memory.py --workers 2 --no-write

The stand-in has as many videos, faces and bytes as the real split, so that index, lists and reading are the same: 135 shards,
which are one file under as many names. The network is tiny: where the real one lies on a GPU, its memory is the GPU's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import cv2
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from skimage.data import astronaut

from training.collect.builders.ffpp import METHODS
from training.collect.cut import CutFace, CutMedium
from training.collect.medium import Medium
from training.collect.store import FaceWriter
from training.evaluation.marked import replaced
from training.faces.index import FACES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "training" / "README.md"
RESULT = ROOT / "benchmarks" / "results" / "train_memory.json"
MARKS = ("<!-- memory: begin, written by benchmarks/train_memory.py -->", "<!-- memory: end -->")
SCENES, FRAMES = 720, 32  # of the train split; frames of each video
VIDEOS = SCENES * (1 + len(METHODS))
PER_SHARD = 32  # videos
VAL = 4  # videos, because a validation that takes long says nothing more about memory
SIDE_PX = 320
LIMIT = 4 * 2**30
SAMPLE_S = 1.0
WAYS = {"by number": [], "as a stream": ["--stream"]}


@dataclass(frozen=True)
class Peak:
    """The most at one moment of all processes together, in bytes.

    Attributes:
        shared_once: PSS: a page that several processes share counts once.
        own: USS: pages that one process alone has.
        resident: RSS: a shared page counts for each that has it.
        processes: at that moment.
    """

    shared_once: int = 0
    own: int = 0
    resident: int = 0
    processes: int = 0


def main() -> None:
    """Make the stand-in, train on it in both ways, print and write what was the most."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=36)
    parser.add_argument("--no-write", dest="write", action="store_false")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "faces"
        faces, size = stand_in(data)
        print(f"{VIDEOS} videos, {faces:,} faces of {size / 1e3:.0f} kB on average")
        peaks = {}
        for name, flags in WAYS.items():
            peaks[name] = train(data, Path(folder) / "run", args.workers, args.steps, flags)
            print(name, asdict(peaks[name]))
    result = {
        "videos": VIDEOS,
        "faces": faces,
        "bytes_a_face": round(size),
        "workers": args.workers,
        "steps": args.steps,
        "peaks": {name: asdict(peak) for name, peak in peaks.items()},
        "torch": version("torch"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "measured_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "met": all(peak.shared_once < LIMIT for peak in peaks.values()),
    }
    if args.write:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, table(result)), encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def table(result: dict) -> str:
    """What the page says of a result."""
    size = f"{result['videos']:,} videos, {result['faces']:,} faces of {result['bytes_a_face'] / 1e3:.0f} kB"
    rows = [
        f"| {name} | {peak['shared_once'] / 2**30:.2f} | {peak['own'] / 2**30:.2f} | {peak['resident'] / 2**30:.2f} |"
        for name, peak in result["peaks"].items()
    ]
    made = f"{result['measured_at']}, torch {result['torch']}, {result['machine']}"
    return "\n".join(
        [
            f"`train_frame.py --preset paper --workers {result['workers']}` on a stand-in of FaceForensics++'s train split",
            f"({size}), with a tiny network on the CPU in place of the real one, whose memory is the GPU's;",
            "what CUDA itself takes of the machine's memory is not in it.",
            f"The most that the script and its loader processes had together, in GiB ({made}):",
            "",
            "| faces | PSS: shared pages count once | USS: pages of one process alone | RSS: shared pages count for each |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def stand_in(root: Path) -> tuple[int, float]:
    """Cut faces like those of the train split, with a few of val: number of train faces, and their bytes on average."""
    with FaceWriter(root, "shards", faces_per_shard=PER_SHARD * FRAMES) as writer:
        for number in range(PER_SHARD):
            label = number % 2
            medium = Medium(
                root, f"{number:03d}.mp4", "ffpp", f"{number:03d}", label, "train",
                method=METHODS[0] * label, target_id=f"ffpp:{number:03d}", compression="c23",
            )  # fmt: skip
            writer.add(
                medium, CutMedium(tuple(face(number, k) for k in range(FRAMES)), fps=25.0, n_frames=500)
            )
    (shard,) = (root / "shards").iterdir()
    one = pq.read_table(root / "index.parquet").to_pandas()
    owner = np.arange(len(one)) // FRAMES
    parts = [as_shard(one, owner, PER_SHARD * n, f"{n:06d}.tar") for n in range(VIDEOS // PER_SHARD)]
    for n in range(1, len(parts)):
        os.link(shard, shard.with_name(f"{n:06d}.tar"))
    val = one[owner < VAL].assign(split="val", media="val/" + one["media"])
    table = pa.Table.from_pandas(pd.concat([*parts, val]), FACES, preserve_index=False)
    pq.write_table(table, root / "index.parquet")
    return len(table) - len(val), float(one["bytes"].mean())


def face(number: int, frame: int) -> CutFace:
    """A photographed face of a size in bytes such as real ones have."""
    x, y = np.random.default_rng([number, frame]).integers(-12, 13, 2)
    image = cv2.resize(astronaut()[20 + y : 220 + y, 120 + x : 320 + x], (SIDE_PX, SIDE_PX))
    noisy = np.clip(image + np.roll(grain(), frame, axis=0), 0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    box = np.array([90, 80, 230, 250], np.float32)
    points = np.array([[125, 130], [190, 130], [160, 170], [130, 205], [190, 205]], np.float32)
    return CutFace(0, frame, frame / 25, jpeg.tobytes(), box, points, None)


@cache
def grain() -> np.ndarray:
    """(SIDE_PX,SIDE_PX,3) noise of a camera."""
    return np.random.default_rng(1).normal(0, 2.5, (SIDE_PX, SIDE_PX, 3))


def as_shard(one: pd.DataFrame, owner: np.ndarray, first: int, shard: str) -> pd.DataFrame:
    """The rows of one shard as those of another: videos `first` and on, each scene real and by every method."""
    videos = first + owner
    method = np.array(["", *METHODS])[videos // SCENES]
    scene = np.array([f"{n % SCENES:03d}" for n in videos])
    media = [f"{name or 'youtube'}/{at}.mp4" for name, at in zip(method, scene, strict=True)]
    people = np.char.add("ffpp:", scene)
    return one.assign(
        path=[f"ffpp/{name}/00_{k:06d}.jpg" for name, k in zip(media, one["frame"], strict=True)],
        media=media, method=method, label=(videos >= SCENES).astype(np.int8), video_id=scene, target_id=people,
        source_id=people, shard=shard,
    )  # fmt: skip


def train(data: Path, out: Path, workers: int, steps: int, flags: list[str]) -> Peak:
    """The most memory of a run.

    Raises:
        SystemExit: it failed.
    """
    command = [
        sys.executable, "training/train_frame.py", "--preset", "paper", "--model", "timm:test_efficientnet",
        "--no-pretrained", "--data", str(data), "--out", str(out), "--workers", str(workers),
        "--loop.unit", "step", "--loop.steps", str(steps), "--loop.validate-every", str(steps), *flags,
    ]  # fmt: skip
    peak = Peak()
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as started:  # noqa: S603
        while started.poll() is None:
            peak = max(peak, of_tree(started.pid), key=lambda one: one.shared_once)
            time.sleep(SAMPLE_S)
    if started.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {started.returncode}.")
    return peak


def of_tree(pid: int) -> Peak:
    """What a process and its children have now."""
    found = []
    try:
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            try:
                found.append(process.memory_full_info())
            except psutil.Error:  # it has ended meanwhile
                continue
    except psutil.Error:
        return Peak()
    return Peak(sum(m.pss for m in found), sum(m.uss for m in found), sum(m.rss for m in found), len(found))


if __name__ == "__main__":
    main()
