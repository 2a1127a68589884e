"""Time and memory of a whole analysis, side by side with naive face detection alone, in one run.

    python benchmarks/speed.py                    # a generated 10 s 1080p clip
    python benchmarks/speed.py --clip my.mp4

The naive side is what detectors commonly do: `MTCNN(keep_all=True)` on every sampled frame at full size, with nothing after
it. Ours is everything: decoding, two-pass detection, tracks, scores and verdict; models are loaded before, Grad-CAM is off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

ROOT = Path(__file__).resolve().parent.parent
MAX_RATIO = 0.5
MAX_PEAK_MIB = 2560


def main() -> None:
    """Measure, print, and write results/speed.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print(peak_mib(args.memory_of))
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip or generated(Path(folder))
        result = measure(clip, args.repeats)
        child = [sys.executable, __file__, "--memory-of", str(clip)]
        done = subprocess.run(child, capture_output=True, text=True, check=True)  # noqa: S603
        result["peak_mib"] = float(done.stdout.split()[-1])
    result["clip"] = "given" if args.clip else "generated portrait, 1920x1080, 10 s, h264"
    result["met"] = result["ratio"] <= MAX_RATIO and result["peak_mib"] <= MAX_PEAK_MIB
    print(json.dumps(result, indent=1))
    out = ROOT / "benchmarks" / "results"
    out.mkdir(exist_ok=True)
    (out / "speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def generated(folder: Path) -> Path:
    """A 10 s 1080p clip of a moving portrait."""
    from tests.media_factory import portrait_clip

    return portrait_clip(folder / "clip.mp4", n_frames=250, size=(1920, 1080), fps=25)


def measure(clip: Path, repeats: int) -> dict:
    """Seconds of both sides, taken in turns; the ratio is that of the medians."""
    import torch
    from facenet_pytorch import MTCNN

    from tbd_app import analyze
    from tbd_app.media.open import open_media
    from tbd_app.media.sample import sample
    from tbd_app.settings import Limits

    limits = Limits()
    sampled = sample(open_media(clip, limits), 32, limits)
    naive = MTCNN(keep_all=True)
    report = analyze(clip, explain=False)  # loads the models
    naive.detect(sampled.images[0])
    seconds: dict[str, list[float]] = {"naive": [], "ours": []}
    for _ in range(repeats):
        start = time.perf_counter()
        for image in sampled.images:
            naive.detect(image)
        middle = time.perf_counter()
        analyze(clip, explain=False)
        seconds["naive"].append(middle - start)
        seconds["ours"].append(time.perf_counter() - middle)
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    return {
        "naive_detection_s": round(medians["naive"], 3),
        "whole_analysis_s": round(medians["ours"], 3),
        "ratio": round(medians["ours"] / medians["naive"], 3),
        "repeats": repeats,
        "threads": torch.get_num_threads(),
        "scored_by": [s.model for p in report.people for s in p.scores if s.status == "ok"],
        "stages_s": {k: round(v, 3) for k, v in report.timings_s.items()},
    }


def peak_mib(clip: Path) -> float:
    """Peak resident memory of an analysis in this fresh process together with its children, sampled, in MiB."""
    import psutil

    from tbd_app import analyze

    me, peak, done = psutil.Process(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            total = me.memory_info().rss
            for child in me.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += child.memory_info().rss
            peak = max(peak, total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    analyze(clip, explain=False)
    done.set()
    watcher.join()
    return round(peak / 2**20, 1)


if __name__ == "__main__":
    main()
