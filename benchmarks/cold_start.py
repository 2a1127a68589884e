"""Starts the page as a Space does, on two processors with nothing read before, and writes the table of docs/deploy.md.

python benchmarks/cold_start.py                 three starts; the packages are installed, their files are read from the disk
python benchmarks/cold_start.py --no-write
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import tbd_app

# isort: split

import psutil

from benchmarks.soak import ROOT, File, Server, ask
from training.evaluation.marked import replaced

DOCUMENT = ROOT / "docs" / "deploy.md"
MARKS = ("<!-- cold start: begin, written by benchmarks/cold_start.py -->", "<!-- cold start: end -->")
CORES = 2
LIMIT_S = 120.0


def forget_files() -> None:
    """Asks the kernel to drop what it keeps of the packages' and the project's files; what others have open stays."""
    packages = Path(psutil.__file__).resolve().parent.parent
    for folder in (packages, Path(tbd_app.__file__).resolve().parent, ROOT / "weights"):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                file = os.open(path, os.O_RDONLY)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


def start(folder: Path) -> tuple[float, float]:
    """Seconds until the page answers, and until the first clip is answered, in which models are loaded."""
    path = ROOT / "examples" / "drawn_face_edited.mp4"
    clip = File(path.name, path.read_bytes())
    forget_files()
    begun = time.monotonic()
    server = Server(folder)
    up = time.monotonic() - begun
    kind, said = ask(server.url, clip)
    done = time.monotonic() - begun
    server.end(signal.SIGTERM)
    if kind != "report":
        sys.exit(f"{clip.name}: {said}")
    return up, done


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--no-write", action="store_true")
    config = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory(prefix="tbd-start-") as folder:
        runs = [start(Path(folder)) for _ in range(config.starts)]
    rows = {
        "the page answers": [up for up, _ in runs],
        "the first clip is answered (8 frames)": [done for _, done in runs],
    }
    lines = ["| after the start | seconds, median | slowest |", "|---|---|---|"]
    lines += [f"| {name} | {statistics.median(s):.1f} | {max(s):.1f} |" for name, s in rows.items()]
    where = f"{len(cores)} of {os.cpu_count()} cores of {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    table = "\n".join([*lines, "", f"{len(runs)} starts, measured {time.strftime('%Y-%m-%d')}, {where}."])
    print(table)
    if not config.no_write:
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), MARKS, table), encoding="utf-8")
    sys.exit(max(done for _, done in runs) > LIMIT_S)


if __name__ == "__main__":
    main()
