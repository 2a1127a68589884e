"""What a GPU gives beside the same machine's CPU: seconds of a whole analysis, faces a second of each voter, memory.

    python benchmarks/gpu.py                                # a generated clip; writes nothing
    python benchmarks/gpu.py --media CLIP --out FOLDER      # also FOLDER/gpu.json
    script/gpu-speed pack; script/gpu-speed measure OUT     # on a machine that is lent for minutes

Both sides take the same file and the same faces, models are loaded before, and the fastest turn counts, since minutes allow
few. Labels must be the same and probabilities within .02, and a batch that is too large for the memory allowed must give the
same answers in two halves. `speed.py` prints the same where there is a GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch

from tbd_app import analyze
from tbd_app.models import registry
from tbd_app.pipeline import batches, people, score
from tbd_app.pipeline.crops import for_spec
from tbd_app.settings import AnalysisSettings

WITHIN = 0.02


def main() -> None:
    """Measure and print; ends with 1 where an answer differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, help="a clip, in place of a generated one")
    parser.add_argument("--out", type=Path, help="a folder for gpu.json")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--faces", type=int, default=64, help="of a voter's batch")
    parser.add_argument("--device", default="cuda", help="cpu shows that it runs where there is no GPU")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.media or generated(Path(folder))
        result = measured(path, args.repeats, args.faces, args.device)
    print(json.dumps(result, indent=1))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "gpu.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if result["same"] else 1)


def generated(folder: Path) -> Path:
    """Two seconds of a moving portrait, 1280 x 720 px."""
    from tests import media_factory  # and with it a picture that a machine lent for minutes lacks

    return media_factory.portrait_clip(folder / "clip.mp4", n_frames=50, size=(1280, 720), fps=25)


def measured(path: Path, repeats: int = 3, n_faces: int = 64, device: str = "cuda") -> dict[str, Any]:
    """The figures of a device beside the CPU's."""
    sides = ("cpu", device)
    here, there = (analyze(path, explain=False, device=side) for side in sides)  # loads the models
    seconds = {
        side: best_of(repeats, lambda side=side: analyze(path, explain=False, device=side)) for side in sides
    }
    far = max(
        abs((a.fake_prob or 0) - (b.fake_prob or 0))
        for a, b in zip(here.people[0].scores, there.people[0].scores, strict=True)
    )
    same = here.verdict.label == there.verdict.label and far <= WITHIN
    found = people.find(path, AnalysisSettings(explain=False, device="cpu"))
    voters = {
        name: of_voter(found, name, repeats, n_faces, device)
        for name in registry.voters(["default"], "video")
    }
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "cpu_threads": torch.get_num_threads(),
        "analysis_s": {side: round(value, 3) for side, value in seconds.items()},
        "stages_s": {side: rounded(r.timings_s) for side, r in zip(sides, (here, there), strict=True)},
        "furthest_probability": round(far, 4),
        "voters": voters,
        "same": same and all(v["halved_differs"] <= WITHIN for v in voters.values()),
    }
    if device == "cuda":
        result["peak_gpu_mib"] = round(torch.cuda.max_memory_reserved() / 2**20, 1)
    return result


def of_voter(found: people.People, name: str, repeats: int, n_faces: int, device: str) -> dict[str, Any]:
    """Faces a second of one voter on both sides, the share of copying, and its answers where memory is short."""
    spec = registry.spec(name)
    track, preprocess = found.tracks[0], for_spec(spec)
    rows = np.resize(np.arange(len(track)), n_faces)
    images = [found.frames.images[int(track.positions[row])] for row in rows]
    crops = preprocess.crops(images, track.boxes[rows], track.landmarks[rows])
    rates: dict[str, float] = {}
    for side in ("cpu", device):
        model = score.loaded(name, side)
        read = model.frame_features if spec.task == "clip" and model.frame_by_frame else model

        def scored(side: str = side, read: Callable[[torch.Tensor], torch.Tensor] = read) -> np.ndarray:
            return score.run(read, preprocess.tensor(crops, side)).float().cpu().numpy()

        whole = scored()
        rates[side] = round(n_faces / best_of(repeats, scored), 1)
    out: dict[str, Any] = {
        "faces_a_second": rates,
        "at_once": batches.at_once(score.loaded(name, device), device),
    }
    far = np.abs(whole - short_of_memory(scored, device)).max() / np.abs(whole).max()
    out["halved_differs"] = round(float(far), 4)
    if device == "cuda":
        out["copying_s"] = {
            "pinned": best_of(repeats, lambda: copied(lambda x: batches.on_device(x, device), crops)),
            "plain": best_of(repeats, lambda: copied(lambda x: x.to(device), crops)),
        }
    return out


def short_of_memory(scored: Callable[[], np.ndarray], device: str) -> np.ndarray:
    """What is scored while a GPU allows little more than half of what the batch took."""
    if device != "cuda":
        return scored()
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    scored()
    taken = torch.cuda.max_memory_reserved() - held
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((held + 0.75 * taken) / total)
    try:
        return scored()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def copied(copy: Callable[[torch.Tensor], torch.Tensor], crops: np.ndarray) -> None:
    """Crops on their way, and the end of it."""
    copy(torch.from_numpy(crops))
    torch.cuda.synchronize()


def best_of(repeats: int, run: Callable[[], Any]) -> float:
    """Seconds of the fastest turn."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def rounded(seconds: dict[str, float]) -> dict[str, float]:
    """Milliseconds are enough."""
    return {name: round(value, 3) for name, value in seconds.items()}


if __name__ == "__main__":
    main()
