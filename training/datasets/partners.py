"""A fake with the real medium it was made from, under one augmentation: what differs is the manipulation."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.datasets.augment import degrade
from training.datasets.batches import Shuffled
from training.datasets.clips import ClipPairs, ClipReader, LabelledClips, clip_tensor
from training.datasets.published import TREATMENTS, Augment

# What stands beside a real medium: the fakes made from it, fakes that are made on the fly (and a few of the split's), or
# nothing, each medium with its own label.
Pairing = Literal["source", "blend", "none"]
# Of single faces, too: real generators' media and pseudo-fakes, each beside a real (`shares.GENERATOR_SHARES`).
FacePairing = Pairing | Literal["mixed"]


def paired(
    pairs: Pairing, reader: ClipReader, *, batch: int, seed: int, augment: Augment = "project"
) -> tuple[Dataset[Any], int]:
    """An endless row of examples, and how many of them make a batch: pairs count as two.

    Args:
        pairs: what stands beside a real medium.
        reader: cuts the clips.
        batch: clips a step and process.
        seed: of every draw.
        augment: how labelled media and fakes with their originals are changed; fakes that are made on the fly come as
            this project changes them.

    Raises:
        SystemExit: another augmentation is asked for fakes that are made on the fly.
    """
    if pairs == "none":
        return Shuffled(LabelledClips(reader, augment=augment), seed), batch
    if pairs == "source":
        return PartnerClips(reader, seed=seed, augment=augment), max(batch // 2, 1)
    must_be_own(augment)
    return ClipPairs(reader, seed=seed), max(batch // 2, 1)


def must_be_own(augment: Augment) -> None:
    """Refuse another augmentation of fakes that are made on the fly.

    Raises:
        SystemExit: it is another.
    """
    if augment != "project":
        raise SystemExit(
            f"--augment {augment} is for labelled media (--pairs none) and fakes with their originals (--pairs source)."
        )


def singles(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """x (N,T,3,S,S), mask (N,T) and y (N,) of a batch of clips or of pairs of clips."""
    x, mask, y = batch["x"], batch["mask"], batch["y"]
    return (x, mask, y) if y.ndim == 1 else (x.flatten(0, 1), mask.flatten(0, 1), y.flatten())


class PartnerClips(Dataset[dict[str, Tensor]]):
    """Item i is {"x": (2,T,3,S,S), "mask": (2,T), "y": (2,) 0, 1}, the real clip first; T is 1 for pictures and frames.

    Media of one `group` (the scene of FaceForensics++) are partners; a fake without a partner is left out. Places in time,
    mirroring, jitter and degradations of the two are the same.

    Args:
        reader: cuts the stretches that clips are taken from.
        clip_len: T, evenly over the part of a stretch that is shown; 0 for all frames that the reader cuts.
        seed: of every draw; the same seed and i give the same pair.
        slowest: least share of a stretch that is shown, as if it were played so much slower; 1 shows all of it.
        augment: as of `LabelledClips`; the project's own is `degrade`.

    Raises:
        SystemExit: no fake has a partner.
    """

    def __init__(
        self,
        reader: ClipReader,
        *,
        seed: int,
        clip_len: int = 0,
        slowest: float = 1.0,
        augment: Augment = "project",
    ) -> None:
        self.reader, self.seed, self.slowest = reader, seed, slowest
        self.augment: Augment = augment
        self.clip_len = clip_len or reader.length
        items = reader.faces.items
        numbers = [int(n) for n in reader.faces.media()]
        originals: dict[tuple[str, str], list[int]] = {}
        for n in numbers:
            if not items[n].label:
                originals.setdefault((items[n].kind, items[n].group), []).append(n)
        partners = (
            (n, originals.get((items[n].kind, items[n].group), [])) for n in numbers if items[n].label
        )
        self.pairs = [(fake, reals) for fake, reals in partners if reals]
        if not self.pairs:
            raise SystemExit("No fake of the split has a real medium of its own source: try --pairs blend.")

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        fake, reals = self.pairs[int(rng.integers(len(self.pairs)))]
        both = (int(rng.choice(reals)), fake)
        draws, degradation = (int(rng.integers(2**32)) for _ in range(2))
        clips = [self._clip(n, draws, degradation) for n in both]
        x, mask = (torch.stack(part) for part in zip(*clips, strict=True))
        return {"x": x, "mask": mask, "y": torch.tensor([0, 1])}

    def _clip(self, number: int, draws: int, degradation: int) -> tuple[Tensor, Tensor]:
        """A medium's clip; the same draws at the same frames give the same places in time, cut and degradation."""
        rng = np.random.default_rng(draws)
        frames = self.reader.frames(number, rng)
        frames = [frames[k] for k in part_of(len(frames), self.clip_len, self.slowest, rng)]
        own = self.augment == "project"
        treat = degrade if own else TREATMENTS[self.augment]
        crops = treat(self.reader.crops(frames, rng if own else None), np.random.default_rng(degradation))
        return clip_tensor(crops, self.clip_len, self.reader.preprocess)


def part_of(n_frames: int, length: int, slowest: float, rng: np.random.Generator) -> np.ndarray:
    """Places of up to `length` frames, evenly over a random part of a stretch that is `slowest` to all of it long.

    Returns:
        (min(n_frames, length),) int64, not decreasing.
    """
    shown = (n_frames - 1) * (rng.uniform(slowest, 1.0) if slowest < 1 else 1.0)
    start = rng.uniform(0, n_frames - 1 - shown) if slowest < 1 else 0.0
    return np.rint(np.linspace(start, start + shown, min(n_frames, length))).astype(np.int64)
