"""Train a frame model on real faces against self-blended pseudo-fakes and the fakes of the train split.

    python training/train_frame.py --data ../shared/data --backbone PATH --out runs/effnetv2_b0_frame
    python training/export.py --run runs/effnetv2_b0_frame  # then evaluates, calibrates and writes weights/

Small crops first, then the model's own size. Val is looked at, never trained on; the averaged weights of the last step are
the result, so no epoch is picked.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, without installing

import cv2
import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from tbd_app.models import registry, weights
from tbd_app.pipeline.crops import Preprocess, for_spec
from training.data import facebank
from training.data.facebank import FaceBank
from training.data.index import Item, family, read_index
from training.data.pairs import PairDataset
from training.engine.loop import LoopConfig, fit
from training.engine.metrics import auc


@dataclass(frozen=True)
class Config:
    """Defaults made the bundled `effnetv2_b0_frame`.

    Attributes:
        data: folder with index.csv.
        backbone: safetensors with ImageNet features in timm's keys; empty asks timm's hub.
        out: run folder.
        model: a registered frame model.
        batch_pairs: pairs (one real, one fake) a step.
        size_px: input sizes, one per phase.
        size_share: share of the steps per phase.
        frames_per_clip: frames cut from each clip.
        workers: loader processes.
        seed: of every draw.
        resume: go on from the run folder's last checkpoint.
        note: what a reader of the model card should know about this run.
        loop: numbers of the loop.
    """

    data: Path = Path("../shared/data")
    backbone: Path | None = None
    out: Path = Path("runs/effnetv2_b0_frame")
    model: str = "effnetv2_b0_frame"
    batch_pairs: int = 16
    size_px: tuple[int, ...] = (160, 224)
    size_share: tuple[float, ...] = (0.53, 0.47)
    frames_per_clip: int = 16
    workers: int = 1
    seed: int = 1
    resume: bool = False
    note: str = ""
    loop: LoopConfig = field(default_factory=LoopConfig)


def main(config: Config) -> None:
    """Train one model; see the module's text."""
    torch.manual_seed(config.seed)
    spec = registry.spec(config.model)
    items = read_index(config.data)
    splits = {name: [i for i in items if i.split == name] for name in ("train", "val")}
    cache = Path("runs/cache")
    banks = {
        name: facebank.load_or_build(part, cache, n_frames=config.frames_per_clip)
        for name, part in splits.items()
    }
    print({name: f"{len(bank)} faces of {len(splits[name])} files" for name, bank in banks.items()})

    model = registry.create_model(config.model, pretrained=config.backbone is None)
    if config.backbone:
        weights.load_backbone_file(model, config.backbone)

    config.out.mkdir(parents=True, exist_ok=True)
    (config.out / "config.json").write_text(json.dumps(recipe(config), indent=1) + "\n", encoding="utf-8")

    ema = fit(
        model,
        lambda start: batches(config, banks["train"], splits["train"], start),
        pair_loss,
        lambda m: validate(m, banks["val"], splits["val"], for_spec(spec), config.seed),
        config.loop,
        config.out,
        resume=config.resume,
    )
    weights.save_checkpoint(ema, config.out / "model.safetensors", spec)


def pair_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Cross entropy over the reals and fakes of (B,2,3,S,S) pairs, a little smoothed."""
    x, y = batch
    logits = model(x.flatten(0, 1).contiguous(memory_format=torch.channels_last))
    return nn.functional.cross_entropy(logits.float(), y.flatten(), label_smoothing=0.05)


def batches(config: Config, bank: FaceBank, items: list[Item], start: int) -> Iterator[tuple[Tensor, ...]]:
    """Batches of steps `start` to the last; each phase has its input size, each pair its number."""
    spec = registry.spec(config.model)
    total = math.fsum(config.size_share)
    ends = np.rint(np.cumsum(config.size_share) / total * config.loop.steps).astype(int)
    begin = 0
    for size, end in zip(config.size_px, ends, strict=True):
        first = max(start, begin)
        if first < end:
            preprocess = dataclasses.replace(for_spec(spec), size=size)
            pairs = PairDataset(
                bank, items, preprocess, length=int(end) * config.batch_pairs, seed=config.seed
            )
            yield from DataLoader(
                Subset(pairs, range(first * config.batch_pairs, len(pairs))),
                batch_size=config.batch_pairs,
                num_workers=config.workers,
                prefetch_factor=4 if config.workers else None,
                # A forked worker inherits the locks of OpenCV's and OpenMP's threads and may hang.
                multiprocessing_context="spawn" if config.workers else None,
                worker_init_fn=_one_thread,
                drop_last=True,
            )
        begin = int(end)


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)


def recipe(config: Config) -> dict[str, dict]:
    """What made the checkpoint, without the places of files."""
    told = dataclasses.asdict(config)
    for place in ("data", "out", "resume", "workers"):
        del told[place]
    told["backbone"] = config.backbone.name if config.backbone else "timm's hub"
    del told["loop"]["max_minutes"]
    return {"recipe": {"script": "training/train_frame.py", **told}}


def validate(
    model: nn.Module, bank: FaceBank, items: list[Item], preprocess: Preprocess, seed: int
) -> dict[str, float]:
    """Frame-level AUC on self-blends of val stills; video-level AUC on val clips, whole and per family."""
    blends = PairDataset(
        bank, items, preprocess, length=240, seed=seed, augment=False, sources=["blend_still"]
    )
    pairs = torch.cat([x for x, _ in (blends[i] for i in range(len(blends)))])
    scores = score(model, pairs)
    out = {"blend_auc": auc(np.tile([0, 1], len(blends)), scores)}

    rows = [r for r in range(len(bank)) if items[bank.item[r]].kind == "video" and bank.position[r] % 2 == 0]
    crops = np.concatenate([preprocess.crops([bank.image(r)], bank.boxes[r : r + 1]) for r in rows])
    frame_scores = score(model, preprocess.tensor(crops))
    owner = bank.item[rows]
    videos = np.unique(owner)
    probs = np.array([frame_scores[owner == v].mean() for v in videos])
    labels = np.array([items[v].label for v in videos])
    families = np.array([family(items[v].generator) for v in videos])
    out["video_auc"] = auc(labels, probs)
    for name in ("blending", "synthesis"):
        keep = (labels == 0) | (families == name)
        out[f"{name}_auc"] = auc(labels[keep], probs[keep])
    return out


@torch.inference_mode()
def score(model: nn.Module, x: Tensor, batch: int = 32) -> np.ndarray:
    """Uncalibrated fake_prob (N,) of normalised crops (N,3,S,S)."""
    model.eval()
    device = next(model.parameters()).device
    out = []
    with torch.autocast(device.type, torch.bfloat16):
        for part in x.split(batch):
            part = part.to(device).contiguous(memory_format=torch.channels_last)
            out.append(model(part).float().softmax(1)[:, 1].cpu())
    return torch.cat(out).numpy()


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
