"""Print how well sharpness, codec, colour and place alone tell the real from the fake of train pairs, as a Markdown table.

    python training/evaluate_pairs.py --data DATA                 # the pairs of real generators and pseudo-fakes
    python training/evaluate_pairs.py --data DATA --shares blend  # the frame model's

Areas under the curve of boosted trees on sources that they did not learn from; .5 says that a measure tells nothing. Before:
the crops as they are. After: the same crops, degraded as a step sees them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import tyro
from tqdm import tqdm

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from training.benchmark.probes import PICTURE_PROBES, place, told_apart
from training.datasets.augment import degrade
from training.datasets.pairs import PairDataset
from training.datasets.shares import SHARES
from training.faces.open import open_faces


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv, or with what `extract_faces.py` wrote.
        shares: whose pairs.
        model: whose crop.
        frames: cut from each video of an index.csv.
        pairs: of each source of pairs.
        seed: of every draw.
    """

    data: Path = Path("../shared/data")
    shares: Literal["mixed", "blend"] = "mixed"
    model: str = "clip_b16_ln1"
    frames: int = 12
    pairs: int = 400
    seed: int = 0


def main(config: Config) -> None:
    """Measure every source of pairs; see the module's text."""
    faces = open_faces(config.data, n_frames=config.frames, splits=("train",))["train"]
    preprocess = for_spec(registry.spec(config.model))
    print("| pairs | measure | before | after |\n|---|---|---|---|")
    empty = True
    for source in SHARES[config.shares]:
        try:
            pairs = PairDataset(
                faces.bank, faces.items, preprocess, length=config.pairs, seed=config.seed, sources=[source],
                shares=SHARES[config.shares],
            )  # fmt: skip
        except SystemExit:
            continue  # the collection has none of these
        empty = False
        before, after, places, sources = measured(pairs, config)
        labels = np.tile([0, 1], config.pairs)
        for name in PICTURE_PROBES:
            cells = [_cell(told_apart(found[name], labels, sources)) for found in (before, after)]
            print(f"| {source} | {name} | {cells[0]} | {cells[1]} |")
        if any(real != fake for real, fake in places):
            rows = [row for pair in places for row in pair]
            where = [_place(pairs, row) for row in rows]
            print(f"| {source} | place and size | {_cell(told_apart(where, labels, sources))} | |")
    if empty:
        raise SystemExit(f"The collection has none of the pairs that --shares {config.shares} asks for.")


Measures = dict[str, list[list[float]]]


def measured(
    pairs: PairDataset, config: Config
) -> tuple[Measures, Measures, list[tuple[int, int]], list[str]]:
    """Measures of each pair's crops before and after degradation, real first; the rows; the source of every crop."""
    before: Measures = defaultdict(list)
    after: Measures = defaultdict(list)
    rows, sources = [], []
    for number in tqdm(range(config.pairs), desc=pairs.sources[0], unit="pair", leave=False):
        rng = np.random.default_rng([config.seed, number])
        made = pairs.made(rng, number)
        _add(before, made.pictures)
        _add(after, degrade(made.pictures, rng))
        rows.append(made.rows)
        # The fake's: pairs of one source stay together in folds, whatever real stands beside.
        sources += [pairs.items[int(pairs.bank.item[made.rows[1]])].source] * 2
    return before, after, rows, sources


def _add(found: Measures, pictures: Sequence[np.ndarray]) -> None:
    for name, measure in PICTURE_PROBES.items():
        found[name] += [measure(picture) for picture in pictures]


def _place(pairs: PairDataset, row: int) -> list[float]:
    height, width = pairs.bank.image(row).shape[:2]
    return place(pairs.bank.boxes[row], width, height)


def _cell(figures: tuple[float, float, float]) -> str:
    value, low, high = figures
    return f"{value:.3f} ({low:.2f}-{high:.2f})".replace("0.", ".")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
