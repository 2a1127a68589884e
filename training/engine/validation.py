"""Figures of a model on the validation split while it trains: uncalibrated, not augmented, the same each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, get_args

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from tbd_app.known import Family
from training.datasets.clips import ClipReader
from training.engine.metrics import auc
from training.faces.index import GROUPS, Item
from training.faces.open import Faces

AT_ONCE = 8  # media whose crops are in memory together


@torch.inference_mode()
def score(model: nn.Module, x: Tensor, batch: int = 32) -> np.ndarray:
    """Uncalibrated fake_prob (N,) of normalised crops (N,3,S,S)."""
    parts = (part.contiguous(memory_format=torch.channels_last) for part in x.split(batch))
    return score_batches(model, ((part,) for part in parts))


@torch.inference_mode()
def score_batches(model: nn.Module, batches: Iterable[Sequence[Any]]) -> np.ndarray:
    """Uncalibrated fake_prob (N,) over batches of the model's arguments, such as (x,) or (x, mask)."""
    model.eval()
    device = next(model.parameters()).device
    out = []
    for batch in batches:
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(*send_to_device(batch, device))
        out.append(logits.float().softmax(1)[:, 1].cpu())
    return torch.cat(out).numpy()


def video_figures(
    items: Sequence[Item], probs: np.ndarray, known: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """Video-level AUC and accuracy at 0.5 of media with fake_prob (N,), and the AUC of each group and family of fakes.

    Args:
        items: N media.
        probs: (N,).
        known: generators of the train split; where there are any, "unseen_auc" leaves their fakes out.
    """
    labels = np.array([i.label for i in items])
    families = {i.family: {i.family} for i in items if i.family in get_args(Family)}
    out = {"video_auc": auc(labels, probs), "video_accuracy": float(((probs >= 0.5) == labels).mean())}
    for name, part in (families | GROUPS).items():
        keep = np.array([not i.label or i.family in part for i in items])
        out[f"{name}_auc"] = auc(labels[keep], probs[keep])
    if known:
        keep = np.array([not i.label or i.generator not in known for i in items])
        out["unseen_auc"] = auc(labels[keep], probs[keep])
    return out


def validated(faces: Faces) -> np.ndarray:
    """(N,) numbers of the media that figures are taken of: the clips, or where there are none all media."""
    clips = faces.media("video")
    return clips if len(clips) else faces.media()


def frame_figures(
    model: nn.Module, reader: ClipReader, known: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """Video-level figures of a frame model: the mean over the frames of each val medium that the reader cuts.

    A few media at a time: the crops of a large split, all together, would be tens of gigabytes.
    """
    media = validated(reader.faces)
    means = [
        mean
        for start in range(0, len(media), AT_ONCE)
        for mean in _means(model, reader, media[start : start + AT_ONCE])
    ]
    return video_figures([reader.faces.items[n] for n in media], np.array(means), known)


def _means(model: nn.Module, reader: ClipReader, media: np.ndarray) -> list[float]:
    """The mean fake_prob over the frames of each of these media, as serving takes them."""
    clips = [reader.crops(reader.frames(int(n), None), None) for n in media]
    probs = score(model, reader.preprocess.tensor(np.concatenate(clips)))
    ends = np.cumsum([len(clip) for clip in clips])[:-1]
    return [float(part.mean()) for part in np.split(probs, ends)]


def clip_figures(
    model: nn.Module, reader: ClipReader, known: AbstractSet[str] = frozenset()
) -> dict[str, float]:
    """Video-level figures of a clip model: one clip of each val medium."""
    media = validated(reader.faces)
    clips = (reader.tensor(reader.crops(reader.frames(int(n), None), None)) for n in media)
    probs = score_batches(model, ((x[None], mask[None]) for x, mask in clips))
    return video_figures([reader.faces.items[n] for n in media], probs, known)
