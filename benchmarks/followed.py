"""Faces as an analysis finds them against a full search of every frame: the same answers, in how much of the time?

    python benchmarks/followed.py --data ../shared/data --split val

Every video of a split is searched both ways. Where a face differs by more than rounding, the file is analysed both ways, too.
The command fails where a label differs, or a probability by more than 0.02.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
from tqdm import tqdm

from tbd_app.errors import TBDError
from tbd_app.pipeline import followed, people
from tbd_app.pipeline.analyze import analyze_events
from tbd_app.pipeline.faces import FaceDetector
from tbd_app.settings import AnalysisSettings
from tbd_app.types import Faces, Frames, Media, Report
from training.faces.index import read_index

ROOT = Path(__file__).resolve().parent.parent
SAME_PX = 0.5  # a batch of another size moves a box by less
MOST_APART = 0.02  # between probabilities of the whole
Found = list[tuple[str | None, float | None]]  # label and probability, of the file and of each person


def main() -> None:
    """Measure, print, and write results/followed.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--list", type=Path, help="where to write the paths of the files whose faces differ")
    args = parser.parse_args()
    items = [i for i in read_index(args.data) if i.split == args.split and i.kind == "video"]
    settings = AnalysisSettings(explain=False, stability=False)
    detector = people.detector("cpu", settings.min_face_px)
    seconds = {"searched": 0.0, "followed": 0.0}
    counts = {"files": 0, "frames": 0, "frames_that_differ": 0}
    apart: list[tuple[Path, Found, Found]] = []
    for item in tqdm(items, unit="file"):
        try:
            read = people.read(item.path, settings)
        except TBDError as error:
            tqdm.write(f"left out: {item.path.name}: {error.message}")
            continue
        frames = read[1]
        both: dict[str, list[Faces]] = {}
        for way, run in (("searched", searched), ("followed", followed.detect)):
            start = time.perf_counter()
            both[way] = run(detector, frames, settings.face_confidence)
            seconds[way] += time.perf_counter() - start
        differ = sum(not same(a, b) for a, b in zip(both["searched"], both["followed"], strict=True))
        counts["files"] += 1
        counts["frames"] += len(frames)
        counts["frames_that_differ"] += differ
        if differ:
            apart.append((item.path, *both_ways(item.path, settings, read)))
    result = summary(counts, seconds, apart)
    print(json.dumps(result, indent=1))
    if args.list:
        args.list.write_text("".join(f"{path}\n" for path, *_ in apart), encoding="utf-8")
    (ROOT / "benchmarks" / "results" / "followed.json").write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def searched(detector: FaceDetector, frames: Frames, confidence: float) -> list[Faces]:
    """Every frame searched for faces of all sizes."""
    return detector.detect(frames.images, confidence)


def same(a: Faces, b: Faces) -> bool:
    """Whether two searches of a frame found the same faces in the same places."""
    if len(a) != len(b) or (a.verified != b.verified).any():
        return False
    return bool(np.abs(a.boxes - b.boxes).max(initial=0) <= SAME_PX)


def both_ways(path: Path, settings: AnalysisSettings, read: tuple[Media, Frames]) -> tuple[Found, Found]:
    """What an analysis says of a file with every frame searched, and as it is."""

    def plain(detector: FaceDetector, frames: Frames, confidence: float) -> Iterator[tuple[int, Faces]]:
        return detector.detect_iter(frames.images, confidence)

    with mock.patch.object(followed, "detect_iter", plain):
        before = said(path, settings, read)
    return before, said(path, settings, read)


def said(path: Path, settings: AnalysisSettings, read: tuple[Media, Frames]) -> Found:
    """Label and probability, first of the file."""
    *_, report = analyze_events(path, settings, read=read, pictures=False)
    if not isinstance(report, Report):
        raise TypeError("an analysis ends with a report")
    return [(v.label, v.fake_prob) for v in (report.verdict, *(p.verdict for p in report.people))]


def summary(
    counts: dict[str, int], seconds: dict[str, float], apart: Sequence[tuple[Path, Found, Found]]
) -> dict[str, Any]:
    """Counts, the ratio of the times, and the largest differences; met where labels are the same and probabilities near."""
    labels = sum([x for x, _ in a] != [x for x, _ in b] for _, a, b in apart)
    most = max((gap(a[0][1], b[0][1]) for _, a, b in apart), default=0.0)
    return {
        **counts,
        "files_that_differ": len(apart),
        "labels_that_differ": labels,
        "largest_difference_of_a_probability": round(most, 4),
        "followed_over_searched": round(seconds["followed"] / max(seconds["searched"], 1e-9), 3),
        "met": labels == 0 and most <= MOST_APART,
    }


def gap(a: float | None, b: float | None) -> float:
    """Between two probabilities; 1 where only one is known."""
    if a is None or b is None:
        return float(a is not b)
    return abs(a - b)


if __name__ == "__main__":
    main()
