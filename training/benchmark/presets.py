"""The table of presets in docs/presets.md: what each preset sets, beside what is published, written from the code.

    python training/benchmark/presets.py

What the papers, their code and the reference reports say is kept here; where a preset differs, the table says so and why.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

from training.engine.config import PRESETS, RunConfig, load_preset
from training.evaluation.marked import replaced

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "presets.md"
MARKS = ("<!-- presets: begin, written by training/benchmark/presets.py -->", "<!-- presets: end -->")
# Scripts of models that nobody published, and presets that only change memory or only show that a script runs.
OWN = ("train_generators", "train_probe")
NO_RECIPE = ("8gb", "toy")


class Sheet(NamedTuple):
    """What is published of a recipe: hyperparameters by the names of the config, and what is not to be had from it."""

    source: str
    values: dict[str, Any]
    ours: str = ""  # hyperparameters that the source does not give, so that the preset's are this project's


_M2TR_OURS = "rate and its decay, the contrastive loss, the augmentation"
_M2TR = {
    "model": "m2tr_b4", "loop.optimizer": "adam", "loop.schedule": "step", "loop.decay_every": 40,
    "loop.decay_factor": 0.1, "loop.steps": 90,
}  # fmt: skip
SHEETS: dict[tuple[str, str], Sheet] = {
    ("train_image", "paper"): Sheet(
        "course report, phase 1",
        {
            "model": "effnet_b0_image", "layout": "faces140k", "n_train": 30000, "batch": 64, "loop.steps": 10,
            "loop.optimizer": "adam", "loop.lr": 1e-3, "loop.schedule": "constant", "loop.precision": "fp16",
        },
        "weight decay, which epoch is kept",
    ),
    ("train_video", "paper"): Sheet(
        "course report, phase 2",
        {
            "batch": 8, "clip_len": 10, "frames_at": "spread", "loop.steps": 20, "loop.patience": 5,
            "loop.optimizer": "adamw", "loop.lr": 1e-4, "loop.schedule": "step", "loop.decay_every": 5,
            "loop.decay_factor": 0.5, "loop.precision": "fp16",
        },
        "weight decay, the list of the augmentation",
    ),
    ("train_frame", "paper"): Sheet(
        "DeepfakeBench, Xception and EfficientNet-B4",
        {
            "model": "xception", "pairs": "none", "augment": "deepfakebench", "crop": "arcface", "batch": 32,
            "frames_per_clip": 32, "size_px": (256,), "loop.steps": 10, "loop.optimizer": "adam", "loop.lr": 2e-4,
            "loop.weight_decay": 5e-4, "loop.schedule": "constant", "seed": 1024,
        },
    ),
    ("train_clip", "paper"): Sheet(
        "GenD, arXiv 2508.06248",
        {
            "model": "clip_l14_ln1", "pairs": "source", "augment": "gend", "crop": "square", "batch": 128, "frames": 32,
            "alignment": 0.1, "uniformity": 0.5, "loop.optimizer": "adamw", "loop.lr": 3e-4, "loop.weight_decay": 0.0,
            "loop.schedule": "cosine", "loop.precision": "bf16", "seed": 42,
        },
    ),
    ("train_clip", "reference"): Sheet(
        "thesis on CLIP, clip_enhanced",
        {
            "model": "clip_b16_ln1", "pairs": "none", "augment": "deepfakebench", "crop": "arcface", "batch": 32,
            "frames": 32, "alignment": 0.0, "uniformity": 0.0, "loop.optimizer": "adamw", "loop.lr": 8e-5,
            "loop.weight_decay": 0.0, "loop.schedule": "constant", "loop.steps": 11, "loop.precision": "no",
        },
    ),
    ("train_stan", "paper"): Sheet(
        "thesis on CLIP, clip_stan",
        {
            "pairs": "none", "augment": "deepfakebench", "batch": 32, "clip_len": 8, "depth": 4, "loop.steps": 10,
            "loop.optimizer": "adamw", "loop.lr": 8e-5, "loop.weight_decay": 0.0, "loop.schedule": "constant",
        },
    ),
    ("train_timesformer", "paper"): Sheet(
        "thesis on CLIP, TimeSformer baseline",
        {
            "pairs": "none", "augment": "none", "batch": 8, "clip_len": 8, "loop.steps": 100, "loop.optimizer": "adam",
            "loop.lr": 2e-5, "loop.weight_decay": 5e-4,
        },
        "schedule, which epoch is kept",
    ),
    ("train_m2tr", "paper"): Sheet(
        "reference report, variant 1b", _M2TR | {"frames": 30, "batch": 24}, _M2TR_OURS
    ),
    ("train_m2tr", "1c"): Sheet(
        "reference report, variant 1c", _M2TR | {"frames": 13}, _M2TR_OURS
    ),
    ("train_m2tr", "swin"): Sheet(
        "reference report, variant 1a", {"model": "m2tr_swin", "freeze": "paper10m", "frames": 20}, "optimiser, augmentation"
    ),
    ("train_m2tr", "official"): Sheet(
        "the authors' code, M2TR",
        {
            "model": "m2tr_official", "batch": 8, "loss": "focal", "contrast": 0.0, "loop.steps": 20,
            "loop.optimizer": "sgd", "loop.lr": 5e-4, "loop.weight_decay": 0.0, "loop.schedule": "cosine",
            "loop.lr_floor": 2e-3, "loop.precision": "no", "augment": "their albumentations chain",
        },
    ),
    ("train_dfd_fcg", "paper"): Sheet(
        "DFD-FCG, arXiv 2404.05583",
        {
            "model": "dfd_fcg_l14", "augment": "dfd_fcg", "pairs": "source", "batch": 30, "clip_len": 10, "slowest": 0.5,
            "component_weight": 0.15, "gamma": 4.0, "loop.steps": 30, "loop.optimizer": "adamw", "loop.lr": 1e-4,
            "loop.weight_decay": 1e-3, "loop.schedule": "constant", "loop.clip_norm": 0.1, "loop.patience": 10,
            "loop.precision": "fp16", "seed": 1019, "landmarks": "fan",
        },
    ),
    ("train_robust", "paper"): Sheet(
        "product page on the hardened EfficientViT",
        {
            "model": "effnet_vit_robust", "pgd_steps": (10,), "eps": 8 / 255, "pgd_step_size": 2 / 255, "pgd_weight": 1.0,
            "unet_weight": 1.0, "degraded": False,
        },
        "everything else",
    ),
}  # fmt: skip
# Where a preset differs from its sheet, and why.
APART = {
    ("train_m2tr", "official", "augment"): "the chain's probabilities are not published with it",
    ("train_dfd_fcg", "paper", "landmarks"): "2D-FAN is an option; serving has MTCNN's five points",
}


def value_of(config: RunConfig, name: str) -> Any:
    """A number of a config by its dotted name; a batch of train_frame.py counts faces."""
    if name == "batch" and not hasattr(config, "batch"):
        return 2 * getattr(config, "batch_pairs")  # noqa: B009 - of one script alone
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def config_of(script: str, preset: str) -> RunConfig:
    """A script's config under one preset."""
    return load_preset(importlib.import_module(f"training.{script}").Config, script, preset)


def write() -> None:
    """Put the table into docs/presets.md, between the two marks."""
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def rendered(page: str) -> str:
    """The page with the table as it should be now."""
    return replaced(page, MARKS, table())


def table() -> str:
    """The table in Markdown."""
    head = "| script | preset | published in | as published | differs | not published, so ours |\n|---|---|---|---|---|---|"
    return "\n".join([head, *_rows()])


def _rows() -> Iterator[str]:
    for path in sorted(PRESETS.glob("train_*/*.toml")):
        script, preset = path.parent.name, path.stem
        if preset in NO_RECIPE:
            continue
        sheet = SHEETS.get((script, preset))
        if sheet is None:
            yield f"| {script} | {preset} | this project's | | | all |"
            continue
        config = config_of(script, preset)
        same = {k: v for k, v in sheet.values.items() if value_of(config, k) == v}
        other = [
            f"{name}: {_shown(theirs)} there, {_shown(value_of(config, name))} here ({APART[script, preset, name]})"
            for name, theirs in sheet.values.items()
            if name not in same
        ]
        shown = ", ".join(f"{name.removeprefix('loop.')} {_shown(value)}" for name, value in same.items())
        yield f"| {script} | {preset} | {sheet.source} | {shown} | {'; '.join(other)} | {sheet.ours} |"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    write()
