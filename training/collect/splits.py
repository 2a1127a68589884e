"""Splits that share no person: connected components of the people in each medium.

A medium belongs to a split only if everybody in it does, so media that share a person, directly or through others, go
together. Sets whose people are all swapped with each other are one component: `drop_mixed` then divides the people, and
leaves out the media that mix them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.collect.medium import Medium

NAMES = ("train", "val", "test")
TOLERANCE = 0.5  # a part may miss its share by this factor before a split is refused


def parse_shares(text: str) -> dict[str, float]:
    """Shares of the splits: "70/15/15" becomes {"train": .7, "val": .15, "test": .15}; a third number may be missing.

    Raises:
        SystemExit: it is nothing of the kind.
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or min(numbers) <= 0:
        raise SystemExit(f"{text!r} is no split: give two or three numbers above 0, such as 70/15/15.")
    return {name: n / sum(numbers) for name, n in zip(NAMES, numbers, strict=False)}


def components(media: Sequence[Medium]) -> np.ndarray:
    """(N,) int: media with the same number share people, directly or through others."""
    owners, people, names = [], [], {}
    for row, medium in enumerate(media):
        for person in sorted(medium.people()):
            owners.append(row)
            people.append(len(media) + names.setdefault(person, len(names)))
    size = len(media) + len(names)
    links = coo_array((np.ones(len(owners), bool), (owners, people)), shape=(size, size))
    return connected_components(links, directed=False)[1][: len(media)]


def divide(
    media: Sequence[Medium], shares: Mapping[str, float], seed: int, *, drop_mixed: bool = False
) -> list[Medium]:
    """The media with new splits, in their order; the same seed gives the same splits.

    Args:
        shares: of each split, sum 1.
        drop_mixed: divide people instead of components, and leave out what mixes the people of two splits.

    Raises:
        SystemExit: people hang together so much that a split would be far from its share.
    """
    rng = np.random.default_rng(seed)
    if drop_mixed:
        people = sorted({person for medium in media for person in medium.people()})
        drawn = _draw(np.ones(len(people)), shares, rng)
        part_of = dict(zip(people, drawn, strict=True))
        parts = [{part_of[p] for p in medium.people()} for medium in media]
        out = [replace(m, split=min(p)) for m, p in zip(media, parts, strict=True) if len(p) == 1]
    else:
        group = components(media)
        names, group = np.unique(group, return_inverse=True)
        sizes = np.bincount(group, minlength=len(names)).astype(float)
        drawn = _draw(sizes, shares, rng)
        out = [replace(m, split=drawn[g]) for m, g in zip(media, group, strict=True)]
    for name, share in shares.items():
        got = sum(m.split == name for m in out) / max(len(out), 1)
        if abs(got - share) > TOLERANCE * share:
            largest = int(np.bincount(components(media)).max())
            raise SystemExit(
                f"{name} would get {got:.0%} of the media, not {share:.0%}: {largest} of {len(media)} hang together "
                f"through shared people.{'' if drop_mixed else ' --drop-mixed divides the people instead.'}"
            )
    return out


def _draw(sizes: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator) -> list[str]:
    """A split for each group: large ones first, each to the split that lacks most of its share."""
    names = list(shares)
    wanted = np.array([shares[n] for n in names]) * sizes.sum()
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    out = [""] * len(sizes)
    for group in order:
        part = int(np.argmax(wanted))
        wanted[part] -= sizes[group]
        out[group] = names[part]
    return out


def shared_people(media: Sequence[Medium]) -> dict[str, set[str]]:
    """People that are in more than one split, with these splits; empty for an identity-disjoint list."""
    found: dict[str, set[str]] = {}
    for medium in media:
        for person in medium.people():
            found.setdefault(person, set()).add(medium.split)
    return {person: splits for person, splits in found.items() if len(splits) > 1}
