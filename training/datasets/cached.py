"""Features of clips from a CNN that does not learn, taken once: what stands on it then learns from them in many epochs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from tbd_app.models.nets.base import clip_features
from training.datasets.batches import batches


class CachedPairs:
    """Examples for `batches.Shuffled`: the first `n` pairs of clips as features of their frames.

    An example is {"x": (2,T,C) float32, "mask": (2,T), "y": (2,)}.

    Args:
        pairs: numbered items with "x" (2,T,3,S,S), "mask" and "y".
        backbone: (N,3,S,S) -> (N,C), in eval mode.
        n: how many are taken.
        workers: loader processes.
    """

    def __init__(self, pairs: Dataset[Any], backbone: nn.Module, n: int, workers: int = 0) -> None:
        self.examples: list[dict[str, Tensor]] = []
        backbone.eval()
        with torch.inference_mode():
            for batch in tqdm(batches(pairs, 1, 0, n, workers), total=n, desc="features", unit="pair"):
                features = clip_features(backbone, batch["x"][0])
                self.examples.append(
                    {"x": features.clone(), "mask": batch["mask"][0].clone(), "y": batch["y"][0].clone()}
                )

    def __len__(self) -> int:
        return len(self.examples)

    def example(self, row: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """The features of a row; nothing is drawn."""
        return self.examples[row]


@contextmanager
def on_frames(model: nn.Module, backbone: nn.Module) -> Iterator[nn.Module]:
    """Within, a model that learns from features has a backbone and takes frames again."""
    features, model.backbone = model.backbone, backbone
    try:
        yield model
    finally:
        model.backbone = features
