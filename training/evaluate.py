"""Measure models on data sets, cut or raw; or, with --record, the installed models on val for cards and README.

    python training/evaluate.py --run runs/xception --data FFPP CELEBDF2 DFDC --split test --out runs/table
    python training/evaluate.py --models effnetv2_b0_frame,clip_b16_probe --data FACES --split test
    python training/evaluate.py --data ../shared/data --record    # figures, cards, manifest, README of the installed models
    python training/evaluate.py --no-measure    # the same files again, from the figures that are kept

Each --data is a folder with index.csv, or what extract_faces.py wrote; its faces are then scored without decoding anything
again. For every data set and model there are frame and video AUC, EER, AP, and at the shipped bound and at 0.5 balanced
accuracy, precision, recall, F1 and support of both classes with the confusion; the same for each method; intervals are drawn
over sources. A medium without a face counts as 0.5, and the coverage says how often. A run as it is (--run) has no bound of
its own: `export.py` chooses one, and --models measures what it wrote. Tables come as CSV, Markdown and LaTeX, with the
published figures beside them where there are any; curves as PNG. Scores are kept by the content of file and weights, so that
a stopped run goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import tyro

from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.settings import Device
from training.benchmark import measure
from training.engine.config import in_one_sentence
from training.evaluation import record
from training.evaluation.corruptions import CORRUPTIONS
from training.evaluation.seen import CACHE


@dataclass(frozen=True)
class Config:
    """What to measure, on what, and where the result goes.

    Attributes:
        data: folders with index.csv or index.parquet.
        split: which is measured.
        models: installed models, joined by commas or one after another; without them and --run all that are installed.
        run: folders of training runs, whose model.safetensors is measured as it is.
        frames: sampled from each raw clip.
        corruptions: of --record: which of `SUITE` in `evaluation/corruptions.py` to measure besides the original files.
        generators: of --record: folder of train_generators.py, whose held-out architecture draws fakes of val stills.
        device: where models score; auto takes a GPU where there is one. --record measures on the CPU.
        cache: people and logits that were found before.
        out: where tables, curves and the predictions per file are written.
        record: measure the installed models on val and write their figures, cards, the manifest and the README; nothing else
            touches these.
        measure: off to write them again from the figures that are kept, for example after a merge or with another bound of
            what counts as seen.
    """

    data: tuple[Path, ...] = (Path("../shared/data"),)
    split: str = "val"
    models: tuple[str, ...] = ()
    run: tuple[Path, ...] = ()
    frames: int = 32
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    generators: Path = Path("runs/generators")
    device: Device = "auto"
    cache: Path = CACHE
    out: Path = Path("runs/evaluate")
    record: bool = False
    measure: bool = True


def main(config: Config) -> None:
    """Write tables, or with `record` what the project says of its models.

    Raises:
        SystemExit: options do not go together, or a data set lacks the split.
        TBDError: no such model, weights that are not here, or no such device.
    """
    if not config.measure:
        return record.again()
    named = tuple(name for words in config.models for name in words.split(",") if name)
    if not config.record:
        device = score.pick_device(config.device)
        models = [measure.of_run(run, device) for run in config.run]
        names = named or (() if models else installed())
        models += [measure.installed(name, device) for name in registry.resolve(names)]
        return measure.write(
            config.data, config.split, models, config.out, cache=config.cache, n_frames=config.frames
        )
    if config.run or len(config.data) != 1 or config.split != "val":
        raise SystemExit(
            "--record measures installed models on val of one data set: leave out --run and --split."
        )
    record.measure(
        config.data[0],
        tuple(registry.resolve(named)) if named else installed(),
        n_frames=config.frames,
        corruptions=config.corruptions,
        generators=config.generators,
        cache=config.cache,
        out=config.out,
    )


def installed() -> tuple[str, ...]:
    """Models whose weights are here."""
    return tuple(name for name in registry.list_models() if registry.is_installed(name))


if __name__ == "__main__":
    in_one_sentence(lambda: main(tyro.cli(Config, description=__doc__)))
