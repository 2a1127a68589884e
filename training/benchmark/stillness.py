"""Are people who sit still flagged more often? Val clips in thirds by how much the real ones move, and what the vote says.

    python training/evaluate.py --record --data DATA        # runs/evaluate/ensemble.csv, what the vote said of each clip
    python training/benchmark/stillness.py --data DATA      # prints a Markdown table

Motion is how far the five landmarks move between sampled frames, in sides of the face: the median over the longest track.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import tyro

from tbd_app.settings import AnalysisSettings
from tbd_app.types import FaceTrack
from training.engine.metrics import mean_by_source
from training.evaluation.seen import CACHE, look
from training.faces.index import read_index

THIRDS = ("still", "between", "moving")


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv.
        cache: people that were found before.
        answers: what the vote said of each val clip.
    """

    data: Path = Path("../shared/data")
    cache: Path = CACHE
    answers: Path = Path("runs/evaluate/ensemble.csv")


def main(config: Config) -> None:
    """Print the table."""
    with config.answers.open(encoding="utf-8") as file:
        said = {row["file"]: row["vote"] for row in csv.DictReader(file) if row["variant"] == "original"}
    rows = []
    for item in read_index(config.data):
        if item.split == "val" and item.kind == "video":
            tracks = look(item.path, AnalysisSettings(), config.cache).usable
            if tracks:
                rows.append((item.label, motion(max(tracks, key=len)), said[item.path.name], item.source))
    labels, moved, votes, sources = map(np.array, zip(*rows, strict=True))
    print("\n".join(table(labels, moved, votes == "fake", sources)))


def motion(track: FaceTrack) -> float:
    """Median step of the landmarks between a track's frames, in sides of the face; 0 for a single frame."""
    if len(track) < 2:
        return 0.0
    steps = np.linalg.norm(np.diff(track.landmarks, axis=0), axis=-1).mean(axis=1)
    sides = (track.boxes[:, 2:] - track.boxes[:, :2]).max(axis=1)
    return float(np.median(steps / np.maximum(sides[1:], 1.0)))


def table(labels: np.ndarray, moved: np.ndarray, flagged: np.ndarray, sources: np.ndarray) -> Iterator[str]:
    """Lines of a Markdown table: thirds of the real clips by motion, and the fakes within the same bounds.

    Args:
        labels: (N,) 0 or 1.
        moved: (N,) `motion`.
        flagged: (N,) bool: called fake.
        sources: (N,) names that are resampled.
    """
    third = np.digitize(moved, np.quantile(moved[labels == 0], (1 / 3, 2 / 3)))
    yield "| motion | real clips | called fake | fake clips | called fake |"
    yield "|---|---|---|---|---|"
    for number, name in enumerate(THIRDS):
        cells = []
        for label in (0, 1):
            chosen = (labels == label) & (third == number)
            cells += [str(chosen.sum()), share(flagged[chosen], sources[chosen])]
        yield f"| {name} | {' | '.join(cells)} |"


def share(flagged: np.ndarray, sources: np.ndarray) -> str:
    """A share with its interval over sources, such as 5% (0%–10%); a dash of nothing."""
    if not len(flagged):
        return "–"
    mean, low, high = mean_by_source(flagged.astype(float), sources.tolist())
    return f"{mean:.0%} ({low:.0%}–{high:.0%})"


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
