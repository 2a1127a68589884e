"""Pass 1 of the face search against `MTCNN(keep_all=True)` on full frames: cost on 1080p frames and recall, in one run.

    python benchmarks/faces.py --data ../shared/data

A reference face counts when its score is at least 0.9 and its longer side at least 64 px; it is found when a verified face
overlaps it with an IoU above 0.4.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
from facenet_pytorch import MTCNN

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.pipeline.faces import FaceDetector, iou
from tbd_app.settings import Limits
from training.engine.metrics import wilson

ROOT = Path(__file__).resolve().parent.parent
MAX_COST, MIN_RECALL = 0.2, 0.98
MIN_SCORE, MIN_SIDE_PX = 0.9, 64


def main() -> None:
    """Measure, print, and write results/faces.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=8, help="sampled from each clip")
    args = parser.parse_args()
    naive, ours = MTCNN(keep_all=True), FaceDetector()
    wanted = found = clips = 0
    cost: dict[str, list[float]] = {"naive": [], "pass_1": [], "both_passes": []}
    for path in sorted((args.data / "clips").glob("*/*")):
        images = sample(open_media(path, Limits()), args.frames, Limits()).images
        start = time.perf_counter()
        reference = [naive.detect(image) for image in images]
        after_naive = time.perf_counter()
        ours.candidates(images)
        after_pass_1 = time.perf_counter()
        faces = ours.detect(images)
        after_both = time.perf_counter()
        clips += 1
        if max(images[0].shape[:2]) == 1920:
            cost["naive"].append((after_naive - start) / len(images))
            cost["pass_1"].append((after_pass_1 - after_naive) / len(images))
            cost["both_passes"].append((after_both - after_pass_1) / len(images))
        for boxes, result in zip(reference, faces, strict=True):
            for box in large(*boxes):
                wanted += 1
                verified = result.boxes[result.verified]
                found += any(iou(box, other) > 0.4 for other in verified)
    low, high = wilson(found, wanted)
    seconds = {name: statistics.median(values) for name, values in cost.items()}
    result = {
        "clips": clips,
        "reference_faces": wanted,
        "recall": round(found / wanted, 4),
        "recall_ci": [round(low, 4), round(high, 4)],
        "clips_1080p": len(cost["naive"]),
        "seconds_per_1080p_frame": {name: round(value, 4) for name, value in seconds.items()},
        "cost_of_pass_1": round(seconds["pass_1"] / seconds["naive"], 3),
        "cost_of_both_passes": round(seconds["both_passes"] / seconds["naive"], 3),
    }
    result["met"] = result["cost_of_pass_1"] <= MAX_COST and result["recall"] >= MIN_RECALL
    print(json.dumps(result, indent=1))
    out = ROOT / "benchmarks" / "results"
    out.mkdir(exist_ok=True)
    (out / "faces.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["met"] else 1)


def large(boxes: np.ndarray | None, scores: np.ndarray) -> Iterator[np.ndarray]:
    """The reference faces that must be found."""
    if boxes is None:
        return
    for box, value in zip(np.asarray(boxes, np.float32), scores, strict=True):
        if value >= MIN_SCORE and max(box[2:] - box[:2]) >= MIN_SIDE_PX:
            yield box


if __name__ == "__main__":
    main()
