"""Seconds and memory of a whole analysis beside a naive detector and beside the least it could take, in one run.

    python benchmarks/speed.py                              # seven generated media; writes docs/speed.md
    python benchmarks/speed.py --only clip_1080p --repeats 3
    python benchmarks/speed.py --media FOLDER               # given files, each once

The three sides take turns, and medians are compared. Ours is everything: opening, decoding, both passes of face detection,
tracks, all default voters, the vote; Grad-CAM is off and models are loaded before. Naive is what is commonly written: every
frame is decoded, `MTCNN(keep_all=True)` searches each sampled frame at full size and once more for landmarks, and the same
voters score the crops in float32. The floor decodes the file once and lets the same voters score the same faces as they are
served: nothing is searched. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tbd_app
import tbd_app.lean  # noqa: F401 - both before torch and torchvision, as in an analysis

# isort: split

import psutil
import torch

from benchmarks import gpu
from benchmarks.sides import MEDIA, N_FRAMES, floor, naive
from tbd_app import analyze
from tbd_app.known import MEASURED_AS, MEASURED_KINDS
from tbd_app.models import registry
from tbd_app.pipeline import people, score
from tbd_app.settings import AnalysisSettings
from training.evaluation.marked import replaced

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "speed.md"
MARKS = ("<!-- table: begin, written by benchmarks/speed.py -->", "<!-- table: end -->")
MAX_PEAK_MIB = 2048


# Least ratio of naive to ours, where a bar is set; of ours to the floor it is the most.
LEAST_GAIN = {"clip_1080p": 6.0, "clip_4k": 10.0}
MOST_OVER_FLOOR = 1.4
MOST_OF_LONG = 1.5  # ten minutes over ten seconds
MOST_IMPORT_S = 0.6
MOST_FIRST = 2.0  # the first analysis over later ones


def main() -> None:
    """Measure, print, and write results/speed.json; all media are written into the page, too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, help="a folder of files, in place of generated ones")
    parser.add_argument("--only", choices=MEDIA, nargs="+", default=list(MEDIA))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        print(json.dumps(alone(args.alone)))
        return
    with tempfile.TemporaryDirectory() as name:
        rows = {
            label: measured(path, what, repeats)
            for label, path, what, repeats in chosen(args.media, args.only, args.repeats, Path(name))
        }
    result = {
        "machine": f"{cpu()}, {torch.get_num_threads()} threads, bfloat16 {'native' if score.has_bf16('cpu') else 'absent'}",
        "voters": {kind: registry.voters(["default"], kind) for kind in MEASURED_KINDS},
        "frames": N_FRAMES,
        "import_s": import_seconds(),
        "media": rows,
    }
    result["missed"] = missed(result)
    print(json.dumps(result, indent=1))
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(gpu.measured(gpu.generated(Path(name))), indent=1))
    if args.media or len(args.only) < len(MEDIA):
        return
    (ROOT / "benchmarks" / "results" / "speed.json").write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, table(result)), encoding="utf-8")
    sys.exit(1 if result["missed"] else 0)


def chosen(
    media: Path | None, only: list[str], repeats: int, folder: Path
) -> Iterator[tuple[str, Path, str, int]]:
    """Label, file, words and turns of what is measured."""
    if media:
        for path in sorted(p for p in media.iterdir() if p.is_file()):
            yield path.name, path, "given", 1
        return
    for label in only:
        medium = MEDIA[label]
        yield label, medium.make(folder), medium.what, min(repeats, medium.repeats)


def measured(path: Path, what: str, repeats: int) -> dict[str, Any]:
    """The sides of one file in turns: medians, ratios, stages, and peak memory of a process of its own."""
    settings = AnalysisSettings(explain=False, device="cpu")
    found = people.find(path, settings)
    voters = registry.voters(["default"], MEASURED_AS[found.media.kind])  # all three ask the same ones
    sides: dict[str, Callable[[], Any]] = {
        "naive": lambda: naive(path, settings, voters),
        "ours": lambda: analyze(path, settings),
        "floor": lambda: floor(path, found, voters),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    stages: list[dict[str, float]] = []
    analyze(path, settings)  # loads the models
    for _ in range(repeats):
        for side, run in sides.items():
            start = time.perf_counter()
            answer = run()
            seconds[side].append(time.perf_counter() - start)
            if side == "ours":
                stages.append(
                    answer.timings_s | {"unreported": seconds[side][-1] - sum(answer.timings_s.values())}
                )
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    child = [sys.executable, __file__, "--alone", str(path)]
    done = subprocess.run(child, capture_output=True, text=True, check=True)  # noqa: S603
    return {
        "what": what,
        **{f"{side}_s": round(value, 3) for side, value in medians.items()},
        "naive_over_ours": round(medians["naive"] / medians["ours"], 2),
        "ours_over_floor": round(medians["ours"] / medians["floor"], 2),
        "stages_s": {name: round(statistics.median(s[name] for s in stages), 3) for name in stages[0]},
        "repeats": repeats,
        **json.loads(done.stdout.splitlines()[-1]),
    }


def resident(process: psutil.Process) -> int:
    """Bytes of memory, where the system tells without what a child still shares with its parent counted in both."""
    memory = process.memory_full_info()
    return getattr(memory, "pss", memory.rss)


def alone(path: Path) -> dict[str, float]:
    """In this fresh process: seconds of the first and of the second analysis, and peak resident MiB with children."""
    me, peak, done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            family = [me, *me.children(recursive=True)]
            with contextlib.suppress(psutil.Error):  # one has ended meanwhile
                if sum(process.memory_info().rss for process in family) > peak:
                    peak = max(peak, sum(resident(process) for process in family))

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        analyze(path, explain=False, device="cpu")
        seconds.append(round(time.perf_counter() - start, 3))
    done.set()
    watcher.join()
    return {"first_s": seconds[0], "second_s": seconds[1], "peak_mib": round(peak / 2**20, 1)}


def import_seconds() -> float:
    """Median seconds of `import tbd_app` in five fresh processes, less those of an empty one."""

    def one(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
        return time.perf_counter() - start

    pairs = [(one("import tbd_app"), one("pass")) for _ in range(5)]
    return round(statistics.median(a - b for a, b in pairs), 3)


def cpu() -> str:
    """The processor's name, as the system gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def missed(result: dict[str, Any]) -> list[str]:
    """The bars that this run missed, in words."""
    rows, out = result["media"], []
    for label, row in rows.items():
        if row["naive_over_ours"] < LEAST_GAIN.get(label, 0):
            out.append(f"{label}: {row['naive_over_ours']} times naive, {LEAST_GAIN[label]:g} asked")
        if row["ours_over_floor"] > MOST_OVER_FLOOR:
            out.append(f"{label}: {row['ours_over_floor']} times the floor, {MOST_OVER_FLOOR:g} allowed")
        if row["peak_mib"] > MAX_PEAK_MIB:
            out.append(f"{label}: {row['peak_mib']:.0f} MiB, {MAX_PEAK_MIB} allowed")
        if row["first_s"] > MOST_FIRST * row["second_s"]:
            out.append(
                f"{label}: the first analysis takes {row['first_s'] / row['second_s']:.1f} times the second"
            )
    if {"clip_1080p", "long_1080p"} <= rows.keys():
        ratio = rows["long_1080p"]["ours_s"] / rows["clip_1080p"]["ours_s"]
        if ratio > MOST_OF_LONG:
            out.append(f"ten minutes cost {ratio:.2f} times ten seconds, {MOST_OF_LONG:g} allowed")
    if result["import_s"] > MOST_IMPORT_S:
        out.append(f"import tbd_app takes {result['import_s']} s, {MOST_IMPORT_S:g} allowed")
    return out


def table(result: dict[str, Any]) -> str:
    """The page's part: machine, one row a file, stages, and what was missed."""
    lines = [
        f"{result['machine']}; {result['frames']} frames.",
        *(f"Voters of {kind}: {', '.join(names)}." for kind, names in result["voters"].items()),
        "",
        "| file | naive, s | ours, s | floor, s | naive / ours | ours / floor | peak, MiB | first, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['what']} | {r['naive_s']:.1f} | {r['ours_s']:.2f} | {r['floor_s']:.2f} | {r['naive_over_ours']:.1f} "
        f"| {r['ours_over_floor']:.2f} | {r['peak_mib']:.0f} | {r['first_s']:.1f} |"
        for r in result["media"].values()
    ]
    stages = list(next(iter(result["media"].values()))["stages_s"])
    lines += ["", f"| seconds of ours | {' | '.join(stages)} |", "|---" * (len(stages) + 1) + "|"]
    lines += [
        f"| {r['what']} | " + " | ".join(f"{r['stages_s'][s]:.2f}" for s in stages) + " |"
        for r in result["media"].values()
    ]
    lines += ["", f"`import tbd_app` takes {result['import_s']:.2f} s.", ""]
    lines += [f"- Missed: {text}." for text in result["missed"]] or ["All bars were met."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
