"""Measure every installed model on pictures under the corruption suite; write a table and a heat map.

    python training/evaluate_corruptions.py --data ../shared/data
    python training/evaluate_corruptions.py --data ../shared/data --record    # docs/robustness.md and its figure, too

Models are asked as they are served. Clips are measured whole and with the codecs of the suite by `evaluate.py --corruptions`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import tyro

from tbd_app.models import registry
from training.benchmark import suite
from training.datasets.pictures import chosen
from training.engine.config import in_one_sentence
from training.evaluation.marked import replaced
from training.evaluation.plots import FIGURES
from training.faces.open import open_faces

PAGE = Path(__file__).resolve().parents[1] / "docs" / "robustness.md"
MARKS = ("<!-- suite: begin, written by evaluate_corruptions.py --record -->", "<!-- suite: end -->")


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv or index.parquet, or "toy".
        split: what is measured.
        models: registered models; all that are installed without any.
        frames: cut from each video of an index.csv.
        kinds: of media ("crop", "image", "video"); of a video its first face is taken.
        n_media: measured media of each class, spread over the index; 0 for all.
        device: torch's name of it.
        out: where table.md, table.json and corruptions.png go.
        record: write table and figure into docs/, too.
    """

    data: Path = Path("../shared/data")
    split: str = "val"
    models: tuple[str, ...] = ()
    frames: int = 12
    kinds: tuple[str, ...] = ("image",)
    n_media: int = 0
    device: str = "cpu"
    out: Path = Path("runs/corruptions")
    record: bool = False


def main(config: Config) -> None:
    """Measure, then write the table."""
    names = config.models or tuple(n for n in registry.list_models() if registry.is_installed(n))
    faces = open_faces(config.data, n_frames=config.frames, splits=(config.split,))[config.split]
    media = chosen(faces, config.kinds, config.n_media)
    labels = np.array([faces.items[n].label for n in media])
    groups = [faces.items[n].group for n in media]
    rows = [int(faces.rows(int(n))[0]) for n in media]
    measured = suite.figures(labels, groups, suite.logits(names, faces, rows, config.device))
    write(config, measured, labels, groups)


def write(config: Config, measured: suite.Figures, labels: np.ndarray, groups: list[str]) -> None:
    """table.md for readers and table.json for programs, and the figure."""
    config.out.mkdir(parents=True, exist_ok=True)
    n_fake = int(labels.sum())
    head = (
        f"{len(labels) - n_fake} real and {n_fake} fake media ({', '.join(config.kinds)}) of {len(set(groups))} sources "
        f"({config.split}), one face of each. A star: less than without the corruption, by a 95 % interval over drawn "
        "sources that does not hold zero.\n\n"
    )
    text = head + suite.table(measured)
    (config.out / "table.md").write_text(text, encoding="utf-8")
    (config.out / "table.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    suite.picture(measured, config.out / "corruptions.png")
    print(text)
    if config.record:
        suite.picture(measured, FIGURES / "corruptions.png")
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), MARKS, text), encoding="utf-8")


if __name__ == "__main__":
    in_one_sentence(lambda: main(tyro.cli(Config, description=__doc__)))
