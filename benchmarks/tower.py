"""What a face costs on CLIP's B/16 tower: float32, bfloat16 by autocast, and the tower held in bfloat16 as it is served.

    python benchmarks/tower.py

The three take turns on the same batch of noise; medians over the rounds, and ratios of them. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import torch

from tbd_app.models import registry
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.pipeline.score import has_bf16

ROOT = Path(__file__).resolve().parent.parent
MODEL = "clip_b16_ln1"  # norms and a layer on the tower: as good as the tower alone


def main() -> None:
    """Measure, print, and write results/tower.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--faces", type=int, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "tower.json")
    args = parser.parse_args()
    result = measure(args.rounds, args.faces)
    print(json.dumps(result, indent=1))
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(rounds: int, n_faces: int) -> dict[str, object]:
    """Seconds a face of each way, and how many times the other two take of the held tower's."""
    exact, held = (registry.create_model(MODEL, pretrained=True).eval() for _ in range(2))
    if not isinstance(held, ClipDetector):
        raise TypeError(f"{MODEL} stands on no tower")
    held.hold(torch.bfloat16)
    x = torch.randn(n_faces, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def by_autocast() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return exact(x)

    ways: dict[str, Callable[[], torch.Tensor]] = {
        "float32": lambda: exact(x), "autocast": by_autocast, "held": lambda: held(x)
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(rounds + 1):  # the first one warms up
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                seconds[name].append((time.perf_counter() - began) / n_faces)
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
    return {
        "threads": torch.get_num_threads(),
        "native_bfloat16": has_bf16("cpu"),
        "rounds": rounds,
        "seconds_a_face": {name: round(value, 4) for name, value in medians.items()},
        "times_of_held": {name: round(value / medians["held"], 2) for name, value in medians.items()},
    }


if __name__ == "__main__":
    main()
