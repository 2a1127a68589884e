"""What attacks and codecs do to the figures of frame models: scenarios on crops, intervals by source, a table.

An attack comes first, then the codec, then the normalisation; before every codec pixels are rounded to 8 bits.

Source: fact sheet F, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from tbd_app.media.recode import h264_clip, jpeg
from training.attacks import pgd
from training.attacks.pgd import STRONG, PgdConfig
from training.attacks.space import PixelSpace
from training.attacks.unet import UNetAttacker
from training.engine.metrics import auc_by_ranks, auc_gain, draws_by_source, interval
from training.engine.validation import score

Codec = Callable[[np.ndarray], np.ndarray]
CLEAN = "clean"
CLIP_FRAMES, TAKEN = 5, 2  # a crop is shown so often before it is encoded; the frame in the middle is read


def h264(image: np.ndarray, crf: int) -> np.ndarray:
    """The third of five frames that all show one crop (H,W,3) uint8 RGB: most frames of a video are predicted."""
    return h264_clip([image] * CLIP_FRAMES, crf, "medium")[TAKEN]


CODECS: dict[str, Codec] = {
    "jpeg50": partial(jpeg, quality=50),
    "h264_crf23": partial(h264, crf=23),
    "h264_crf32": partial(h264, crf=32),
    "h264_crf40": partial(h264, crf=40),
}
ATTACKS = ("pgd", "pgd_strong", "unet")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to a face before a model sees it.

    Attributes:
        attack: "pgd" (white box, ten steps), "pgd_strong" (white box, 50 steps and three starts), "unet", or none.
        attacker: name of the model that the U-Net was trained against; empty for the judged model's own.
        codec: one of `CODECS`, or none.
    """

    attack: str = ""
    attacker: str = ""
    codec: str = ""

    @property
    def name(self) -> str:
        """Such as "unet of effnet_vit_base + jpeg50"."""
        attack = f"{self.attack} of {self.attacker}" if self.attacker else self.attack
        return " + ".join(filter(None, (attack, self.codec))) or CLEAN


# The reference's seven, with H.264 at three rates; pgd_strong is asked for by name.
SCENARIOS: dict[str, Scenario] = {
    s.name: s
    for s in (
        Scenario(),
        *(Scenario(codec=codec) for codec in CODECS),
        Scenario("pgd"),
        Scenario("unet"),
        Scenario("unet", codec="jpeg50"),
        Scenario("unet", codec="h264_crf23"),
        Scenario("pgd_strong"),
    )
}
USUAL = tuple(name for name in SCENARIOS if name != "pgd_strong")


@dataclass(frozen=True, slots=True)
class Crops:
    """Faces of N media, cut for one model.

    Attributes:
        pictures: (M,S,S,3) uint8 RGB.
        landmarks: (M,5,2) px of the crop.
        owner: (M,) the medium of each, counting from 0.
        labels: (N,) of the media, fake = 1.
        groups: (N,) their sources.
    """

    pictures: np.ndarray
    landmarks: np.ndarray
    owner: np.ndarray
    labels: np.ndarray
    groups: tuple[str, ...]


def scores(
    scenario: Scenario,
    model: nn.Module,
    crops: Crops,
    space: PixelSpace,
    attackers: Mapping[str, UNetAttacker],
    *,
    own: str = "",
    eps: float = 8 / 255,
    batch: int = 32,
) -> np.ndarray:
    """fake_prob (N,) of the media under a scenario: the mean over their faces, uncalibrated.

    Args:
        scenario: what happens to the faces; its attack knows the true labels.
        model: what is judged and, by PGD, attacked.
        crops: the faces.
        space: of the model.
        attackers: U-Nets by the model that each was trained against.
        own: name of the model among them.
        eps: of PGD; a U-Net has its own.
        batch: faces at once.
    """
    device = next(model.parameters()).device
    y = torch.from_numpy(crops.labels[crops.owner])
    probs = []
    for rows in torch.arange(len(crops.pictures)).split(batch):
        pictures = torch.from_numpy(crops.pictures[rows.numpy()]).to(device)
        x = space.normalised(pictures.permute(0, 3, 1, 2).float() / 255)
        x = _attacked(scenario, model, x, y[rows].to(device), space, attackers, own, eps)
        if scenario.codec:
            x = recoded(x, space, CODECS[scenario.codec])
        probs.append(score(model, x, batch))
    return np.bincount(crops.owner, np.concatenate(probs)) / np.bincount(crops.owner)


def recoded(x: Tensor, space: PixelSpace, codec: Codec) -> Tensor:
    """Normalised faces (B,3,S,S) through 8 bits and a real codec."""
    pictures = (space.pixels(x) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    back = torch.from_numpy(np.stack([codec(np.ascontiguousarray(p)) for p in pictures]))
    return space.normalised(back.permute(0, 3, 1, 2).float().to(x.device) / 255)


def _attacked(
    scenario: Scenario,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    space: PixelSpace,
    attackers: Mapping[str, UNetAttacker],
    own: str,
    eps: float,
) -> Tensor:
    if scenario.attack == "unet":
        return attackers[scenario.attacker or own].to(x.device).attack(x, space)
    if scenario.attack == "pgd":
        return pgd.attack(model, x, y, space, PgdConfig(eps=eps))
    if scenario.attack == "pgd_strong":
        strong = PgdConfig(eps, STRONG.step_size, STRONG.n_steps, STRONG.random_start, STRONG.restarts)
        return pgd.attack(model, x, y, space, strong)
    return x


def accuracy(labels: np.ndarray, probs: np.ndarray) -> float:
    """Share of right answers at 0.5."""
    return float(((probs >= 0.5) == labels).mean())


def balanced_accuracy(labels: np.ndarray, probs: np.ndarray) -> float:
    """Mean of the shares of right answers among reals and among fakes, at 0.5; NaN when one class is absent."""
    right = (probs >= 0.5) == labels
    if not 0 < labels.sum() < len(labels):
        return float("nan")
    return float((right[labels == 0].mean() + right[labels == 1].mean()) / 2)


FIGURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "auc": auc_by_ranks,
}


def figures(crops: Crops, probs: np.ndarray) -> dict[str, list[float]]:
    """Each of `FIGURES` of media as [value, low, high], the 95 % interval over drawn sources."""
    draws = draws_by_source(crops.labels, crops.groups)
    out = {}
    for name, figure in FIGURES.items():
        values = [figure(crops.labels[rows], probs[rows]) for rows in draws]
        out[name] = [figure(crops.labels, probs), *interval(values)]
    return out


def gain(crops: Crops, probs: np.ndarray, baseline: np.ndarray) -> list[float]:
    """How much more AUC one model has than another on the same media, as [value, low, high]; the draws are shared."""
    return auc_gain(crops.labels, probs, baseline, draws_by_source(crops.labels, crops.groups))


def table(
    measured: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    gains: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Markdown: a row for each scenario and model.

    Args:
        measured: figures by scenario and model.
        gains: of the second model over the first, by scenario.
    """
    lines = [
        "| scenario | model | accuracy | balanced accuracy | AUC |",
        "|---|---|--:|--:|--:|",
    ]
    for scenario, models in measured.items():
        for model, values in models.items():
            cells = " | ".join(_cell(values[name]) for name in FIGURES)
            lines.append(f"| {scenario} | `{model}` | {cells} |")
    if gains:
        first, second = list(next(iter(measured.values())))[:2]
        lines += ["", f"| scenario | AUC of `{second}` less that of `{first}` |", "|---|--:|"]
        lines += [f"| {scenario} | {_cell(value, '+.3f')} |" for scenario, value in gains.items()]
    return "\n".join(lines) + "\n"


def _cell(value: Sequence[float], form: str = ".3f") -> str:
    """A value and its interval, as in "0.812 (0.774 to 0.850)"."""
    middle, low, high = (format(v, form) for v in value)
    return f"{middle} ({low} to {high})"
