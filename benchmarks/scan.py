"""How fast `tbd scan` is beside one worker on one thread, and what a video costs in core-seconds by stage.

    python benchmarks/scan.py                     # generated 10 s 1080p clips, all different
    python benchmarks/scan.py --clips my_folder

Both scans are measured from their first finished file on, so that loading models does not count. The stages are those of the
one-threaded scan, so that their seconds are core-seconds, but for decoding, which has a process of its own. Run it where
nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from tbd_app.scan import machine
from tbd_app.scan.journal import Journal
from tbd_app.scan.local import run
from tbd_app.scan.sources import listed
from tbd_app.settings import AnalysisSettings

ROOT = Path(__file__).resolve().parent.parent
ENGINE = "tbd_app.scan.engine"
MIN_EFFICIENCY = 0.9


def main() -> None:
    """Measure, print, and write results/scan.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--files", type=int, default=8, help="generated clips a worker")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "scan.json")
    args = parser.parse_args()
    settings = AnalysisSettings(n_frames=args.frames, device="cpu", explain=False)
    whole = machine.plan("cpu")
    single = replace(whole, workers=1, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        clips = args.clips or generated(Path(folder) / "clips", args.files * whole.workers)
        rate_of_one, rows = rate(clips, settings, single, Path(folder))
        rate_of_all, _ = rate(clips, settings, whole, Path(folder))
    cores = whole.workers * whole.threads
    result = {
        "clips": "given" if args.clips else "generated portraits, 1920x1080, 10 s, h264",
        "frames": args.frames,
        "workers": whole.workers,
        "threads": whole.threads,
        "files_a_second_one_worker_one_thread": round(rate_of_one, 4),
        "files_a_second": round(rate_of_all, 4),
        "efficiency": round(rate_of_all / (cores * rate_of_one), 3),
        "core_seconds_a_file": round(cores / rate_of_all, 3),
        "stages_s_one_thread": stages(rows),
        "report_bytes": round(statistics.mean(len(json.dumps(row.answer)) for row in rows)),
    }
    result["met"] = result["efficiency"] >= MIN_EFFICIENCY
    print(json.dumps(result, indent=1))
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def generated(folder: Path, n: int) -> Path:
    """A folder of n 10 s 1080p clips of a moving portrait, no two of them equal."""
    from tests.media_factory import portrait_clip

    folder.mkdir()
    for i in range(n):
        portrait_clip(folder / f"{i}.mp4", n_frames=250, size=(1920, 1080), fps=25, crf=20 + i)
    return folder


def rate(clips: Path, settings: AnalysisSettings, plan: machine.Plan, folder: Path) -> tuple[float, list]:
    """Files a second after the first one of each worker, and the rows."""
    ends: list[float] = []
    with Journal(folder / f"{plan.workers}-{plan.threads}.journal", {}) as journal:
        journal.add(listed([str(clips)]))
        run(journal, settings, ENGINE, plan, folder, lambda *_: ends.append(time.perf_counter()))
        rows = list(journal.rows())
    warm = ends[plan.workers :]  # the first is the beginning itself
    return (len(warm) - 1) / (warm[-1] - warm[0]), rows


def stages(rows: list) -> dict[str, float]:
    """Mean seconds a file; `read` is fetching, hashing, opening and decoding."""
    timings = [row.answer["timings_s"] for row in rows if "timings_s" in row.answer]
    out = {stage: statistics.mean(t[stage] for t in timings) for stage in ("faces", "score")}
    total = statistics.mean(row.seconds for row in rows if "timings_s" in row.answer)
    return {k: round(v, 3) for k, v in ({"read": total - sum(out.values())} | out).items()}


if __name__ == "__main__":
    main()
