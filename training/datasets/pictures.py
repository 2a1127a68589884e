"""Single pictures with their labels, whole (portraits that are aligned already) or cut around a face that was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from tbd_app.pipeline.crops import Preprocess, cut_square, fit_square
from training.datasets.augment import degrade
from training.datasets.clips import choose
from training.faces.index import Item
from training.faces.open import Faces

Cut = Callable[[int], np.ndarray]


class Pictures:
    """Examples {"x": (3,S,S), "y": ()} of labelled pictures; see `batches.Shuffled`.

    Args:
        items: what is in row 0, 1, ...
        cut: row to crop (S,S,3) uint8 RGB.
        preprocess: normalises.
        robust: light, blur, resolution, noise and codec are drawn, too; mirroring always is.
    """

    def __init__(
        self, items: Sequence[Item], cut: Cut, preprocess: Preprocess, *, robust: bool = False
    ) -> None:
        self.items, self.cut, self.preprocess, self.robust = items, cut, preprocess, robust

    def __len__(self) -> int:
        return len(self.items)

    def example(self, row: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The picture of a row, mirrored in half of the draws."""
        crop = self.cut(row)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if self.robust:
            crop = degrade([np.ascontiguousarray(crop)], rng)[0]
        return {"x": self.preprocess.tensor(crop[None])[0], "y": torch.tensor(self.items[row].label)}


def chosen(faces: Faces, kinds: Collection[str] = (), n_media: int = 0) -> np.ndarray:
    """(N,) numbers of the media of these kinds that have a face: so many of each class, spread over the index; 0 for all."""
    media = faces.media(*kinds)
    if not n_media:
        return media
    labels = np.array([faces.items[n].label for n in media])
    parts = [media[labels == c] for c in (0, 1)]
    return np.sort(np.concatenate([p[choose(len(p), n_media, "spread")] for p in parts if len(p)]))


def whole(items: Sequence[Item], preprocess: Preprocess) -> Cut:
    """Each file as one square, nothing detected."""
    return partial(_whole, items, preprocess.size)


def around_faces(faces: Faces, media: Sequence[int], preprocess: Preprocess) -> Cut:
    """The first face of each medium, as the model sees it."""
    rows = [int(faces.rows(number)[0]) for number in media]
    return partial(_around, faces, rows, preprocess)


def every_face(faces: Faces, preprocess: Preprocess, kinds: Collection[str] = ()) -> tuple[list[Item], Cut]:
    """Each face of a split, or of its media of some kinds, a row each: the medium it is of, and how it is cut."""
    of_rows = [faces.items[n] for n in faces.bank.item]
    rows = [row for row, item in enumerate(of_rows) if not kinds or item.kind in kinds]
    return [of_rows[row] for row in rows], partial(_around, faces, rows, preprocess)


def _whole(items: Sequence[Item], size: int, row: int) -> np.ndarray:
    picture = cv2.imread(str(items[row].path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"The picture {items[row].path.name} cannot be read.")
    height, width = picture.shape[:2]
    square = fit_square(width / 2, height / 2, min(height, width), height, width)
    return cut_square(np.ascontiguousarray(picture[..., ::-1]), *square, size)


def _around(faces: Faces, rows: Sequence[int], preprocess: Preprocess, row: int) -> np.ndarray:
    r, bank = rows[row], faces.bank
    return preprocess.crops([bank.image(r)], bank.boxes[[r]], bank.landmarks[[r]])[0]
