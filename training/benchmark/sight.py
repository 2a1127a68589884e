"""Where frame models look and how finely: shares of Grad-CAM over parts of the face, answers to noise by its fineness.

A band of noise has spatial frequencies between two bounds, in cycles a pixel; 0.5 is the finest that a picture can hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen needed

import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import nn

from tbd_app.models.nets.base import Detector
from tbd_app.pipeline.grad_cam import grad_cam
from tbd_app.report.anatomy import part
from tbd_app.types import ModelSpec
from training.attacks.space import PixelSpace
from training.engine.metrics import mean_by_source

ZONES: dict[str, tuple[str, ...]] = {
    "border of the face": (
        "hairline", "left_temple", "right_temple", "left_jaw", "right_jaw", "chin", "outside",
    ),
    "cheeks and forehead": ("left_cheek", "right_cheek", "forehead"),
    "eyes, nose, mouth": ("left_eye", "right_eye", "nose_bridge", "nose", "mouth"),
}  # fmt: skip
BANDS = (0.0, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
NOISE_RMS = 4 / 255  # of full scale, the same in every band
CELLS = 28  # a side of the grid on which zones are told apart
BATCH = 16


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a model's look.

    Attributes:
        heat: (28,28) mean map, each face's own divided by its sum.
        shares: by zone, share of the heat with the bounds of its 95 % interval over sources.
        response: (bands,) mean change of the logit under noise of a band, over the logits' spread on clean faces.
    """

    heat: np.ndarray
    shares: dict[str, tuple[float, float, float]]
    response: np.ndarray


def sight(
    model: Detector,
    spec: ModelSpec,
    pictures: np.ndarray,
    landmarks: np.ndarray,
    groups: Sequence[str],
    seed: int = 1,
) -> Sight:
    """Measure a frame model.

    Args:
        model: as it is served.
        spec: of it.
        pictures: (M,S,S,3) uint8 RGB crops.
        landmarks: (M,5,2) px of the crop.
        groups: (M,) the source of each.
        seed: of the noise and of the samples of sources.
    """
    space, rng = PixelSpace.of(spec), np.random.default_rng(seed)
    maps, clean, noisy = [], [], []
    for start in range(0, len(pictures), BATCH):
        pixels = torch.from_numpy(pictures[start : start + BATCH]).permute(0, 3, 1, 2).float() / 255
        x = space.normalised(pixels)
        raw = torch.from_numpy(grad_cam(model, spec, x))[:, None]
        maps.append(nn.functional.adaptive_avg_pool2d(raw, CELLS)[:, 0].numpy())
        clean.append(_logits(model, x))
        noise = [banded(rng, pixels.shape, *band) for band in pairwise(BANDS)]
        noisy.append(
            np.stack([_logits(model, space.normalised((pixels + n).clamp(0, 1))) for n in noise], axis=1)
        )
    heat, logits, changed = np.concatenate(maps), np.concatenate(clean), np.concatenate(noisy)
    total = heat.sum((1, 2))
    seen = total > 0
    heat = heat[seen] / total[seen, None, None]
    sides = pictures.shape[1] / CELLS
    zones = np.stack([zones_of(points / sides) for points in landmarks[seen]])
    shares = np.stack([(heat * (zones == k)).sum((1, 2)) for k in range(len(ZONES))], axis=1)
    own = np.array(groups)[seen].tolist()
    response = np.abs(changed - logits[:, None]).mean(0) / max(float(logits.std()), 1e-6)
    return Sight(
        heat.mean(0),
        {name: mean_by_source(shares[:, k], own, seed) for k, name in enumerate(ZONES)},
        response,
    )


def zones_of(landmarks: np.ndarray) -> np.ndarray:
    """(28,28) number of the zone, in the order of `ZONES`, of each cell; landmarks (5,2) in cells."""
    number = {name: k for k, names in enumerate(ZONES.values()) for name in names}
    places = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), axis=-1) + 0.5
    return np.apply_along_axis(lambda at: number[part(at, landmarks)], 2, places)


def banded(
    rng: np.random.Generator, shape: Sequence[int], low: float, high: float, rms: float = NOISE_RMS
) -> torch.Tensor:
    """Noise (B,C,H,W) of frequencies from `low` to below `high` cycles a pixel; its root mean square is `rms`."""
    plain = torch.from_numpy(rng.standard_normal(tuple(shape)).astype(np.float32))
    fineness = np.hypot(np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])[None])
    kept = torch.from_numpy((fineness >= low) & (fineness < high))
    noise = torch.fft.irfft2(torch.fft.rfft2(plain) * kept, s=tuple(shape[-2:]))
    return noise * (rms / noise.square().mean().sqrt().clamp(min=1e-12))


@torch.inference_mode()
def _logits(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    both = model(x).float()
    return (both[:, 1] - both[:, 0]).numpy()


def table(found: Mapping[str, Sight]) -> str:
    """Markdown: where the heat of each model lies, and what noise of each band does to it."""
    names = " | ".join(f"`{name}`" for name in found)
    lines = [f"| share of Grad-CAM on | {names} |", "|---" * (1 + len(found)) + "|"]
    lines += [
        f"| {zone} | " + " | ".join("{:.3f} ({:.3f} to {:.3f})".format(*s.shares[zone]) for s in found.values()) + " |"
        for zone in ZONES
    ]  # fmt: skip
    lines += ["", f"| noise, cycles a pixel | {names} |", "|---" * (1 + len(found)) + "|"]
    for k, (low, high) in enumerate(pairwise(BANDS)):
        cells = " | ".join(f"{s.response[k]:.3f}" for s in found.values())
        lines.append(f"| {low:.3f} to {high:.3f} | {cells} |")
    return "\n".join(lines) + "\n"


def picture(found: Mapping[str, Sight], path: Path) -> None:
    """Mean heat of each model, and its answer to noise by band."""
    figure, axes = plt.subplots(1, len(found) + 1, figsize=(4 * (len(found) + 1), 3.6), layout="constrained")
    hottest = max(float(s.heat.max()) for s in found.values())
    for axis, (name, one) in zip(axes, found.items(), strict=False):
        axis.imshow(one.heat, cmap="viridis", vmin=0, vmax=hottest)
        axis.set(title=f"{name}: mean Grad-CAM", xticks=[], yticks=[])
    middles = [f"{high:.3g}" for high in BANDS[1:]]
    for name, one in found.items():
        axes[-1].plot(middles, one.response, marker="o", label=name)
    axes[-1].set(
        xlabel="noise up to, cycles a pixel", ylabel="change of the logit / spread", title="answer to noise"
    )
    axes[-1].legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
