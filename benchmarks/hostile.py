"""Reads the hostile corpus with the limits of a server, and writes the table of docs/security.md: answer, seconds, peak MiB.

python benchmarks/hostile.py            all cases, each in a process of its own
python benchmarks/hostile.py --case "zip: bomb"
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from tbd_app.media import sandbox
from tbd_app.settings import Limits
from tests import fuzz, hostile
from training.evaluation.marked import replaced

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
MARKS = ("<!-- corpus: begin, written by benchmarks/hostile.py -->", "<!-- corpus: end -->")


def one(name: str) -> dict[str, object]:
    """A case in this process, whose only children are those of the sandbox."""
    with tempfile.TemporaryDirectory(prefix="tbd-hostile-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(hostile.CASES[name].make(Path(folder)))
        n_bytes = path.stat().st_size
        start = time.perf_counter()
        said = fuzz.answer(path, Limits())
        seconds = time.perf_counter() - start
    sandbox.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"case": name, "bytes": n_bytes, "answer": said.code, "seconds": seconds, "peak_mib": peak}


def table(rows: list[dict[str, object]]) -> str:
    """The rows in Markdown, with where and how they were measured."""
    out = ["| case | bytes | answer | seconds | peak MiB |", "|---|---|---|---|---|"]
    out += [
        f"| {r['case']} | {r['bytes']:,} | {r['answer']} | {r['seconds']:.1f} | {r['peak_mib']:.0f} |"
        for r in rows
    ]
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores of {platform.machine()}"
    return "\n".join(
        [*out, "", f"Measured {time.strftime('%Y-%m-%d')}, {load}; seconds of the whole reading."]
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--case")
    case = parser.parse_args().case
    if case:
        print(json.dumps(one(case)))
        return
    rows = []
    for name in hostile.CASES:
        command = [sys.executable, __file__, "--case", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
        if rows[-1]["answer"] not in hostile.CASES[name].answers:
            sys.exit(f"{name}: a wrong answer")
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, table(rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
