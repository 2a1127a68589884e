"""The makers of pseudo-fakes, one row each: its name, what it needs, and the function that makes a fake of a real face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from training.fakes.generators import Redraw
from training.fakes.mouth import redraw_mouth
from training.fakes.resynth import resynthesise
from training.fakes.selfblend import Pair, self_blend
from training.fakes.swap import swap
from training.fakes.upscale import even_sharpness

Need = Literal["", "partners", "generators", "upscaled"]


class Around(Protocol):
    """What a maker may ask for besides the face."""

    @property
    def redraw(self) -> Redraw:
        """The generators that make a face anew."""
        ...

    def partner(self, landmarks: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Another person in a like pose: the picture (H,W,3) uint8 RGB and landmarks (5,2) px."""
        ...

    def drawn_before(self, shape: tuple[int, int]) -> np.ndarray:
        """The same face as it was drawn beforehand: (H,W,3) uint8 RGB of this height and width."""
        ...


Make = Callable[[np.ndarray, np.ndarray, np.random.Generator, Around], Pair]


@dataclass(frozen=True, slots=True)
class Maker:
    """How a pseudo-fake is made.

    Attributes:
        name: in the shares of pairs, before the form of the medium ("blend_still").
        needs: what must be there besides a real face: other people, trained generators, or faces drawn beforehand.
        make: (image (H,W,3) uint8 RGB, landmarks (5,2) px, rng, what is around) -> the real and its fake.
    """

    name: str
    needs: Need
    make: Make


def _swap(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, around: Around) -> Pair:
    return swap(image, landmarks, *around.partner(landmarks, rng), rng)


def _upscale(image: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, around: Around) -> Pair:
    image, drawn = even_sharpness(image, around.drawn_before(image.shape[:2]), rng)
    return resynthesise(image, landmarks, rng, lambda *_: drawn)


MAKERS = {
    maker.name: maker
    for maker in (
        Maker("blend", "", lambda image, points, rng, _: self_blend(image, points, rng)),
        Maker("mouth", "", lambda image, points, rng, _: redraw_mouth(image, points, rng)),
        Maker("swap", "partners", _swap),
        Maker("resynth", "", lambda image, points, rng, _: resynthesise(image, points, rng)),
        Maker(
            "redraw", "generators", lambda image, points, rng, a: resynthesise(image, points, rng, a.redraw)
        ),
        Maker("upscale", "upscaled", _upscale),
    )
}
