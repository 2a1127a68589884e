"""The corruption suite on single faces, for any model: what each corruption costs in AUC, as a table and a picture.

A corruption is applied to the face with its surroundings, at its size in the file; the crop is cut from that, as in serving.

Source: fact sheet H, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

from tbd_app.media.recode import jpeg
from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.crops import for_spec
from training.benchmark import robustness
from training.benchmark.robustness import CLEAN, Codec
from training.engine.metrics import auc_by_ranks, auc_gain, draws_by_source
from training.evaluation.corruptions import CHANGES, Change
from training.faces.open import Faces

# Of corruption and model: AUC, and what is lost, with its interval.
Figures = dict[str, dict[str, list[float]]]
BATCH = 32


def _in_rgb(change: Change) -> Codec:
    def codec(image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(change(image[..., ::-1], np.random.default_rng(0))[..., ::-1])

    return codec


CODECS: dict[str, Codec] = {
    CLEAN: lambda image: image,
    **{f"jpeg{q}": partial(jpeg, quality=q) for q in (95, 75, 50, 30)},
    **robustness.CODECS,
    **{name: _in_rgb(change) for name, change in CHANGES.items()},
}


def logits(
    names: Sequence[str], faces: Faces, rows: Sequence[int], device: str
) -> dict[str, dict[str, np.ndarray]]:
    """Fake-minus-real logits (N,) by corruption and model, each model as it is served on a picture.

    Args:
        names: of installed models; one of clips sees a clip of one frame.
        faces: of a split.
        rows: N rows of its bank.
        device: torch's name.
    """
    models = {name: (registry.spec(name), score.loaded(name, device)) for name in names}
    out: dict[str, dict[str, np.ndarray]] = {}
    for corruption, codec in tqdm(CODECS.items(), desc="corruptions", unit="corruption"):
        found: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for start in range(0, len(rows), BATCH):
            chunk = rows[start : start + BATCH]
            images = [codec(faces.bank.image(k)) for k in chunk]
            for name, (spec, model) in models.items():
                preprocess = for_spec(spec)
                crops = preprocess.crops(images, faces.bank.boxes[chunk], faces.bank.landmarks[chunk])
                x = preprocess.tensor(crops, device)
                found[name].append(score.of_pictures(model, spec, x[:, None] if spec.task == "clip" else x))
        out[corruption] = {name: np.concatenate(parts) for name, parts in found.items()}
    return out


def figures(
    labels: np.ndarray, groups: Sequence[str], found: Mapping[str, Mapping[str, np.ndarray]]
) -> Figures:
    """By corruption and model [AUC, AUC less that of clean pictures, low, high]: the 95 % interval of the difference."""
    draws = draws_by_source(labels, groups)
    out: Figures = {}
    for corruption, models in found.items():
        out[corruption] = {}
        for name, now in models.items():
            step = auc_gain(labels, now, found[CLEAN][name], draws)
            out[corruption][name] = [auc_by_ranks(labels, now), *step]
    return out


def table(measured: Figures) -> str:
    """Markdown: a row for each corruption, a column for each model; a star where the loss is beyond its interval."""
    names = list(measured[CLEAN])
    lines = [f"| AUC | {' | '.join(f'`{name}`' for name in names)} |", "|---|" + "--:|" * len(names)]
    for corruption, models in measured.items():
        cells = (f"{v[0]:.3f}{'*' if v[3] < 0 else ''}" for v in (models[name] for name in names))
        lines.append(f"| {corruption} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def picture(measured: Figures, path: Path) -> None:
    """A heat map of what each corruption takes from the AUC of each model."""
    names, kinds = list(measured[CLEAN]), [kind for kind in measured if kind != CLEAN]
    lost = np.array([[measured[kind][name][1] for name in names] for kind in kinds])
    figure, axes = plt.subplots(
        figsize=(1.6 + 0.9 * len(names), 1.8 + 0.24 * len(kinds)), layout="constrained"
    )
    most = max(float(np.abs(lost).max()), 0.01)
    shown = axes.imshow(lost, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds, fontsize=8)
    for y, row in enumerate(lost):
        for x, value in enumerate(row):
            colour = "white" if abs(value) > 0.6 * most else "black"
            axes.text(x, y, f"{value:+.2f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(shown, label="AUC less that of the pictures as they are")
    figure.savefig(path, dpi=110)
    plt.close(figure)
