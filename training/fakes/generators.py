"""Small autoencoders of clearly different architectures, through which a whole crop passes to get a generator's trace.

`training/train_generators.py` trains them on real stills; their checkpoints lie in `runs/generators/`. The architecture
`HELD_OUT` is for validation only: what a detector learned from the others must show on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from training.fakes.resynth import GRID, like_original

HELD_OUT = "shuffle"
_CODES = 512


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip: (B,C,H,W) to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Nearest(nn.Sequential):
    """Nearest neighbour, then a convolution: twice the size, C to `out` channels."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__(nn.Upsample(scale_factor=2), nn.Conv2d(width, out, 3, padding=1))


class Quantised(nn.Module):
    """Each place takes the nearest of `_CODES` vectors; gradients pass straight through. (B,C,h,w) to the same.

    Source: van den Oord et al., "Neural Discrete Representation Learning" (2017); codes follow the mean of what chose them.
    """

    codes: Tensor
    counts: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randn(_CODES, width))
        self.register_buffer("counts", torch.ones(_CODES))
        self.commitment = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        flat = x.permute(0, 2, 3, 1).flatten(0, 2).float()
        chosen = torch.cdist(flat, self.codes).argmin(1)
        if self.training:
            self._follow(flat.detach(), chosen)
        quantised = self.codes[chosen].view(x.shape[0], *x.shape[2:], -1).permute(0, 3, 1, 2)
        self.commitment = F.mse_loss(x.float(), quantised)
        return x + (quantised - x).detach()

    @torch.no_grad()
    def _follow(self, flat: Tensor, chosen: Tensor) -> None:
        counts = torch.bincount(chosen, minlength=_CODES).float()
        sums = torch.zeros_like(self.codes).index_add_(0, chosen, flat)
        used = counts > 0
        means = sums[used] / counts[used, None]
        self.codes[used] = self.codes[used].lerp(means, 0.1)
        self.counts.lerp_(counts, 0.01)
        # Codes that no one takes any more move to where data are.
        dead = torch.nonzero(self.counts < 0.01).flatten()
        self.codes[dead] = flat[torch.randint(len(flat), (len(dead),), device=flat.device)]
        self.counts[dead] = 1.0


def _transposed(w: int) -> nn.Sequential:
    """Strided and transposed convolutions of 4x4 with batch norm, three stages, as in DCGAN and pix2pix."""

    def down(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]

    def up(a: int, b: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]

    return nn.Sequential(
        *down(3, w), *down(w, 2 * w), *down(2 * w, 4 * w), nn.Conv2d(4 * w, 32, 1),
        nn.Conv2d(32, 4 * w, 1), *up(4 * w, 2 * w), *up(2 * w, w), *up(w, w), nn.Conv2d(w, 3, 3, padding=1),
    )  # fmt: skip


def _nearest(w: int) -> nn.Sequential:
    """Residual blocks with group norm, nearest neighbour and convolution, two stages, as autoencoders of latent diffusion."""
    return nn.Sequential(
        nn.Conv2d(3, w, 3, padding=1), nn.Conv2d(w, w, 3, 2, 1), Residual(w),
        nn.Conv2d(w, 2 * w, 3, 2, 1), Residual(2 * w), nn.Conv2d(2 * w, 8, 1),
        nn.Conv2d(8, 2 * w, 3, padding=1), Residual(2 * w), Nearest(2 * w, w), Residual(w), Nearest(w, w), Residual(w),
        nn.SiLU(), nn.Conv2d(w, 3, 3, padding=1),
    )  # fmt: skip


def _bilinear(w: int) -> nn.Sequential:
    """Bilinear enlargement between convolutions without norm, leaky, two stages, as in the synthesis of StyleGAN."""

    def up(a: int, b: int) -> list[nn.Module]:
        return [
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(a, b, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(b, b, 3, padding=1), nn.LeakyReLU(0.2),
        ]  # fmt: skip

    net = nn.Sequential(
        nn.Conv2d(3, w, 5, 1, 2), nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Conv2d(w, 2 * w, 3, padding=1),
        nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Conv2d(2 * w, 12, 3, padding=1),
        nn.Conv2d(12, 2 * w, 3, padding=1), nn.LeakyReLU(0.2), *up(2 * w, w), *up(w, w), nn.Conv2d(w, 3, 1),
    )  # fmt: skip
    for layer in net:
        if isinstance(
            layer, nn.Conv2d
        ):  # without norms torch's own small weights would hardly begin to learn
            nn.init.kaiming_normal_(layer.weight, 0.2)
    return net


def _vq(w: int) -> nn.Sequential:
    """Residual blocks around a quantised bottleneck at a quarter of the size, as VQGAN."""
    return nn.Sequential(
        nn.Conv2d(3, w, 4, 2, 1), Residual(w), nn.Conv2d(w, 2 * w, 4, 2, 1), Residual(2 * w), Residual(2 * w),
        nn.Conv2d(2 * w, 8, 1), Quantised(8), nn.Conv2d(8, 2 * w, 3, padding=1), Residual(2 * w), Residual(2 * w),
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1), Residual(w), Nearest(w, w), nn.SiLU(), nn.Conv2d(w, 3, 3, padding=1),
    )  # fmt: skip


def _shuffle(w: int) -> nn.Sequential:
    """Space to depth, residual blocks at a quarter of the size, pixel shuffle by 2 and 2, as networks of super-resolution."""
    return nn.Sequential(
        nn.PixelUnshuffle(4), nn.Conv2d(48, 2 * w, 3, padding=1), nn.PReLU(), nn.Conv2d(2 * w, 12, 1),
        nn.Conv2d(12, 2 * w, 3, padding=1), Residual(2 * w), Residual(2 * w), nn.Conv2d(2 * w, 4 * w, 3, padding=1),
        nn.PixelShuffle(2), nn.PReLU(), nn.Conv2d(w, 4 * w, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(),
        nn.Conv2d(w, 3, 3, padding=1),
    )  # fmt: skip


_BUILDERS = {
    "transposed": _transposed, "nearest": _nearest, "bilinear": _bilinear, "vq": _vq, "shuffle": _shuffle,
}  # fmt: skip
ARCHITECTURES = tuple(_BUILDERS)


class Generator(nn.Module):
    """An autoencoder of one of `ARCHITECTURES`: x (B,3,H,W) in [-1,1], any size, to the same drawn anew.

    Args:
        architecture: its name.
        width: channels at full size, a multiple of 4.
    """

    def __init__(self, *, architecture: str, width: int = 32) -> None:
        if architecture not in _BUILDERS:
            raise ValueError(
                f"No generator is called {architecture!r}: there are {', '.join(ARCHITECTURES)}."
            )
        if width < 4 or width % 4:
            raise ValueError(f"width must be a multiple of 4, not {width}.")
        super().__init__()
        self.architecture, self.width = architecture, width
        self.net = _BUILDERS[architecture](width)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padded = F.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
        return self.net(padded)[..., :height, :width]

    def commitment(self) -> Tensor:
        """How far the last batch was from the codes of a quantised bottleneck; 0 without one."""
        parts = [module.commitment for module in self.modules() if isinstance(module, Quantised)]
        return parts[0] if parts else next(self.parameters()).new_zeros(())


def save_generator(generator: Generator, path: Path) -> None:
    """Write a generator as safetensors with its architecture in the header."""
    header = {"architecture": generator.architecture, "width": generator.width}
    save_file(
        {k: v.contiguous() for k, v in generator.state_dict().items()},
        path,
        {"generator": json.dumps(header)},
    )


def load_generators(folder: Path, split: str) -> list[Generator]:
    """The generators of a split below a folder: all but `HELD_OUT` for "train", it alone for "val"; to be used, not trained.

    Raises:
        SystemExit: there are none.
    """
    found = []
    for path in sorted(folder.glob("*/generator.safetensors")):
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["generator"])
        if (header["architecture"] == HELD_OUT) == (split == "val"):
            generator = Generator(**header)
            generator.load_state_dict(load_file(path))
            found.append(generator.eval().requires_grad_(False))
    if not found:
        raise SystemExit(
            f"{folder} holds no generator for {split}: python training/train_generators.py makes them."
        )
    return found


def redraw(images: Sequence[np.ndarray], generator: Generator) -> list[np.ndarray]:
    """Pictures as a generator draws them, with the original's low frequencies and sharpness.

    Args:
        images: (H,W,3) uint8 RGB each, of one size.
        generator: in eval mode, on a CPU.
    """
    pictures = np.stack(images).astype(np.float32)
    made = _drawn(pictures, generator)
    return [like_original(m, x) for m, x in zip(made, pictures, strict=True)]


class Redraw:
    """Draws a picture by one of several generators, whose grid is finer or coarser than the pixels: see `resynthesise`.

    Args:
        generators: in eval mode, on a CPU.
    """

    def __init__(self, generators: Sequence[Generator]) -> None:
        self.generators = generators

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(H,W,3) uint8 RGB in and out."""
        generator = self.generators[int(rng.integers(len(self.generators)))]
        x, (height, width), grid = image.astype(np.float32), image.shape[:2], rng.uniform(*GRID)
        # As often at the pixels' own grid: pictures are shown as they were drawn, too.
        size = (width, height) if rng.random() < 0.5 else (round(width * grid), round(height * grid))
        made = _drawn(cv2.resize(x, size, interpolation=cv2.INTER_AREA)[None], generator)[0]
        made = cv2.resize(made, (width, height), interpolation=cv2.INTER_AREA)
        return like_original(made, x, rng.normal(1, 0.08))


@torch.inference_mode()
def _drawn(pictures: np.ndarray, generator: Generator) -> np.ndarray:
    """(N,H,W,3) float32 from 0 to 255 in and out."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    return ((generator(x) + 1) * 127.5).permute(0, 2, 3, 1).contiguous().numpy()
