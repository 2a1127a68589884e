"""Fit a kernel on statistics of a frozen CLIP tower: of each face or clip, what its upper blocks say and how that changes.

    python training/train_probe.py --preset bundled --data DATA
    python training/train_probe.py --preset bundled-lower --data DATA
    python training/train_probe.py --toy

Real generators' clips and pictures, real media, and pseudo-fakes of these pass through the tower once and are kept in
`--cache`; the fit then takes seconds. Each source weighs as the root of its files, each class as much as the other.

Source: see tbd_app/models/nets/probe.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch
from accelerate.utils import set_seed

from tbd_app.models.nets.probe import ClipProbe, KernelHead, over_time
from tbd_app.pipeline.crops import for_spec
from training.datasets.clips import ClipReader
from training.datasets.tower_features import Example, TowerFeatures, Variant
from training.engine.config import RunConfig, command
from training.engine.run import Run
from training.engine.validation import video_figures
from training.faces.index import even_shares
from training.faces.open import Faces, open_faces
from training.networks.models import spec_of, trained_share
from training.networks.towers import TowerConfig, open_model

SCRIPT = Path(__file__).stem
GAIN = 4.0  # targets of -1 and 1 become logits; the temperature is chosen later


@dataclass(frozen=True)
class Shares:
    """Weight of each variant (`tower_features.Variant`); 0 leaves one out."""

    clean: float = 1.0
    coded: float = 0.0
    degraded: float = 0.0
    twin: float = 0.0


@dataclass(frozen=True)
class Config(RunConfig):
    """What the script has besides `RunConfig`; there is no loop, so `loop` counts for nothing.

    Attributes:
        model: clip_b16_probe (the face) or clip_b16_lower (its lower half).
        tower: where CLIP comes from.
        frames: cut from each video of an index.csv.
        clip_len: of them, spread over the video, that are read.
        batch: frames that pass the tower at once.
        cache: folder of the tower's statistics.
        components: to which each statistic of a block is reduced.
        reduced: length of the vectors that the kernel compares.
        supports: examples that it compares with.
        gamma: of the Gaussian, over the mean squared distance of two examples.
        ridge: weight of the penalty.
        clip_line: weight of the line between the means of reals and of fakes, in the head for clips; 0 leaves it out.
        picture_line: the same in the head for pictures.
        clip_shares: weight of each variant of the clips.
        picture_shares: weight of each variant of the pictures.
    """

    out: Path = Path("runs/probe")
    model: str = "clip_b16_probe"
    tower: TowerConfig = field(default_factory=lambda: TowerConfig(precision="bf16"))
    frames: int = 12
    clip_len: int = 5
    batch: int = 16
    cache: Path = Path("runs/cache/tower")
    components: int = 48
    reduced: int = 256
    supports: int = 2048
    gamma: float = 1.0
    ridge: float = 0.1
    clip_line: float = 20.0
    picture_line: float = 3.0
    clip_shares: Shares = field(default_factory=Shares)
    picture_shares: Shares = field(default_factory=lambda: Shares(clean=0.8, degraded=0.2, twin=0.0))


def main(config: Config) -> None:
    """Pass the media through the tower, fit both heads, measure on val."""
    set_seed(config.seed)
    model, spec = open_model(
        config.model,
        config.tower,
        spec_of(config.model).crop,
        config.clip_len,
        components=config.components,
        reduced=config.reduced,
        n_supports=config.supports,
    )
    if not isinstance(model, ClipProbe):
        raise SystemExit(f"{config.model} is no probe.")
    print(f"{config.model}: {trained_share(model)}.")
    faces = open_faces(config.data, n_frames=config.frames)
    run = Run(config, SCRIPT, {split: part.items for split, part in faces.items()})
    readers = {split: ClipReader(part, for_spec(spec), config.clip_len) for split, part in faces.items()}
    found = {
        split: TowerFeatures(model, reader, config.cache, config.batch) for split, reader in readers.items()
    }

    train = faces["train"]
    clips, pictures = train.media("video").tolist(), train.media("image").tolist()
    if not len(clips):
        raise SystemExit("The split holds no clips: the probe reads faces over time.")
    if len(set(labels_of(train, pictures))) < 2:  # frames stand for pictures
        pictures = clips
    reals = [n for n in clips if not train.items[n].label]
    of_clips: dict[Variant, Sequence[int]] = {
        "clean": clips,
        "coded": clips,
        "degraded": clips,
        "twin": reals,
    }
    of_pictures: dict[Variant, Sequence[int]] = {"clean": pictures, "coded": pictures, "degraded": pictures}
    moving, still = (
        weighted(train, found["train"], numbers, shares)
        for numbers, shares in ((of_clips, config.clip_shares), (of_pictures, config.picture_shares))
    )
    fit(model, moving, still, config)

    val = faces["val"]
    clips = val.media("video").tolist()
    numbers = np.concatenate([clip_numbers(model, e) for e in found["val"].examples(clips, "clean")])
    with torch.inference_mode():
        scores = model.clip_head(torch.from_numpy(numbers)).sigmoid().numpy()
    known = {item.generator for item in train.items}
    figures = video_figures([val.items[n] for n in clips], scores, known)
    print(" ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    run.log({"step": 1, **figures})
    run.close()
    run.save(model, spec)


def labels_of(faces: Faces, numbers: Sequence[int]) -> list[int]:
    """Labels of media."""
    return [faces.items[n].label for n in numbers]


@dataclass(frozen=True, slots=True)
class Weighted:
    """Examples with weights (N,) that sum to N."""

    examples: list[Example]
    weights: np.ndarray


def weighted(
    faces: Faces,
    features: TowerFeatures,
    numbers: Mapping[Variant, Sequence[int]],
    shares: Shares,
) -> Weighted:
    """Examples of each variant that has a share; sources weigh as the root of their examples, classes alike.

    Args:
        faces: of the split.
        features: what the tower says of them.
        numbers: media of each variant.
        shares: weight of each variant.
    """
    examples: list[Example] = []
    weights: list[np.ndarray] = []
    for variant, media in numbers.items():
        if not (whole := getattr(shares, variant)):
            continue
        part = features.examples(media, variant)
        sources = [faces.items[e.number].source for e in part]
        labels = np.array([e.label for e in part])
        examples += part
        weights.append(whole * 2 * even_shares(labels, sources))
    both = np.concatenate(weights)
    labels = np.array([e.label for e in examples])
    for label in (0, 1):  # a variant may have more of one class
        both[labels == label] *= 0.5 / both[labels == label].sum()
    return Weighted(examples, both * len(both))


def fit(model: ClipProbe, moving: Weighted, still: Weighted, config: Config) -> None:
    """Components of every statistic, then the head for clips and the head for pictures, in closed form.

    The components are those of the media as they are: pseudo-fakes would turn them to what is real.
    """
    clean = (e for e in moving.examples if e.variant == "clean")
    frames = np.concatenate([e.statistics.astype(np.float32) for e in clean])
    with torch.no_grad():
        model.centre.copy_(torch.from_numpy(frames.mean(0)))
        for row in range(frames.shape[1]):
            centred = torch.from_numpy(frames[:, row] - frames[:, row].mean(0))
            _, vectors = torch.linalg.eigh(centred.T @ centred)
            model.basis[row].copy_(vectors[:, -config.components :].flip(1))
    for head, part, numbers_of, line in (
        (model.clip_head, moving, clip_numbers, config.clip_line),
        (model.picture_head, still, picture_numbers, config.picture_line),
    ):
        numbers = np.concatenate([numbers_of(model, e) for e in part.examples])
        labels = np.array([e.label for e in part.examples])
        fit_head(head, numbers, labels, part.weights, config, line)


def clip_numbers(model: ClipProbe, example: Example) -> np.ndarray:
    """(1,3C) float32: what the head for clips reads."""
    with torch.inference_mode():
        frames = model.components(torch.from_numpy(example.statistics.astype(np.float32)))[None]
        return over_time(frames, torch.ones(frames.shape[:2], dtype=torch.bool)).numpy()


def picture_numbers(model: ClipProbe, example: Example) -> np.ndarray:
    """(1,C) float32: what the head for pictures reads, of the first frame."""
    with torch.inference_mode():
        return model.components(torch.from_numpy(example.statistics[:1].astype(np.float32))).numpy()


def fit_head(
    head: KernelHead,
    numbers: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    config: Config,
    line: float = 0.0,
) -> None:
    """Weighted kernel ridge on a few supports (Nystroem), targets -1 and 1, and the line between the means of the classes.

    Args:
        head: takes the result.
        numbers: (N,D) float32.
        labels: (N,) 0 or 1.
        weights: (N,), mean 1.
        config: gamma, ridge and the seed.
        line: weight of the line.
    """
    share = weights / weights.sum()
    mean = share @ numbers
    deviation = np.sqrt(share @ (numbers - mean) ** 2) + 1e-3
    standard = (numbers - mean) / deviation
    _, _, vectors = np.linalg.svd(standard * np.sqrt(share)[:, None], full_matrices=False)
    kept = head.reduce.shape[1]
    basis = vectors[:kept].T
    if basis.shape[1] < kept:  # fewer examples than numbers kept: the rest counts for nothing
        basis = np.pad(basis, ((0, 0), (0, kept - basis.shape[1])))
    placed = standard @ basis
    spread = 2 * float(share @ (placed**2).sum(1))
    basis = basis * np.sqrt(config.gamma / spread)
    placed = placed * np.sqrt(config.gamma / spread)
    rng = np.random.default_rng(config.seed)
    n = len(head.supports)
    chosen = rng.choice(len(placed), n, replace=len(placed) < n)
    supports = placed[chosen]
    near, own = _gaussian(placed, supports), _gaussian(supports, supports)
    target = 2.0 * labels - 1
    left = near.T @ (near * weights[:, None]) + config.ridge * own + 1e-6 * len(own) * np.eye(len(own))
    solved = np.linalg.solve(left, near.T @ (weights * target))
    reals, fakes = (np.average(placed, axis=0, weights=share * (labels == label)) for label in (0, 1))
    with torch.no_grad():
        for parameter, value in (
            (head.shift, mean), (head.scale, 1 / deviation), (head.reduce, basis), (head.supports, supports),
            (head.weights, solved * GAIN), (head.line, line * (fakes - reals) * GAIN), (head.bias, np.zeros(1)),
        ):  # fmt: skip
            parameter.copy_(torch.from_numpy(np.asarray(value, np.float32)))


def _gaussian(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.exp(-np.maximum(squared, 0)).astype(np.float64)


if __name__ == "__main__":
    command(main, Config, SCRIPT, __doc__)
