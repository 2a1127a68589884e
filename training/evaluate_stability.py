"""Measure on val what changed views of the same faces do to answers: how many right and how many wrong ones they turn.

    python training/evaluate_stability.py --data ../shared/data
    python training/evaluate_stability.py --limit 12    # to try it: prints, writes nothing

Of the vote and of each default voter alone, clips and pictures, through the code that serves; people, logits and views that
were found before are taken from the cache, so that it may be stopped and started again. The counts are kept with the figures
of the models and of the vote (`stability`, and for the vote with the views `val_clips_steady` and `val_pictures_steady`) and
stand in the cards. Reports show the figures without views, which are asked only where a user wants them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import tyro

from tbd_app.known import MeasuredKind
from tbd_app.models import registry
from training.evaluation import card, ledger, steadiness
from training.evaluation.answers import ENSEMBLE
from training.evaluation.seen import CACHE
from training.faces.index import Item, read_index

KINDS: dict[MeasuredKind, tuple[str, str]] = {
    "video": ("val_clips", "video"),
    "image": ("val_pictures", "image"),
}


@dataclass(frozen=True)
class Config:
    """What the command takes.

    Attributes:
        data: folder with index.csv.
        cache: people, logits and views that were found before.
        limit: so many files of each kind, chosen by lot; nothing is written then. 0 takes all and writes.
        pictures: also pictures.
        seed: of the lot.
    """

    data: Path = Path("../shared/data")
    cache: Path = CACHE
    limit: int = 0
    pictures: bool = True
    seed: int = 0


def main(config: Config) -> None:
    """Measure, print, and where all was measured keep it."""
    items = [i for i in read_index(config.data) if i.split == "val"]
    found = measure(items, config)
    print(json.dumps(found, indent=1))
    if config.limit:
        return print("Of a part of the files: nothing is written.")
    for name, figures in found.items():
        ledger.add_figures(name, figures)
    for entry in ledger.entries().values():
        if entry["metrics"]:
            card.write_card(entry)


def measure(items: Sequence[Item], config: Config) -> dict[str, dict[str, Any]]:
    """Figures by default voter, and of the vote where more than one votes."""
    out: dict[str, dict[str, Any]] = {}
    for kind, (key, level) in KINDS.items():
        media = chosen([i for i in items if (i.kind == "video") == (kind == "video")], config)
        if not media or (kind == "image" and not config.pictures):
            continue
        for name, answers in steadiness.ask(
            media, registry.voters(["default"], kind), kind, config.cache
        ).items():
            figures = out.setdefault(name, {"stability": {}})
            figures["stability"][key] = steadiness.figures(media, answers)
            if name == ENSEMBLE:
                figures[f"{key}{steadiness.STEADY}"] = steadiness.with_views(media, answers, level)
    return out


def chosen(media: Sequence[Item], config: Config) -> list[Item]:
    """All, or so many by lot."""
    if not config.limit or config.limit >= len(media):
        return list(media)
    places = np.random.default_rng(config.seed).permutation(len(media))[: config.limit]
    return [media[n] for n in sorted(places)]


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
