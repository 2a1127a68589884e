"""What a frozen tower says of faces, taken once and kept on disk: a probe on it is then fitted in seconds.

A file of the cache holds one variant of one medium: (T,R,d) float16 for each of its examples. Its name tells the medium by
its content, the variant by its name, the tower by what it stands on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tqdm import tqdm

from tbd_app.media.recode import h264_after_motion
from tbd_app.models.nets.probe import ClipProbe
from tbd_app.pipeline.crops import Preprocess
from tbd_app.types import CropRecipe
from training.datasets.augment import degrade
from training.datasets.clips import ClipReader, Frame
from training.fakes.mouth import redraw_mouth_clip
from training.fakes.selfblend import self_blend_clip

# clean: as it is. coded: compressed hard, as a frame of a video. degraded: poor light, lens, size and codec, alike in all
# frames. twin: a pseudo-fake of a real medium, half of them degraded and then beside the real, degraded alike.
Variant = Literal["clean", "coded", "degraded", "twin"]
CODED_CRF = 24, 37
MOUTHS = 0.4  # of the pseudo-fakes, the others are self-blends
DEGRADED_TWINS = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """A track as the tower saw it.

    Attributes:
        number: of its medium in the split.
        label: 0 real, 1 fake.
        variant: how it was made.
        statistics: (T,R,d) float16.
    """

    number: int
    label: int
    variant: Variant
    statistics: np.ndarray


class TowerFeatures:
    """Examples of a split's media.

    Args:
        model: whose `statistics` are taken; it stays as it is.
        reader: cuts the crops, T spread frames of each medium.
        cache: folder, made where it is missing.
        batch: frames that pass the tower at once.
    """

    def __init__(self, model: ClipProbe, reader: ClipReader, cache: Path, batch: int) -> None:
        self.model, self.reader, self.cache, self.batch = model.eval(), reader, cache, batch
        self._tower = f"{model.standing_on().sha256[:12]}-{reader.length}-{model.first_block}"
        if (recipe := reader.preprocess.recipe) != CropRecipe():
            self._tower += f"-{recipe.kind}-{recipe.margin:g}"
        cache.mkdir(parents=True, exist_ok=True)

    def examples(self, numbers: Sequence[int], variant: Variant) -> list[Example]:
        """A variant of these media, from the cache where it is there; no twins of fakes."""
        found = []
        for number in tqdm(numbers, desc=variant, unit="file"):
            path = self._path(number, variant)
            if not path.is_file():
                self._make(number, variant, path)
            with np.load(path, allow_pickle=False) as data:
                for label, part in zip(data["labels"], data["statistics"], strict=True):
                    found.append(Example(number, int(label), variant, part))
        return found

    def _path(self, number: int, variant: Variant) -> Path:
        bank, content = self.reader.faces.bank, hashlib.sha256(str(number).encode())  # which draws its twin
        for row in self.reader.faces.rows(number):
            content.update(bank.encoded(row).tobytes())
        return self.cache / f"{content.hexdigest()[:24]}-{variant}-{self._tower}.npz"

    def _make(self, number: int, variant: Variant, path: Path) -> None:
        made = made_of(self.reader, number, variant)
        parts = [self._statistics(crops) for crops, _ in made]
        whole = path.with_suffix(".part.npz")
        np.savez(whole, statistics=np.stack(parts), labels=np.array([label for _, label in made], np.int8))
        whole.rename(path)

    @torch.inference_mode()
    def _statistics(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        x = self.reader.preprocess.tensor(np.stack(crops)).to(next(self.model.parameters()).device)
        return torch.cat([self.model.statistics(part) for part in x.split(self.batch)]).half().cpu().numpy()


def made_of(reader: ClipReader, number: int, variant: Variant) -> list[tuple[list[np.ndarray], int]]:
    """Crops (T,S,S,3) uint8 RGB of a variant with their labels; the same at every call."""
    item, rng = reader.faces.items[number], np.random.default_rng([number, 5])
    frames = reader.frames(number, None)
    if variant == "twin":
        return _twin(reader.preprocess, frames, rng) if not item.label else []
    crops = reader.crops(_coded(frames, rng) if variant == "coded" else frames, None)
    return [(degrade(crops, rng, gentle=False) if variant == "degraded" else crops, item.label)]


def _coded(frames: Sequence[Frame], rng: np.random.Generator) -> list[Frame]:
    """Every frame behind others of its scene, at the size at which it was seen; one rate for all."""
    crf = int(rng.integers(*CODED_CRF))
    return [
        (h264_after_motion(image, crf, int(rng.integers(2**32)), int(rng.integers(1, 4))), box, points)
        for image, box, points in frames
    ]


def _twin(
    preprocess: Preprocess, frames: Sequence[Frame], rng: np.random.Generator
) -> list[tuple[list[np.ndarray], int]]:
    make = self_blend_clip if rng.random() < 1 - MOUTHS else redraw_mouth_clip
    images, boxes, landmarks = zip(*frames, strict=True)
    pairs = make(images, np.stack(landmarks), rng)
    places = np.stack(boxes), np.stack(landmarks)
    real, fake = (
        list(preprocess.crops([getattr(pair, side) for pair in pairs], *places)) for side in ("real", "fake")
    )
    if rng.random() < DEGRADED_TWINS:
        seed = int(rng.integers(2**32))
        real, fake = (degrade(crops, np.random.default_rng(seed)) for crops in (real, fake))
        return [(real, 0), (fake, 1)]
    return [(fake, 1)]
