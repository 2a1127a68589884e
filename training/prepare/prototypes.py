"""Make the prototypes of facial components that DFD-FCG starts from: CLIP's mean keys at lips, skin, eyes and nose.

    python training/prepare/prototypes.py --data DATA --model dfd_fcg_l14 --out prototypes_l14.safetensors

They come from real faces of the train split, aligned as the model's crops are. `train_dfd_fcg.py` makes its own when it is
given none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import tyro
from accelerate import PartialState

from tbd_app.models import registry
from tbd_app.models.nets.dfd_fcg import DfdFcg
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import ModelSpec
from training.faces.fan import with_fan
from training.faces.open import Faces, open_faces
from training.networks.components import prototypes_of, real_crops, real_rows, save_prototypes
from training.networks.towers import TowerConfig, open_model

LEAST = 500


@dataclass(frozen=True)
class Config:
    """Whose faces the prototypes are made of, and where they go.

    Attributes:
        data: folder with index.csv or index.parquet, or "toy".
        model: dfd_fcg_b32, dfd_fcg_b16 or dfd_fcg_l14.
        tower: where CLIP comes from.
        n_faces: real faces to average over, as evenly over the media as they come.
        frames: cut from each video of an index.csv.
        landmarks: five aligns by MTCNN's five points, as serving does; fan by 2D-FAN, where face-alignment is installed.
        out: file to write.
    """

    data: Path = Path("../shared/data")
    model: str = "dfd_fcg_l14"
    tower: TowerConfig = field(default_factory=TowerConfig)
    n_faces: int = 2000
    frames: int = 16
    landmarks: Literal["five", "fan"] = "five"
    out: Path = Path("runs/prototypes.safetensors")


def main(config: Config) -> None:
    """Average and write."""
    registered = registry.spec(config.model)
    model, spec = open_model(config.model, config.tower, registered.crop, registered.clip_len)
    if not isinstance(model, DfdFcg):
        raise SystemExit(f"{config.model} has no use for prototypes.")
    faces = open_faces(config.data, n_frames=config.frames, splits=("train",))["train"]
    if config.landmarks == "fan":
        faces = with_fan(faces, spec.crop)
    make(model, spec, faces, config.n_faces, config.out)
    print(f"{config.out} holds {tuple(model.queries().shape)} prototypes.")


def make(model: DfdFcg, spec: ModelSpec, faces: Faces, n_faces: int, path: Path) -> None:
    """Write the prototypes of a split's real faces; the model moves to the device that is there."""
    rows = real_rows(faces, n_faces)
    if len(rows) < LEAST:
        print(f"Prototypes of {len(rows)} real faces; {LEAST} or more make better ones.")
    prototypes = prototypes_of(model.to(PartialState().device), real_crops(faces, rows, for_spec(spec)))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_prototypes(path, prototypes, model, spec, len(rows))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
