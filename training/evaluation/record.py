"""The project's own measurement: installed models on val, through the engine that serves users; cards, figures and README.

Clips are scored at file level by `tbd_app.analyze`, as `tbd analyze` does, whole and after each corruption; every installed
model sees the same faces. `figures.py` says how scores become figures.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from tqdm import tqdm

from tbd_app.media.recode import h264
from tbd_app.models import manifest, registry
from tbd_app.pipeline import score, verdict
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import ModelSpec
from training.datasets.pairs import PairDataset
from training.engine.metrics import auc
from training.evaluation import card, cost, ledger, plots, readme
from training.evaluation.answers import (
    ENSEMBLE,
    Scores,
    picture_scores,
    score_clips,
    voters_among,
    write_rows,
)
from training.evaluation.figures import (
    by_family,
    by_generator,
    image_figures,
    picture_figures,
    rate,
    video_figures,
)
from training.faces.bank import FaceBank, load_or_build
from training.faces.index import Item, read_index
from training.fakes.generators import HELD_OUT, load_generators, redraw
from training.fakes.selfblend import REGIONS

CRF = 32
BLEND_SEED = 7


def again() -> None:
    """Write known_performance, cards and README again from the figures that are kept."""
    ledger.rewrite()
    for entry in ledger.entries().values():
        if entry["metrics"]:
            card.write_card(entry)
    readme.write()


def measure(
    data: Path,
    names: Sequence[str],
    *,
    n_frames: int,
    corruptions: Sequence[str],
    generators: Path,
    cache: Path,
    out: Path,
) -> None:
    """Measure, then rewrite the figures of the models and of their vote, their cards and curves, and the README.

    Args:
        data: folder with index.csv.
        names: installed models.
        n_frames: sampled from each clip.
        corruptions: which of `corruptions.py` to measure besides the original files.
        generators: folder of train_generators.py; where it holds the architecture that no training saw, what that one draws
            of val stills is measured, too.
        cache: people and logits that were found before.
        out: where the predictions per file are written as CSV.
    """
    listed = read_index(data)
    items = [i for i in listed if i.split == "val"]
    clips = [i for i in items if i.kind == "video"]
    trained_on = {i.generator for i in listed if i.split == "train"}
    scored = {"original": score_clips(clips, names, n_frames, cache=cache)}
    for corruption in corruptions:
        scored[corruption] = score_clips(clips, names, n_frames, corruption, cache)
    bank = load_or_build(items, Path("runs/cache"))
    out.mkdir(parents=True, exist_ok=True)
    owners: list[Item] = []
    pictures: dict[str, np.ndarray] = {}
    for name in names:
        spec, mine = registry.spec(name), {variant: part[name] for variant, part in scored.items()}
        write_rows(out / f"{name}.csv", clips, mine)
        figures = clip_figures(clips, mine, trained_on)
        probs, owners = picture_scores(items, bank, [name], cache)
        pictures[name] = probs[:, 0]
        figures |= pictures_figures(owners, pictures[name], spec)
        if spec.task == "frame":
            figures |= still_figures(items, bank, spec)
            figures |= redrawn_figures(items, bank, spec, generators)
        figures["cost"] = cost.of(name)
        plots.curves(name, clips, np.array(mine["original"].probs), mine["original"].votes)
        card.record(name, figures)
        print(json.dumps({name: figures}, indent=1))
    if voters := voters_among(names, "video"):
        verdicts = {variant: part[ENSEMBLE] for variant, part in scored.items()}
        write_rows(out / f"{ENSEMBLE}.csv", clips, verdicts)
        if len(voters) > 1:  # one voter's curves are drawn already
            plots.curves(ENSEMBLE, clips, np.array(verdicts["original"].probs), verdicts["original"].votes)
        figures = clip_figures(clips, verdicts, trained_on)
        on_pictures = voters_among(names, "image")
        figures |= vote_on_pictures(owners, {name: pictures[name] for name in on_pictures})
        ledger.write_ensemble(list(dict.fromkeys([*voters, *on_pictures])), figures)
    readme.write()


def clip_figures(
    clips: Sequence[Item], scored: dict[str, Scores], trained_on: Collection[str] = ()
) -> dict[str, Any]:
    """Figures over all variants of the clips; families, generators and what no training saw for the original files."""
    out = {}
    for variant, scores in scored.items():
        key = "val_clips" if variant == "original" else f"val_clips_{variant}"
        out[key] = video_figures(clips, np.array(scores.probs), scores.votes)
    original = np.array(scored["original"].probs)
    votes = scored["original"].votes
    for name, figures in by_family(clips, original, votes).items():
        out[f"val_{name}_clips"] = figures
    unseen = [k for k, c in enumerate(clips) if not c.label or c.generator not in trained_on]
    out["val_unseen_clips"] = video_figures(
        [clips[k] for k in unseen], original[unseen], [votes[k] for k in unseen]
    )
    out["generators"] = by_generator(clips, original, votes)
    frames = scored["original"].frames
    if any(frames):
        labels = np.repeat([c.label for c in clips], [len(f) for f in frames])
        out["val_clips"]["frame_auc"] = round(auc(labels, np.concatenate(frames)), 4)
    return out


def still_figures(items: Sequence[Item], bank: FaceBank, spec: ModelSpec) -> dict[str, Any]:
    """Image-level figures: self-blends of val stills, plain and recoded."""
    preprocess = for_spec(spec)
    model = score.loaded(spec.name, "cpu")
    n_stills = sum(i.kind == "crop" for i in items)
    pairs = PairDataset(
        bank, items, preprocess, length=n_stills, seed=BLEND_SEED, augment=False, sources=["blend_still"]
    )
    plain, coded, regions = [], [], []
    for number in tqdm(range(n_stills), desc="self-blends", unit="pair"):
        pair, _, region, _ = pairs.made(np.random.default_rng([BLEND_SEED, number]), number)
        regions.append(region)
        for crops, scores in ((pair, plain), ([h264(c, CRF) for c in pair], coded)):
            scores.append(_probs(model, spec, np.stack(crops)))
    labels = np.tile([0, 1], n_stills)
    threshold = score.bounds_for(spec, 1)[1]
    return {
        "self_blends": image_figures(labels, np.concatenate(plain), threshold),
        **by_region(regions, np.array(plain), threshold),
        f"self_blends_h264_crf{CRF}": image_figures(labels, np.concatenate(coded), threshold),
    }


def pictures_figures(owners: Sequence[Item], probs: np.ndarray, spec: ModelSpec) -> dict[str, Any]:
    """Image-level figures of val pictures, each served on its own, and of those of StyleGAN2 apart.

    Args:
        owners: N pictures.
        probs: (N,) fake_prob.
        spec: of the model.
    """
    bounds = score.bounds_for(spec, 1)
    threshold = bounds[1]
    real = np.array([i.label == 0 for i in owners])
    stylegan2 = _same_source(owners, "StyleGAN2")
    return {
        **picture_figures(owners, probs, bounds),
        **_stylegan2(real[stylegan2], probs[stylegan2], threshold),
        "real_pictures": {
            "level": "image",
            "n_real": int(real.sum()),
            **rate("fpr", probs[real] >= threshold, np.array([i.source for i in owners])[real]),
        },
    }


def vote_on_pictures(owners: Sequence[Item], probs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Image-level figures of the voters together; none where no combination was fitted for them on pictures.

    Args:
        owners: N pictures.
        probs: (N,) fake_prob of each voter.
    """
    combination = manifest.combination("image")
    if combination is None or set(combination.reals) != set(probs):
        return {}
    rows = [dict(zip(probs, row, strict=True)) for row in np.stack(list(probs.values()), axis=1).tolist()]
    together = np.array([verdict.combined_prob(row, combination) for row in rows])
    return picture_figures(owners, together, (combination.real_below, combination.threshold))


def _stylegan2(real: np.ndarray, probs: np.ndarray, threshold: float) -> dict[str, Any]:
    """Figures of StyleGAN2 pictures against real ones of the same source; none where either is missing."""
    if real.all() or not real.any():
        return {}
    return {"stylegan2_pictures": image_figures((~real).astype(int), probs, threshold)}


def _same_source(pictures: Sequence[Item], generator: str) -> np.ndarray:
    """(N,) bool: whole pictures of a generator, and real ones of the same folders, so of the same format."""
    made = np.array([i.kind == "image" and i.generator == generator for i in pictures])
    folders = {i.path.parent for i, one in zip(pictures, made, strict=True) if one}
    return made | np.array([i.kind == "image" and not i.label and i.path.parent in folders for i in pictures])


def by_region(regions: Sequence[str], probs: np.ndarray, threshold: float) -> dict[str, Any]:
    """Figures of blends of the whole face, as the paper makes them, and of parts of it, each against all reals.

    Args:
        regions: what each of N blends was made of.
        probs: (N,2) scores of the reals and the blends.
        threshold: for a single picture.
    """
    whole = np.array(regions) == REGIONS[0]
    out = {}
    for key, chosen in (("self_blends_whole_face", whole), ("self_blends_part", ~whole)):
        if chosen.any():
            labels = np.repeat([0, 1], [len(probs), chosen.sum()])
            out[key] = image_figures(labels, np.concatenate([probs[:, 0], probs[chosen, 1]]), threshold)
    return out


def redrawn_figures(
    items: Sequence[Item], bank: FaceBank, spec: ModelSpec, generators: Path
) -> dict[str, Any]:
    """Image-level figures: val stills against what the held-out generator draws of them; none where it is not there."""
    if not (generators / HELD_OUT / "generator.safetensors").is_file():
        return {}
    (generator,) = load_generators(generators, "val")
    model, preprocess = score.loaded(spec.name, "cpu"), for_spec(spec)
    probs = []
    for row in np.flatnonzero([items[n].kind == "crop" for n in bank.item]).tolist():
        image = bank.image(row)
        pair, both = [image, *redraw([image], generator)], [row, row]
        probs.append(_probs(model, spec, preprocess.crops(pair, bank.boxes[both], bank.landmarks[both])))
    labels = np.tile([0, 1], len(probs))
    return {"redrawn_stills": image_figures(labels, np.concatenate(probs), score.bounds_for(spec, 1)[1])}


def _probs(model: Any, spec: ModelSpec, crops: np.ndarray) -> np.ndarray:
    logits = score.of_pictures(model, spec, for_spec(spec).tensor(crops))
    return expit(logits / spec.calibration.temperature)
