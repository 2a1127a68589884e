"""What sleeping threads cost an idle machine, and what they save on a busy one: whole analyses of a clip of 3 s.

    python benchmarks/threads.py                       # both bounds, and what spinning for longer would give
    python benchmarks/threads.py --spins --rounds 3    # the setting of tbd_app alone

Processes with loaded models take turns: one as `tbd_app` sets OpenMP's threads ("ours"), one as OpenMP has them by itself
("usual"), and one for each number of `--spins`, turns after which a waiting thread sleeps (100,000 are about a
millisecond). Each is asked on an otherwise idle machine, then beside two processes that count. Grad-CAM is off. Ratios are
taken within each round, and their median counts. The exit code is 1 where a bound is not kept. Run it where nothing else
runs: the load before the start is noted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import tbd_app

# isort: split

ROOT = Path(__file__).resolve().parent.parent
MAX_IDLE_RATIO, MAX_BUSY_RATIO = 1.03, 3.0
BUSY_PROCESSES = 2
DROPPED = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")  # one thread never waits for another
SPINS = (1_000, 10_000, 100_000)
# What libgomp does when neither is set; a value in the environment keeps tbd_app from setting its own.
SETTINGS: dict[str, dict[str, str]] = {"ours": {}, "usual": {"GOMP_SPINCOUNT": "300000"}}


def main() -> None:
    """Measure, print, and write results/threads.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--spins", type=int, nargs="*", default=SPINS, help="other settings to compare")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "threads.json")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    from tests.media_factory import portrait_clip

    with tempfile.TemporaryDirectory() as folder:
        clip = portrait_clip(Path(folder) / "clip.mp4", n_frames=75, size=(640, 480), fps=25)
        load = round(os.getloadavg()[0], 2)
        result = summary(measure(clip, args.rounds, args.spins)) | {"load_before": load}
    print(json.dumps(result, indent=1))
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def measure(clip: Path, rounds: int, spins: Sequence[int]) -> list[dict[str, float]]:
    """Seconds of an analysis, of each round: of each setting, idle and busy."""
    settings = SETTINGS | {
        f"spins_{n}": {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": str(n)} for n in spins
    }
    out = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(clip, env)) for name, env in settings.items()}
        for i in range(rounds):
            # Who goes first changes, so that warmth is nobody's gain.
            names = list(workers) if i % 2 == 0 else list(workers)[::-1]
            seconds = {f"idle_{name}": ask(workers[name]) for name in names}
            with busy():
                seconds |= {f"busy_{name}": ask(workers[name]) for name in names}
            out.append(seconds)
            print(f"round {i + 1} of {rounds}: {seconds}", file=sys.stderr)
    return out


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Median seconds and paired ratios of each setting, and whether that of `tbd_app` keeps the bounds.

    Returns:
        `settings` by name: `idle_s` and `busy_s`; `idle_over_usual`, in each round and their median; `busy_over_idle`, the
        median; `kept`, whether both bounds are.
    """
    settings: dict[str, dict[str, Any]] = {}
    for name in (key.removeprefix("idle_") for key in rounds[0] if key.startswith("idle_")):
        idle, busy, usual = (
            [r[key] for r in rounds] for key in (f"idle_{name}", f"busy_{name}", "idle_usual")
        )
        each = [round(a / b, 3) for a, b in zip(idle, usual, strict=True)]
        loss = statistics.median(each)
        growth = round(statistics.median(b / i for b, i in zip(busy, idle, strict=True)), 3)
        settings[name] = {
            "idle_s": round(statistics.median(idle), 3),
            "busy_s": round(statistics.median(busy), 3),
            "idle_over_usual": loss,
            "idle_over_usual_each": each,
            "busy_over_idle": growth,
            "kept": loss <= MAX_IDLE_RATIO and growth <= MAX_BUSY_RATIO,
        }
    return {
        "settings": settings,
        "most": {"idle_over_usual": MAX_IDLE_RATIO, "busy_over_idle": MAX_BUSY_RATIO},
        "met": settings["ours"]["kept"],
        "rounds": len(rounds),
        "busy_processes": BUSY_PROCESSES,
        "cores": os.cpu_count(),
        "clip": "generated portrait, 640x480, 3 s, h264",
    }


@contextmanager
def worker(clip: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process that analyses the clip whenever it is asked, warmed up."""
    inherited = {k: v for k, v in os.environ.items() if k not in DROPPED}
    command = [sys.executable, __file__, "--serve", str(clip)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=inherited | env, **pipes) as process:  # noqa: S603
        try:
            ask(process)
            yield process
        finally:
            process.terminate()


def ask(process: subprocess.Popen[str]) -> float:
    """Seconds that a worker takes for one analysis."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker has no pipes")
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def serve(clip: Path) -> None:
    """A worker: analyses the clip for every line of standard input and prints the seconds."""
    for _ in sys.stdin:
        start = time.perf_counter()
        tbd_app.analyze(clip, explain=False)
        print(time.perf_counter() - start, flush=True)


@contextmanager
def busy() -> Iterator[None]:
    """Other work: processes that do nothing but count."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(BUSY_PROCESSES)]  # noqa: S603
    try:
        time.sleep(0.5)  # until they run
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
