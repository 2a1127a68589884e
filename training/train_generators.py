"""Train the small generators whose traces stand for those of unknown ones; see `training/fakes/generators.py`.

    python training/train_generators.py --data ../shared/data
    python training/train_generators.py --architectures vq nearest --width 64 --loop.steps 40000
    python training/train_generators.py --toy

They learn to reproduce the real stills of the train split (where there are none, frames of its real clips), in values and in
edges at three scales. One after the other, each in a folder of its own below `--out`; `--loop.max-minutes` holds for each,
and `--resume` goes on where each stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import cv2
import numpy as np
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from training.datasets.batches import batches
from training.engine.config import LoopConfig, RunConfig, command
from training.engine.loop import fit
from training.engine.run import Run
from training.faces.open import Faces, open_faces
from training.fakes.generators import ARCHITECTURES, Generator, save_generator

SCRIPT = Path(__file__).stem


@dataclass(frozen=True)
class Config(RunConfig):
    """What the script has besides `RunConfig`.

    Attributes:
        architectures: which to train.
        width: channels at full size; more are slower and draw better.
        size_px: side of the pieces of faces that are learned from.
        batch: pieces a step and process.
        n_val: val stills that are reproduced at each validation.
    """

    out: Path = Path("runs/generators")
    architectures: tuple[str, ...] = ARCHITECTURES
    width: int = 32
    size_px: int = 128
    batch: int = 16
    n_val: int = 64
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=8000, lr=1e-3, weight_decay=0.0, validate_every=1000, monitor="psnr"
        )
    )


def main(config: Config) -> None:
    """Train each architecture; see the module's text."""
    faces = open_faces(config.data)
    kept = stills(faces["val"])[: config.n_val]
    val = torch.stack([to_tensor(piece(faces["val"], int(row), config.size_px)) for row in kept])
    total = config.loop.steps * config.loop.accumulate
    for architecture in config.architectures:
        set_seed(config.seed)
        out = config.out / architecture
        one = replace(config, out=out, resume=config.resume and (out / "last.pt").is_file())
        pieces = Pieces(faces["train"], config.size_px, config.seed)
        run = Run(one, SCRIPT, {split: part.items for split, part in faces.items()})
        generator = fit(
            Generator(architecture=architecture, width=config.width),
            lambda start, pieces=pieces: batches(pieces, config.batch, start, total, config.workers),
            loss_of,
            lambda model: {"psnr": psnr(model, val)},
            config.loop,
            run,
        )
        assert isinstance(generator, Generator)
        if run.writes:
            save_generator(generator, out / "generator.safetensors")


class Pieces(Dataset[Tensor]):
    """Item i is a random piece (3,S,S) of a real still, mirrored in half of the draws; the same seed and i give the same."""

    def __init__(self, faces: Faces, size_px: int, seed: int) -> None:
        self.faces, self.size_px, self.seed = faces, size_px, seed
        self.rows = stills(faces)

    def __getitem__(self, number: int) -> Tensor:
        rng = np.random.default_rng([self.seed, number])
        image = piece(self.faces, int(rng.choice(self.rows)), self.size_px, rng)
        return to_tensor(image[:, ::-1] if rng.random() < 0.5 else image)


def stills(faces: Faces) -> np.ndarray:
    """(N,) rows of the real stills of a split, or of its real clips where it has no still.

    Raises:
        SystemExit: there is no real face.
    """
    for kinds in (("crop", "image"), ("video",)):
        reals = [int(n) for n in faces.media(*kinds) if not faces.items[n].label]
        if reals:
            return np.concatenate([faces.rows(n) for n in reals])
    raise SystemExit("The split holds no real faces to learn from.")


def piece(faces: Faces, row: int, size_px: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """A square of a still, (S,S,3) uint8 RGB: of a random place and scale, or the whole."""
    image = faces.bank.image(row)
    shortest = min(image.shape[:2])
    side = shortest if rng is None else int(rng.integers(min(size_px, shortest), shortest + 1))
    spare = np.array(image.shape[:2]) - side
    top, left = spare // 2 if rng is None else rng.integers(spare + 1)
    return cv2.resize(
        image[top : top + side, left : left + side], (size_px, size_px), interpolation=cv2.INTER_AREA
    )


def to_tensor(image: np.ndarray) -> Tensor:
    """(H,W,3) uint8 RGB to (3,H,W) float32 in [-1,1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 127.5 - 1


def loss_of(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Distance of values and of edges at full, half and quarter size, and to the codes where there are some."""
    made, wanted = model(x).float(), x.float()
    values, edges = F.l1_loss(made, wanted), made.new_zeros(())
    for _ in range(3):
        for axis in (2, 3):
            edges = edges + F.l1_loss(made.diff(dim=axis), wanted.diff(dim=axis))
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    bare: nn.Module = getattr(model, "module", model)
    assert isinstance(bare, Generator)
    return {"loss": values + 0.5 * edges + 0.25 * bare.commitment(), "value_loss": values.detach()}


@torch.no_grad()
def psnr(model: nn.Module, x: Tensor) -> float:
    """Mean peak signal-to-noise ratio in dB over pictures (N,3,S,S) in [-1,1]."""
    model.eval()
    device = next(model.parameters()).device
    errors = [
        (model(part.to(device)).clamp(-1, 1).cpu() - part).square().mean((1, 2, 3)) for part in x.split(8)
    ]
    return float((10 * torch.log10(4 / torch.cat(errors).clamp_min(1e-8))).mean())


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
