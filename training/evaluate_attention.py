"""Show what models look at: sheets of faces with Grad-CAM and, where a model has any, its own attention beside it.

    python training/evaluate_attention.py --media FOLDER --models clip_b16_ln1 --out runs/attention
    TBD_WEIGHTS_DIR=my_weights python training/evaluate_attention.py --media a.mp4 b.mp4 --models clip_b16_stan,dfd_fcg_b16

Each file gives a few rows: the frames of its largest person that speak most for a fake; of a clip model, those of the clip
that it judges. Maps are made by the code that serves, so they are those of `tbd analyze --attention --html`. Attention shows
where a model looks, not why it decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import tyro
from tqdm import tqdm

from tbd_app.cli.batch import expand
from tbd_app.errors import TBDError
from tbd_app.models import registry
from tbd_app.settings import AnalysisSettings
from training.benchmark import sheet
from training.engine.config import in_one_sentence


@dataclass(frozen=True)
class Config:
    """Whose faces to show, and which models look at them.

    Attributes:
        media: folders and files: videos, pictures, zips of frames.
        models: installed models, joined by commas or one after another.
        faces: rows of each file, at most 4.
        limit: so many files at most; 0 takes all.
        frames: sampled from each file.
        out: folder of the sheets.
    """

    media: tuple[Path, ...]
    models: tuple[str, ...] = ("clip_b16_ln1",)
    faces: int = 1
    limit: int = 0
    frames: int = 32
    out: Path = Path("runs/attention")


def main(config: Config) -> None:
    """Write a sheet or more of each model.

    Raises:
        SystemExit: no file shows a face that can be judged.
    """
    files, _ = expand(config.media)
    files = files[: config.limit or None]
    for model in registry.resolve([name for words in config.models for name in words.split(",") if name]):
        if not registry.is_installed(model):
            raise SystemExit(registry.how_to_get(model))
        settings = AnalysisSettings(n_frames=config.frames, models=(model,), device="cpu")
        rows: list[sheet.Row] = []
        for path in tqdm(files, desc=model, unit="file"):
            try:
                rows += sheet.rows_of(path, model, settings, config.faces)
            except TBDError as error:
                print(f"{path.name}: {error.message}")
        if not rows:
            raise SystemExit(f"No file shows a face that {model} can judge.")
        if not any(row.attention for row in rows):
            print(f"{model} has no attention of its own to show; its sheet has Grad-CAM alone.")
        for path in sheet.write(config.out, model, rows):
            print(path)


if __name__ == "__main__":
    in_one_sentence(lambda: main(tyro.cli(Config, description=__doc__)))
