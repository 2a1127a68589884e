"""Training pairs, one real and one fake each, made on the fly and reproducible by their number.

A pair shares its degradations; portraits of a real generator are paired with real portraits, so that the kind of medium
tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from tbd_app.pipeline.crops import Preprocess
from training.datasets.augment import GENTLE, degrade
from training.datasets.crops import Frame, Jitter, reduced
from training.datasets.generated import GeneratedPairs
from training.datasets.shares import HIDDEN, PAIR_SHARES, shares_of
from training.faces.bank import FaceBank
from training.faces.index import Item
from training.fakes.generators import Generator, Redraw
from training.fakes.makers import MAKERS, Maker
from training.fakes.swap import poses, similar
from training.fakes.upscale import Upscaled

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
        weights = np.array([given[s] for s in usable])
        self.sources, self.shares = usable, weights / weights.sum()
        # Whose faces are put into others: one of each still.
        self.partners = np.array([rows[0] for rows in self.rows["swap_still"]], np.int64)

    def _has(self, source: str) -> bool:
        if source in self.generated:
            return bool(self.generated[source])
        return bool(self.rows[source])

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
            reals = self.rows[source]
            # Validation walks through the faces in order, training draws them.
            row = _draw(reals, rng) if self.augment else int(reals[number % len(reals)][0])
            mirror = self.augment and bool(rng.random() < 0.5)
            image, box, points = self.face(row, rng, mirror)
            around = _Around(self, row, mirror)
            pair = MAKERS[source.partition("_")[0]].make(image, points, rng, around)
            jitter = self._jitter(rng)
            pictures = jitter.cut([(pair.real, box, points), (pair.fake, box, points)], self.preprocess)
            mask = pair.mask / max(float(pair.mask.max()), 1e-6)
            (where,) = jitter.cut([(mask, box, points)], replace(self.preprocess, size=WHERE_CELLS))
            return Made(pictures, where, pair.region, (row, row))
        real, fake, _ = self.generated[source].draw(rng)
        pictures, where = [], np.full((WHERE_CELLS, WHERE_CELLS), -1, np.float32)
        seed = int(rng.integers(2**32))  # mirrored, sized and cut alike
        for row in (real, fake):
            alike = np.random.default_rng(seed)
            shown = self.face(row, alike, self.augment and bool(alike.random() < 0.5))
            pictures += self._jitter(alike).cut([shown], self.preprocess)
        return Made(pictures, where, "", (real, fake))

    def face(self, row: int, rng: np.random.Generator, mirror: bool) -> Frame:
        """Image, box and landmarks of a row, brought to a working size."""
        target = float(rng.integers(*BLEND_SIDE_PX) if self.augment else sum(BLEND_SIDE_PX) // 2)
        image, box, points = reduced(
            self.bank.image(row), self.bank.boxes[row], self.bank.landmarks[row], target
        )
        if mirror:
            width = image.shape[1]
            image = np.ascontiguousarray(image[:, ::-1])
            box = np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)
            points = (points * (-1, 1) + (width, 0))[[1, 0, 2, 4, 3]]
        return image, box, points

    def _jitter(self, rng: np.random.Generator) -> Jitter:
        return Jitter.draw(rng if self.augment else None)


@dataclass(frozen=True, slots=True)
class _Around:
    """What lies around a row of the bank; see `makers.Around`."""

    pairs: PairDataset
    row: int
    mirror: bool

    @property
    def redraw(self) -> Redraw:
        return self.pairs.redraw

    def partner(self, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        item, partners = self.pairs.bank.item, self.pairs.partners
        others = np.flatnonzero(item[partners] != item[self.row])
        chosen = others[similar(poses(landmarks[None])[0], self.pairs.partner_poses[others], rng)]
        image, _, points = self.pairs.face(int(partners[chosen]), rng, mirror=False)
        return image, points

    def drawn_before(self, shape: tuple[int, int]) -> np.ndarray:
        if self.pairs.upscaled is None:
            raise LookupError("no face was drawn beforehand")
        return self.pairs.upscaled.image(self.row, shape, self.mirror)


class LabelledPairs(Dataset[dict[str, torch.Tensor]]):
    """The pairs of a `PairDataset` as recipes on single crops take them: {"x": (2,3,S,S), "y": (2,)}."""

    def __init__(self, pairs: PairDataset) -> None:
        self.pairs = pairs

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        x, y, _ = self.pairs[number]
        return {"x": x, "y": y}


def _rows_by_source(
    bank: FaceBank, items: Sequence[Item], upscaled: Upscaled | None
) -> dict[str, list[np.ndarray]]:
    """Rows of the real faces that each source can be made of, grouped by file so that a long clip counts once."""
    groups: dict[tuple[str, int], list[np.ndarray]] = {}
    order = np.argsort(bank.item, kind="stable")
    numbers, starts = np.unique(bank.item[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True):
        item = items[int(number)]
        groups.setdefault((item.kind, item.label), []).append(rows)
    stills = [*groups.get(("crop", 0), []), *groups.get(("image", 0), [])]
    forms = {"still": stills, "clip": groups.get(("video", 0), [])}

    def usable(maker: Maker, reals: list[np.ndarray]) -> list[np.ndarray]:
        if maker.needs == "partners":
            return reals if len(stills) > 1 else []
        if maker.needs == "upscaled":
            kept = (np.array([r for r in rows if upscaled and r in upscaled], np.int64) for rows in reals)
            return [rows for rows in kept if len(rows)]
        return reals

    return {f"{m.name}_{form}": usable(m, reals) for m in MAKERS.values() for form, reals in forms.items()}


def _draw(groups: list[np.ndarray], rng: np.random.Generator) -> int:
    """A file first, then one of its faces."""
    return int(rng.choice(groups[int(rng.integers(len(groups)))]))
