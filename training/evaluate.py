"""Measure an installed model on val, through the engine that serves users, and write its card and figures.

    python training/evaluate.py --data ../shared/data --model effnetv2_b0_frame

Clips are scored at file level by `tbd_app.analyze`, as `tbd analyze` does. A clip that cannot be judged counts as 0.5
and shows in the coverage. Intervals are 95 %: bootstrap over files for AUC, Wilson for rates.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, without installing

import av
import numpy as np
import tyro
from tqdm import tqdm

from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.analyze import analyze
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import ModelSpec
from training import card
from training.data import facebank
from training.data.augment import h264
from training.data.index import Item, family, read_index
from training.data.pairs import PairDataset
from training.engine.metrics import auc, bootstrap, eer, wilson

CRF = 32
BLEND_SEED = 7


@dataclass(frozen=True)
class Config:
    """Attributes:
    data: folder with index.csv.
    model: an installed model.
    frames: sampled from each clip.
    out: where the predictions per file are written as CSV.
    """

    data: Path = Path("../shared/data")
    model: str = "effnetv2_b0_frame"
    frames: int = 32
    out: Path = Path("runs/evaluate")


def main(config: Config) -> None:
    """Measure, then rewrite the model's figures in the manifest, its card and the README's table."""
    items = [i for i in read_index(config.data) if i.split == "val"]
    spec = registry.spec(config.model)
    figures, rows = measure(items, spec, config.frames)
    config.out.mkdir(parents=True, exist_ok=True)
    lines = ["file,variant,label,generator,group,fake_prob,verdict", *(",".join(map(str, r)) for r in rows)]
    (config.out / f"{config.model}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    card.record(config.model, figures)
    print(json.dumps(figures, indent=1))


def measure(
    items: Sequence[Item], spec: ModelSpec, n_frames: int
) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """All figures of a model on val items, and one row per scored file."""
    clips = [i for i in items if i.kind == "video"]
    stills = [i for i in items if i.kind != "video"]
    rows: list[tuple[Any, ...]] = []
    plain = _score_clips(clips, spec, n_frames, rows, "original")
    with tempfile.TemporaryDirectory() as folder:
        coded = _score_clips(clips, spec, n_frames, rows, f"h264_crf{CRF}", _recode_into(Path(folder)))
    figures = {
        "val_clips": _figures(clips, plain, spec),
        f"val_clips_h264_crf{CRF}": _figures(clips, coded, spec),
    }
    for name in ("blending", "synthesis"):
        part = [k for k, i in enumerate(clips) if not i.label or family(i.generator) == name]
        figures[f"val_{name}_clips"] = _figures([clips[k] for k in part], plain[part], spec)
    bank = facebank.load_or_build(items, Path("runs/cache"))
    figures |= _still_figures(stills, items, bank, spec)
    return figures, rows


def _score_clips(
    clips: Sequence[Item],
    spec: ModelSpec,
    n_frames: int,
    rows: list[tuple[Any, ...]],
    variant: str,
    change: Callable[[Path], Path] = lambda path: path,
) -> np.ndarray:
    """fake_prob (N,) of clips through the engine, NaN where it cannot judge; adds a row per clip."""
    out = []
    for clip in tqdm(clips, desc=f"clips, {variant}", unit="clip"):
        report = analyze(change(clip.path), models=(spec.name,), n_frames=n_frames, explain=False)
        prob = report.verdict.fake_prob
        out.append(np.nan if prob is None else prob)
        told = "" if prob is None else round(prob, 6)
        name = clip.path.name.replace(",", " ")
        rows.append((name, variant, clip.label, clip.generator, clip.group, told, report.verdict.label))
    return np.array(out, np.float64)


def _recode_into(folder: Path) -> Callable[[Path], Path]:
    def recode(path: Path) -> Path:
        """Encode a clip again with libx264 at `CRF`, upright, without sound."""
        target = folder / "clip.mp4"
        with av.open(str(path)) as source, av.open(str(target), "w") as sink:
            video = source.streams.video[0]
            video.thread_type = "AUTO"
            stream = None
            for frame in source.decode(video):
                picture = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
                height, width = (n // 2 * 2 for n in picture.shape[:2])
                if stream is None:
                    rate = video.average_rate or 25
                    options = {"crf": str(CRF), "preset": "veryfast"}
                    stream = sink.add_stream("libx264", rate=rate, options=options)
                    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                even = np.ascontiguousarray(picture[:height, :width])
                sink.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            if stream is not None:
                sink.mux(stream.encode(None))
        return target

    return recode


def _figures(clips: Sequence[Item], probs: np.ndarray, spec: ModelSpec) -> dict[str, Any]:
    """Video-level figures of clips; what was not judged counts as 0.5 for AUC and as not flagged for rates."""
    labels = np.array([c.label for c in clips])
    scores = np.nan_to_num(probs, nan=0.5)
    flagged = np.nan_to_num(probs, nan=0.0) >= spec.threshold
    cleared = np.nan_to_num(probs, nan=1.0) < spec.real_below
    n_real, n_fake = int((labels == 0).sum()), int((labels == 1).sum())
    false_alarms, hits = int(flagged[labels == 0].sum()), int(flagged[labels == 1].sum())
    missed = int(cleared[labels == 1].sum())
    return {
        "level": "video",
        "n_real": n_real,
        "n_fake": n_fake,
        "n_sources": len({c.group for c in clips}),
        "coverage": round(float(np.isfinite(probs).mean()), 4),
        "auc": round(auc(labels, scores), 4),
        "auc_ci": _rounded(bootstrap(auc, labels, scores)),
        "eer": round(eer(labels, scores), 4),
        **_rate("fpr", false_alarms, n_real),
        **_rate("tpr", hits, n_fake),
        **_rate("missed_as_real", missed, n_fake),
        "abstained": round(float((~flagged & ~cleared).mean()), 4),
    }


def _still_figures(
    stills: Sequence[Item], items: Sequence[Item], bank: facebank.FaceBank, spec: ModelSpec
) -> dict[str, Any]:
    """Image-level figures: self-blends of val stills (plain and recoded), real and StyleGAN2 pictures."""
    preprocess = for_spec(spec)
    model = score.loaded(spec.name, "cpu")
    n_stills = sum(i.kind == "crop" for i in stills)
    pairs = PairDataset(
        bank, items, preprocess, length=n_stills, seed=BLEND_SEED, augment=False, sources=["blend_still"]
    )
    plain, coded = [], []
    for number in tqdm(range(n_stills), desc="self-blends", unit="pair"):
        pair = pairs.pictures(np.random.default_rng([BLEND_SEED, number]), number)
        for crops, scores in ((pair, plain), ([h264(c, CRF) for c in pair], coded)):
            scores.append(_probs(model, spec, np.stack(crops)))
    labels = np.tile([0, 1], n_stills)
    rows = [r for r in range(len(bank)) if items[bank.item[r]].kind != "video"]
    crops = [preprocess.crops([bank.image(r)], bank.boxes[r : r + 1]) for r in rows]
    probs = np.concatenate([_probs(model, spec, c) for c in crops])
    threshold = score.threshold_for(spec, 1)
    owners = [items[bank.item[r]] for r in rows]
    real = np.array([i.label == 0 for i in owners])
    portrait = np.array([i.kind == "image" for i in owners])
    return {
        "self_blends": _image_figures(labels, np.concatenate(plain), threshold),
        f"self_blends_h264_crf{CRF}": _image_figures(labels, np.concatenate(coded), threshold),
        "stylegan2_pictures": _image_figures((~real[portrait]).astype(int), probs[portrait], threshold),
        "real_pictures": {
            "level": "image",
            "n_real": int(real.sum()),
            **_rate("fpr", int((probs[real] >= threshold).sum()), int(real.sum())),
        },
    }


def _probs(model: Any, spec: ModelSpec, crops: np.ndarray) -> np.ndarray:
    logits = score.forward(model, for_spec(spec).tensor(crops))
    return 1 / (1 + np.exp(-logits / spec.temperature))


def _image_figures(labels: np.ndarray, probs: np.ndarray, threshold: float) -> dict[str, Any]:
    n_fake = int(labels.sum())
    n_real = len(labels) - n_fake
    return {
        "level": "image",
        "n_real": n_real,
        "n_fake": n_fake,
        "auc": round(auc(labels, probs), 4),
        "auc_ci": _rounded(bootstrap(auc, labels, probs)),
        **_rate("fpr", int((probs[labels == 0] >= threshold).sum()), n_real),
        **_rate("tpr", int((probs[labels == 1] >= threshold).sum()), n_fake),
    }


def _rate(name: str, hits: int, n: int) -> dict[str, Any]:
    return {name: round(hits / max(n, 1), 4), f"{name}_ci": _rounded(wilson(hits, n))}


def _rounded(pair: tuple[float, float]) -> list[float]:
    return [round(v, 4) for v in pair]


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
