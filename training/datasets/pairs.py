"""Training pairs, one real and one fake each, made on the fly and reproducible by their number.

A pair shares its degradations; portraits of a real generator are paired with real portraits, so that the kind of medium
tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from tbd_app.pipeline.crops import Preprocess, cut_square, fit_square
from training.datasets.augment import GENTLE, degrade
from training.datasets.generated import GeneratedPairs
from training.datasets.shares import HIDDEN, PAIR_SHARES, shares_of
from training.faces.bank import FaceBank
from training.faces.index import Item
from training.fakes.generators import Generator, Redraw
from training.fakes.mouth import redraw_mouth
from training.fakes.resynth import resynthesise
from training.fakes.selfblend import Pair, self_blend
from training.fakes.swap import poses, similar, swap
from training.fakes.upscale import Upscaled, even_sharpness

BLEND_SIDE_PX = (200, 300)
WHERE_CELLS = 28  # a side of the maps that say what was changed


class Made(NamedTuple):
    """A pair before it is degraded.

    Attributes:
        pictures: the real and the fake crop, (S,S,3) uint8 RGB each.
        where: (28,28) float32, what was changed in the fake; -1 all over where that is not known.
        region: the part of the face that a self-blend was made of, else empty.
        rows: of the bank, the real's and the fake's; one and the same where the fake was made of the real.
    """

    pictures: list[np.ndarray]
    where: np.ndarray
    region: str
    rows: tuple[int, int]


class PairDataset(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Item i is a pair, real first; the same seed and i give the same one.

    It holds x (2,3,S,S) float32 normalised, labels (2,) int64 0, 1 (or 0, 0: see `shares.HIDDEN`), and what was changed,
    (2,28,28) float32 in [0,1]: 0 all over for a real one, -1 all over where a generator of the split does not tell.

    Args:
        bank: faces.
        items: index the bank was built from.
        preprocess: of the model; its margin is the middle of the drawn margins.
        length: number of pairs.
        seed: of every draw.
        augment: False leaves the crop in place and the pictures as they are (validation).
        sources: which of the shares to use; all by default.
        shares: how often each source is drawn.
        hidden: see `shares.HIDDEN`; pairs of generators are never hidden.
        generators: what draws faces anew.
        upscaled: faces of the bank that were drawn anew beforehand.
    """

    def __init__(
        self,
        bank: FaceBank,
        items: Sequence[Item],
        preprocess: Preprocess,
        *,
        length: int,
        seed: int,
        augment: bool = True,
        sources: Sequence[str] = (),
        shares: Mapping[str, float] = PAIR_SHARES,
        hidden: float = HIDDEN,
        generators: Sequence[Generator] = (),
        upscaled: Upscaled | None = None,
    ) -> None:
        if preprocess.recipe.kind != "square":
            raise SystemExit(
                f"Pairs are cut as squares; a model that sees {preprocess.recipe.kind} crops needs clips."
            )
        self.bank, self.items, self.preprocess = bank, items, preprocess
        self.length, self.seed, self.augment = length, seed, augment
        self.rows = _rows_by_source(bank, items, upscaled)
        self.generated = {
            f"generated_{name}": GeneratedPairs(bank, items, kind)
            for name, kind in (("clip", "video"), ("still", "image"))
        }
        self.redraw, self.upscaled, self.hidden = Redraw(generators), upscaled, hidden
        given = shares_of(generators, upscaled, shares)
        usable = [s for s in sources or given if s in given and self._has(s)]
        if not usable:
            raise SystemExit("The split holds no real faces to make pairs from.")
        shares = np.array([given[s] for s in usable])
        self.sources, self.shares = usable, shares / shares.sum()
        # Whose faces are put into others: one of each still.
        self.partners = np.array([rows[0] for rows in self.rows["swap_still"][1]], np.int64)

    def _has(self, source: str) -> bool:
        if source in self.generated:
            return bool(self.generated[source])
        return all(len(rows) for rows in self.rows[source])

    @cached_property
    def partner_poses(self) -> np.ndarray:
        """What `poses` says of the partners."""
        return poses(self.bank.landmarks[self.partners])

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.seed, number])
        pair, where, *_ = self.made(rng, number)
        label, known = 1, where.min() >= 0
        if self.augment:
            gentle = bool(rng.random() < GENTLE)
            if not gentle and known and rng.random() < self.hidden:
                pair[1], where, label = np.ascontiguousarray(pair[0][:, ::-1]), np.zeros_like(where), 0
            pair = degrade(pair, rng, gentle=gentle)
        changed = torch.from_numpy(np.stack([np.zeros_like(where), where]))
        return self.preprocess.tensor(np.stack(pair)), torch.tensor([0, label]), changed

    def pictures(self, rng: np.random.Generator, number: int) -> list[np.ndarray]:
        """The real and the fake crop of a pair, (S,S,3) uint8 RGB each."""
        pair = self.made(rng, number).pictures
        return degrade(pair, rng) if self.augment else pair

    def made(self, rng: np.random.Generator, number: int) -> Made:
        """A pair that is not degraded."""
        source = str(rng.choice(self.sources, p=self.shares))
        if source not in self.generated:
            reals = self.rows[source][0]
            # Validation walks through the faces in order, training draws them.
            row = _draw(reals, rng) if self.augment else int(reals[number % len(reals)][0])
            mirror = self.augment and bool(rng.random() < 0.5)
            image, box, points = self._face(row, rng, mirror)
            pair = self._faked(source.partition("_")[0], row, image, points, rng, mirror)
            square = self._square(box, rng)
            pictures = [self._cut(pair.real, square), self._cut(pair.fake, square)]
            where = self._cut(pair.mask / max(float(pair.mask.max()), 1e-6), square, WHERE_CELLS)
            return Made(pictures, where, pair.region, (row, row))
        real, fake, _ = self.generated[source].draw(rng)
        pictures, where = [], np.full((WHERE_CELLS, WHERE_CELLS), -1, np.float32)
        seed = int(rng.integers(2**32))  # mirrored, sized and cut alike
        for row in (real, fake):
            alike = np.random.default_rng(seed)
            image, box, _ = self._face(row, alike, self.augment and bool(alike.random() < 0.5))
            pictures.append(self._cut(image, self._square(box, alike)))
        return Made(pictures, where, "", (real, fake))

    def _faked(
        self,
        how: str,
        row: int,
        image: np.ndarray,
        points: np.ndarray,
        rng: np.random.Generator,
        mirror: bool,
    ) -> Pair:
        """The real face of a row, (H,W,3) with landmarks (5,2) px, and what was made of it."""
        if how == "blend":
            return self_blend(image, points, rng)
        if how == "mouth":
            return redraw_mouth(image, points, rng)
        if how == "upscale" and self.upscaled:
            drawn = self.upscaled.image(row, image.shape[:2], mirror)
            image, drawn = even_sharpness(image, drawn, rng)
            return resynthesise(image, points, rng, lambda *_: drawn)
        if how in ("resynth", "redraw"):
            return resynthesise(image, points, rng, self.redraw if how == "redraw" else None)
        others = np.flatnonzero(self.bank.item[self.partners] != self.bank.item[row])
        partner = others[similar(poses(points[None])[0], self.partner_poses[others], rng)]
        other, _, other_points = self._face(int(self.partners[partner]), rng, mirror=False)
        return swap(image, points, other, other_points, rng)

    def _face(
        self, row: int, rng: np.random.Generator, mirror: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Image, box and landmarks of a row, brought to a working size."""
        image, box, points = self.bank.image(row), self.bank.boxes[row], self.bank.landmarks[row]
        target = rng.integers(*BLEND_SIDE_PX) if self.augment else sum(BLEND_SIDE_PX) // 2
        scale = min(1.0, float(target) / max(image.shape[:2]))
        if scale < 1:
            size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            box, points = box * scale, points * scale
        if mirror:
            width = image.shape[1]
            image = np.ascontiguousarray(image[:, ::-1])
            box = np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)
            points = (points * (-1, 1) + (width, 0))[[1, 0, 2, 4, 3]]
        return image, box, points

    def _square(self, box: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
        """Centre x, y and side of the crop around a box; jittered in training, because detectors jitter too."""
        (x, y), side = (box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2]))
        margin = self.preprocess.margin
        if self.augment:
            x, y = np.array([x, y]) + rng.uniform(-0.06, 0.06, 2) * side
            margin *= rng.uniform(0.87, 1.15)
        return float(x), float(y), side * margin

    def _cut(self, image: np.ndarray, square: tuple[float, float, float], size: int = 0) -> np.ndarray:
        return cut_square(image, *fit_square(*square, *image.shape[:2]), size or self.preprocess.size)


class LabelledPairs(Dataset[dict[str, torch.Tensor]]):
    """The pairs of a `PairDataset` as recipes on single crops take them: {"x": (2,3,S,S), "y": (2,)}."""

    def __init__(self, pairs: PairDataset) -> None:
        self.pairs = pairs

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        x, y, _ = self.pairs[number]
        return {"x": x, "y": y}


def _rows_by_source(
    bank: FaceBank, items: Sequence[Item], upscaled: Upscaled | None
) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Per source the real and the fake rows, grouped by file so that a long clip counts once."""
    groups: dict[tuple[str, int], list[np.ndarray]] = {}
    order = np.argsort(bank.item, kind="stable")
    numbers, starts = np.unique(bank.item[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True):
        item = items[int(number)]
        groups.setdefault((item.kind, item.label), []).append(rows)

    def get(kind: str, label: int) -> list[np.ndarray]:
        return groups.get((kind, label), [])

    stills = [*get("crop", 0), *get("image", 0)]
    clips = get("video", 0)
    partners = stills if len(stills) > 1 else []

    def drawn(groups: list[np.ndarray]) -> list[np.ndarray]:
        kept = (np.array([r for r in rows if upscaled and r in upscaled], np.int64) for rows in groups)
        return [rows for rows in kept if len(rows)]

    return {
        "blend_still": (stills, stills),
        "blend_clip": (clips, clips),
        "mouth_still": (stills, stills),
        "mouth_clip": (clips, clips),
        "swap_still": (stills, partners),
        "swap_clip": (clips, partners),
        "resynth_still": (stills, stills),
        "resynth_clip": (clips, clips),
        "redraw_still": (stills, stills),
        "redraw_clip": (clips, clips),
        "upscale_still": (drawn(stills), drawn(stills)),
        "upscale_clip": (drawn(clips), drawn(clips)),
    }


def _draw(groups: list[np.ndarray], rng: np.random.Generator) -> int:
    """A file first, then one of its faces."""
    return int(rng.choice(groups[int(rng.integers(len(groups)))]))
