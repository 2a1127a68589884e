"""`tbd analyze` over a whole folder of clips in one run: does every file get an answer?

    python benchmarks/collection.py --clips ../shared/data/clips

Says nothing about right or wrong, which is training/evaluate.py's business, nor about speed: it counts answers and refusals.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run, print, and write results/collection.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared" / "data" / "clips")
    args = parser.parse_args()
    files = sorted(str(p) for p in args.clips.resolve().rglob("*") if p.is_file())
    if not files:
        raise SystemExit(f"There is no file in {args.clips}.")
    command = [sys.executable, "-m", "tbd_app", "analyze", "--json", "-", "--no-explain", *files]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    result = summary(answers, len(files), done.returncode)
    print(json.dumps(result, indent=1))
    out = ROOT / "benchmarks" / "results"
    out.mkdir(exist_ok=True)
    (out / "collection.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def summary(answers: list[dict], n_files: int, exit_code: int) -> dict:
    """What came back for `n_files` files; met when each has an answer or a refusal with a code, and nothing crashed."""
    refused = Counter(a["error"]["code"] for a in answers if "error" in a)
    reports = [a for a in answers if "error" not in a]
    failed = Counter(
        f"{s['model']}: {s['reason']}"
        for a in reports
        for person in a["people"]
        for s in person["scores"]
        if s["status"] == "failed"
    )
    return {
        "files": n_files,
        "answers": len(answers),
        "exit_code": exit_code,
        "refused": dict(refused),
        "failed_scores": dict(failed),
        "verdicts": dict(Counter(a["verdict"]["label"] for a in reports)),
        "people": sum(len(a["people"]) for a in reports),
        "footage_s": round(sum(a["media"]["duration_s"] or 0 for a in reports), 1),
        "met": len(answers) == n_files and exit_code == 0 and not failed,
    }


if __name__ == "__main__":
    main()
