"""Turn a training run into a bundled model: calibrate on val, write fp16 safetensors and the manifest entry.

    python training/export.py --run runs/xception --model xception --data FACES --weights-dir my_weights
    python training/export.py --run runs/effnetv2_b0_frame --data ../shared/data --replace
    python training/evaluate.py --data ../shared/data --record
    python training/export.py --model effnetv2_b0_frame --push OWNER/NAME    # publish what the two have written

Temperature, threshold and the bound for "real" come from val, scored by the serving code: `calibrate.py` chooses them,
`ledger.py` writes them.
The data are a folder with index.csv, or what extract_faces.py wrote. `TBD_WEIGHTS_DIR=my_weights tbd analyze FILE` serves a
folder of one's own. A published model is pinned: the manifest names the commit that holds it, and `tbd models --download`
gets that one.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tbd_app  # noqa: F401 - before torch: it sets how torch's threads wait

# isort: split

import numpy as np
import torch
import tyro
from scipy.special import expit
from tqdm import tqdm

from tbd_app.known import MEASURED_KINDS, MeasuredKind
from tbd_app.models import manifest, registry, weights
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline import score
from tbd_app.settings import Device
from tbd_app.types import ModelSpec
from training.benchmark import systems
from training.benchmark.collection import Collection, open_collections
from training.engine.config import in_one_sentence
from training.engine.run import trained_on
from training.evaluation import calibrate, hub, ledger
from training.evaluation.answers import logits_of_pictures, track_logits
from training.evaluation.calibrate import MadeFor, Val
from training.evaluation.seen import CACHE
from training.faces.index import Item

VOTES_ON: dict[str, tuple[MeasuredKind, ...]] = {"clips": ("video",), "pictures": ("image",)}


@dataclass(frozen=True)
class Config:
    """Which weights to bundle, and how they are calibrated.

    Attributes:
        run: folder of a training run, with model.safetensors; the weights of several, begun from one checkpoint, are
            averaged.
        also: checkpoints that are averaged with them, such as the one they began with, so that less of what was known is
            lost.
        data: folder with index.csv or index.parquet.
        model: the registered name, or timm:NAME.
        weights_dir: where checkpoint, manifest and recipe are written; the project's own weights/ by default.
        replace: a model of that name which lies there already.
        made_for: the val media that the temperature and the bound for "real" come from: clips of the blending family, all
            clips, or pictures; see `calibrate.MadeFor`.
        softened_share: as in `Calibration`, in place of what it was trained with.
        max_fpr: of val reals at the threshold, for clips and for pictures each.
        max_missed: share of the val fakes of a kind that may fall below its bound for "real".
        voter: a place in the default vote: by_auc gives it from `min_auc` of all val clips, and to a model that is alone
            there; yes is for one that was measured to make the vote better, clips and pictures for one that does so there.
        min_auc: see `voter`.
        licence: of the weights.
        device: where val is scored; auto takes a GPU where there is one.
        cache: people and logits that were found before.
        push: repository on the model hub to publish the bundled model to, one of its own; nothing is calibrated then.
    """

    run: tuple[Path, ...] = (Path("runs/effnetv2_b0_frame"),)
    also: tuple[Path, ...] = ()
    data: Path = Path("../shared/data")
    model: str = "effnetv2_b0_frame"
    weights_dir: Path | None = None
    replace: bool = False
    made_for: MadeFor = "clips"
    softened_share: float | None = None
    max_fpr: float = 0.05
    max_missed: float = 0.15
    voter: Literal["by_auc", "yes", "clips", "pictures", "no"] = "by_auc"
    min_auc: float = 0.80
    licence: str = "research use only"
    device: Device = "auto"
    cache: Path = CACHE
    push: str = ""


def main(config: Config) -> None:
    """Calibrate one model and bundle it, or publish it as it is bundled."""
    if config.push:
        return hub.push(config.model, config.push)
    with ledger.at(config.weights_dir or ledger.WEIGHTS):
        bundle(config)


def bundle(config: Config) -> None:
    """Calibrate one model and write it into the folder of the ledger.

    Raises:
        SystemExit: a model of that name lies there and is not to be replaced, or val lacks what is needed.
        TBDError: no such model, weights that are not here, or no such device.
    """
    target = ledger.WEIGHTS / f"{manifest.file_name(config.model)}.safetensors"
    if not config.replace and (target.exists() or config.model in ledger.entries()):
        raise SystemExit(
            f"{target} is there already: --replace overwrites it, --weights-dir DIR writes elsewhere."
        )
    media = open_collections(config.data, "val", config.cache)
    paths = [run / "model.safetensors" for run in config.run]
    device = score.pick_device(config.device)
    model = score.served(averaged(config.model, [*paths, *config.also]).to(device), device)
    spec = registry.spec(config.model, paths[0])
    if config.softened_share is not None:
        served = dataclasses.replace(spec.calibration, softened_share=config.softened_share)
        spec = dataclasses.replace(spec, calibration=served)
    spec = calibrated(spec, model, media, config)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = weights.save_checkpoint(model, target, spec)
    target.chmod(0o644)
    recipes = [json.loads((run / "config.json").read_text(encoding="utf-8"))["recipe"] for run in config.run]
    recipe = recipes[0] | {"seed": [r["seed"] for r in recipes]} if recipes[1:] else recipes[0]
    if config.also:
        recipe = recipe | {"averaged_with": [path.name for path in config.also]}
    ledger.write_entry(
        {
            "name": config.model,
            "file": target.name,
            "sha256": digest,
            "bytes": target.stat().st_size,
            "dtype": "float16",
            "trained_on": "; and ".join(dict.fromkeys(trained_on(run) for run in config.run)),
            "recipe": recipe | {"made_for": config.made_for},
            "revision": _git_revision(),
            "calibration": spec.calibration.to_dict(),
            "default_voter": spec.default_voter,
            "licence": config.licence,
            "metrics": {},
        }
        | ({"votes_on": list(spec.votes_on)} if spec.votes_on != MEASURED_KINDS else {})
        | unlike_registered(spec)
    )
    votes = "votes by default" if spec.default_voter else "is shown where it is asked for, and does not vote"
    chosen = ", ".join(f"{name} {value:g}" for name, value in spec.calibration.to_dict().items())
    print(f"{target}: {chosen}; {votes}")


def averaged(name: str, paths: Sequence[Path]) -> Detector:
    """The model with the mean weights of checkpoints that were trained from the same one.

    Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
    increasing inference time", ICML 2022 (arXiv 2203.05482); with the checkpoint they began with: Wortsman et al., "Robust
    fine-tuning of zero-shot models", CVPR 2022 (arXiv 2109.01903).
    """
    model, *others = (registry.load(name, path=path) for path in paths)
    state = model.state_dict()
    for key, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([tensor, *(other.state_dict()[key] for other in others)]).mean(0))
    return model


def unlike_registered(spec: ModelSpec) -> dict[str, Any]:
    """What holds for a model and the registry says otherwise, as the manifest writes it; the calibration aside."""
    own, registered = weights.header_of(spec), weights.header_of(registry.registered(spec.name))
    kept = ("input_size", "clip_len", "frames_at", "mean", "std", "crop", "options")
    return {key: own[key] for key in kept if own.get(key) != registered.get(key)}


def calibrated(spec: ModelSpec, model: Detector, media: Sequence[Collection], config: Config) -> ModelSpec:
    """The spec with temperature and bounds chosen on val clips and val pictures, and with or without a place in the vote.

    Raises:
        SystemExit: val lacks media of a class.
    """
    logits, judged = _clip_logits(spec, model, media, config.cache)
    val = Val(
        logits,
        np.array([clip.label for clip in judged], np.int64),
        np.array([clip.is_of("blending") for clip in judged], bool),
        *_picture_logits(spec, model, media, config.cache),
    )
    calibration, ranking = calibrate.calibrated(
        val,
        config.made_for,
        max_fpr=config.max_fpr,
        max_missed=config.max_missed,
        softened_share=spec.calibration.softened_share,
    )
    others = [m for m in ledger.read()["models"] if m["name"] != spec.name and m["default_voter"]]
    good = ranking >= config.min_auc or not others
    voter = good if config.voter == "by_auc" else config.voter != "no"
    kinds = VOTES_ON.get(config.voter, MEASURED_KINDS)
    return dataclasses.replace(spec, calibration=calibration, default_voter=voter, votes_on=kinds)


def _clip_logits(
    spec: ModelSpec, model: Detector, media: Sequence[Collection], cache: Path
) -> tuple[list[np.ndarray], list[Item]]:
    """Frame logits of the most suspicious track of every clip that can be judged."""
    logits, judged = [], []
    clips = [(part, number) for part in media for number in part.numbers("video")]
    for part, number in tqdm(clips, desc="calibrate", unit="clip"):
        found = track_logits(spec, model, part.look(number), cache).values()
        if found:
            logits.append(max(found, key=lambda z: float(expit(z).mean())))
            judged.append(part.items[number])
    return logits, judged


def _picture_logits(
    spec: ModelSpec, model: Detector, media: Sequence[Collection], cache: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the val pictures and their labels."""
    if not any(part.numbers("crop", "image") for part in media):
        return np.zeros(0), np.zeros(0, np.int64)
    bank, items = media[0].stills()  # of all data sets of a folder
    rows = [r for r in range(len(bank)) if items[bank.item[r]].kind != "video"]
    found = logits_of_pictures(spec, model, bank, rows, cache)
    return found, np.array([items[bank.item[r]].label for r in rows])


def _git_revision() -> str:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=ledger.WEIGHTS, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    config = tyro.cli(Config, description=__doc__)
    in_one_sentence(lambda: main(config))
    if config.weights_dir is None:
        systems.write()
