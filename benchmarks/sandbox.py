"""What the layers of the sandbox cost: reading a clip with and without them, beside a whole analysis.

    python benchmarks/sandbox.py [--runs 10]

Both kinds run in turn, so that a busy machine slows both; the share is of the fastest runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import tbd_app
from tbd_app.media import child, sandbox, waiting
from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.settings import Limits

CLIP = Path(__file__).resolve().parent.parent / "examples" / "drawn_face.mp4"
WITH = child.CHILD
WITHOUT = (
    "from tbd_app.media import confined, rights; rights.rest = lambda parent: {}; "
    "rights.give_up = lambda limits, cpu_s, file: {}; confined.main()"
)


def reading(code: str) -> float:
    """Seconds from the file to its frames, with children that wait as in a server."""
    sandbox.close()
    child.CHILD = code
    limits = Limits()
    open_media(CLIP, limits)  # leaves a child behind that waits
    time.sleep(waiting.KEPT_S + 1)  # the one that has this file has ended
    start = time.perf_counter()
    sample(open_media(CLIP, limits), 32, limits)
    return time.perf_counter() - start


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    seconds = {name: [] for name in ("with", "without")}
    for _ in range(runs):
        seconds["with"].append(reading(WITH))
        seconds["without"].append(reading(WITHOUT))
    child.CHILD = WITH
    tbd_app.analyze(CLIP)
    whole = []
    for _ in range(3):
        start = time.perf_counter()
        tbd_app.analyze(CLIP)
        whole.append(time.perf_counter() - start)
    cost = min(seconds["with"]) - min(seconds["without"])
    for name, found in seconds.items():
        print(f"reading {name} layers: fastest {min(found):.3f} s, median {statistics.median(found):.3f} s")
    print(
        f"a whole analysis: fastest {min(whole):.2f} s; the layers take {100 * cost / min(whole):.1f} % of it"
    )
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
