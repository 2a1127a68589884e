"""Pairs of a real generator's work and a real medium: the generator comes first, then a file of it, then its counterpart.

Few pages give many files and many give two, so a generator or a page weighs as the root of its files. A fake stands beside a
real medium of its own page and scene where there is one (`Item.group`), else beside one of the same form from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from training.faces.bank import FaceBank
from training.faces.index import Item


class Drawn(NamedTuple):
    """Rows of a bank: a real face, a fake one, and whether both show the same scene."""

    real: int
    fake: int
    same_scene: bool


class GeneratedPairs:
    """Draws pairs of one kind of medium.

    Args:
        bank: faces.
        items: index the bank was built from.
        kind: "video" or "image".
    """

    def __init__(self, bank: FaceBank, items: Sequence[Item], kind: str) -> None:
        order = np.argsort(bank.item, kind="stable")
        numbers, starts = np.unique(bank.item[order], return_index=True)
        rows = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))
        self._rows = {n: r[np.argsort(bank.position[r], kind="stable")] for n, r in rows.items()}
        mine = [n for n in rows if items[n].kind == kind]
        self._items = items
        self._fakes = Rooted([n for n in mine if items[n].label], lambda n: items[n].generator)
        reals = [n for n in mine if not items[n].label]
        self._by_scene: dict[str, list[int]] = {}
        by_form: dict[str, list[int]] = {}
        for n in reals:
            self._by_scene.setdefault(items[n].group, []).append(n)
            by_form.setdefault(items[n].path.parent.name, []).append(n)
        self._reals = Rooted(reals, lambda n: items[n].source)
        self._by_form = {form: Rooted(group, lambda n: items[n].source) for form, group in by_form.items()}

    def __bool__(self) -> bool:
        return bool(self._fakes and self._reals)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """A pair; of one scene at the same place in time."""
        real, fake = self.media(rng)
        place = rng.random()
        at = [self._rows[n][int(place * len(self._rows[n]))] for n in (real, fake)]
        return Drawn(int(at[0]), int(at[1]), self._items[real].group == self._items[fake].group)

    def media(self, rng: np.random.Generator) -> tuple[int, int]:
        """Numbers of a real medium and of a fake one, which stand in the index."""
        fake = self._fakes.draw(rng)
        scene = self._by_scene.get(self._items[fake].group)
        if scene:
            return int(rng.choice(scene)), fake
        return self._by_form.get(self._items[fake].path.parent.name, self._reals).draw(rng), fake


class Rooted:
    """Draws an item of a group, a group as often as the root of its size."""

    def __init__(self, numbers: Sequence[int], group_of: Callable[[int], str]) -> None:
        groups: dict[str, list[int]] = {}
        for n in numbers:
            groups.setdefault(group_of(n), []).append(n)
        self._groups = list(groups.values())
        weights = np.sqrt([len(group) for group in self._groups])
        self._shares = weights / weights.sum() if len(weights) else weights

    def __len__(self) -> int:
        return len(self._groups)

    def draw(self, rng: np.random.Generator) -> int:
        """A number; the same state of the generator gives the same one."""
        return int(rng.choice(self._groups[int(rng.choice(len(self._groups), p=self._shares))]))
