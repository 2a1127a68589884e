"""The recipe of the frame model: phases, loss, validation, and the whole command on a miniature collection."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tbd_app.models import registry, weights
from tests.media_factory import portrait_clip
from tests.training.faces.test_bank import write_collection
from tests.training.faces.test_index import CROP, write_index
from tests.training.faces.test_shards import cut_medium, medium
from tests.training.toy_faces import bank_of, face, item
from training import train_frame
from training.collect.store import FaceWriter
from training.engine.config import LoopConfig, load_preset
from training.engine.run import recipe
from training.evaluation import ledger
from training.faces import toy
from training.faces.open import Faces
from training.fakes.generators import Generator, save_generator
from training.losses.distill import TeacherConfig
from training.train_frame import SCRIPT as NAME
from training.train_frame import Config, batches, main, pair_loss

SCRIPT = Path(train_frame.__file__)
PHASES = Config(
    batch_pairs=2,
    size_px=(32, 64),
    size_share=(0.5, 0.5),
    workers=0,
    loop=LoopConfig(steps=4, warmup_steps=1),
)


def all_batches(start: int = 0, config: Config = PHASES) -> list[tuple[torch.Tensor, ...]]:
    n = 3
    faces = Faces(bank_of([face(k) for k in range(n)]), [item(k) for k in range(n)])
    return list(batches(config, faces, start))


def test_each_phase_has_its_size_and_its_share_of_the_steps() -> None:
    assert [tuple(x.shape) for x, *_ in all_batches()] == [(2, 2, 3, 32, 32)] * 2 + [(2, 2, 3, 64, 64)] * 2
    assert all(y.shape == (2, 2) and not y[:, 0].any() for _, y, _ in all_batches())


def test_no_share_loses_a_step() -> None:
    config = replace(PHASES, size_share=(0.53, 0.47), loop=LoopConfig(steps=5))
    assert len(all_batches(config=config)) == 5


@pytest.mark.parametrize("start", [1, 2, 3, 4])
def test_a_resumed_run_sees_the_batches_that_were_left(start) -> None:
    whole, rest = all_batches(), all_batches(start)
    assert len(rest) == 4 - start
    for (one, *_), (other, *_) in zip(whole[start:], rest, strict=True):
        assert torch.equal(one, other)


class Told(nn.Module):
    """Calls every picture as bright as it is: logits (-b, b) of its mean b."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.mean((1, 2, 3))
        return torch.stack([-bright, bright], 1)


def test_the_loss_rewards_calling_the_second_of_a_pair_fake() -> None:
    dark, light = torch.full((3, 8, 8), -2.0), torch.full((3, 8, 8), 2.0)
    y = torch.tensor([[0, 1]])
    right, wrong = (
        pair_loss(Told(), (torch.stack(p)[None], y, torch.zeros(1, 2, 4, 4)))["loss"]
        for p in ((dark, light), (light, dark))
    )
    assert right < 0.2 < 3 < wrong
    # Cross entropy smoothed by 0.05: 0.975 of the true and 0.025 of the other class.
    p = torch.tensor(4.0).sigmoid()
    assert right.item() == pytest.approx((-0.975 * p.log() - 0.025 * (1 - p).log()).item(), rel=1e-5)


def test_the_loss_is_that_of_what_is_served() -> None:
    """A picture that is bright all over is so without its detail as well: half of its logit goes."""
    y, where = torch.tensor([[0, 1]]), torch.zeros(1, 2, 4, 4)
    dark, light = torch.full((3, 8, 8), -2.0), torch.full((3, 8, 8), 2.0)
    whole = pair_loss(Told(), (torch.stack((dark, light))[None] / 2, y, where))["loss"]
    less = pair_loss(Told(), (torch.stack((dark, light))[None], y, where), softened_share=0.5)["loss"]
    torch.testing.assert_close(less, whole)


def test_the_recipe_names_no_place() -> None:
    config = Config(data=Path("/secret/data"), backbone=Path("/secret/b.safetensors"), out=Path("/secret"))
    made = recipe(config, NAME)
    text = json.dumps(made)
    assert "secret" not in text
    assert made["backbone"] == "b.safetensors"
    assert made["script"] == "training/train_frame.py"
    assert "max_minutes" not in made["loop"]  # infinity is no JSON


def test_the_bundled_preset_says_what_the_defaults_are_and_how_its_last_stage_went() -> None:
    stage = replace(Config().loop, steps=2000, warmup_steps=50, lr=3e-4, validate_every=250)
    shipped = replace(
        Config(), preset="bundled", seed=11, loop=stage, pairs="mixed", size_px=(192, 224), size_share=(0.6, 0.4),
        frames_per_clip=12,
    )  # fmt: skip
    assert load_preset(Config, NAME, "bundled") == shipped


def test_the_bundled_preset_is_the_recipe_that_is_kept() -> None:
    """But for what was given beside it: data, folders, weights."""
    preset, made = load_preset(Config, NAME, "bundled"), ledger.entry_of("effnetv2_b0_frame")["recipe"]
    for key in ("batch_pairs", "size_px", "size_share", "freeze_bn", "where", "frames_per_clip", "seed"):
        value = getattr(preset, key)
        assert made[key] == (list(value) if isinstance(value, tuple) else value), key
    assert {key: made["loop"][key] for key in ("steps", "lr", "warmup_steps", "ema_decay")} == {
        key: getattr(preset.loop, key) for key in ("steps", "lr", "warmup_steps", "ema_decay")
    }


def miniature(root: Path) -> Path:
    """Train: a clip, a picture and a crop, all real. Val: a real and a fake clip, and a crop."""
    write_collection(root)
    with (root / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    portrait_clip(root / "real.mp4", n_frames=8, crf=18)
    portrait_clip(root / "fake.mp4", n_frames=8, crf=35)
    clip = CROP | {"kind": "video", "split": "val", "face_box": "", "landmarks": ""}
    rows += [
        clip | {"path": "real.mp4", "label": "real"},
        clip | {"path": "fake.mp4", "label": "fake", "generator": "part swap"},
        rows[-1] | {"split": "val"},
    ]
    return write_index(root, *rows)


def test_the_command_trains_and_leaves_a_model_that_loads(tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    miniature(data)
    torch.manual_seed(0)
    features = registry.create_model("effnetv2_b0_frame").get_submodule("backbone").state_dict()
    save_file(features, tmp_path / "backbone.safetensors")

    command = [
        sys.executable, str(SCRIPT), "--data", str(data), "--backbone", str(tmp_path / "backbone.safetensors"),
        "--out", str(tmp_path / "run"), "--batch-pairs", "2", "--size-px", "64", "--size-share", "1",
        "--frames-per-clip", "2", "--val-blends", "4", "--workers", "0", "--loop.steps", "2", "--loop.warmup-steps", "1",
        "--loop.validate-every", "2", "--softened-share", "0.5",
    ]  # fmt: skip
    # The cache of faces lies below the working folder: the test has its own.
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"ACCELERATE_USE_CPU": "true"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]

    with (tmp_path / "run/metrics.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["step"] == "2"
    assert 0 <= float(row["blend_auc"]) <= 1
    assert 0 <= float(row["video_auc"]) <= 1
    assert json.loads((tmp_path / "run/config.json").read_text())["recipe"]["size_px"] == [64]
    assert len(list((tmp_path / "runs/cache").glob("*.npz"))) == 2

    assert (
        registry.spec("effnetv2_b0_frame", tmp_path / "run/model.safetensors").calibration.softened_share
        == 0.5
    )
    model = registry.load("effnetv2_b0_frame", path=tmp_path / "run/model.safetensors")
    with torch.inference_mode():
        logits = model(torch.zeros(1, 3, 224, 224))
    assert logits.isfinite().all()
    # Stored in half precision, so rounding alone must not count as training.
    stem = model.get_submodule("backbone").state_dict()["conv_stem.weight"]
    assert (stem != features["conv_stem.weight"].half().float()).float().mean() > 0.5


def test_the_toy_run_trains_any_timm_network(tmp_path) -> None:
    main(replace(load_preset(Config, NAME, "toy"), out=tmp_path, model="timm:test_efficientnet"))
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert all(
        0 <= float(row[name]) <= 1 for name in ("blend_auc", "video_auc", "blending_auc", "synthesis_auc")
    )
    assert weights.read_header(tmp_path / "model.safetensors")["name"] == "timm:test_efficientnet"


@pytest.mark.parametrize("pairs", ["none", "source"])
def test_labelled_frames_and_originals_are_batches_of_single_faces(pairs) -> None:
    config = replace(PHASES, pairs=pairs, augment="deepfakebench", crop="arcface")
    owned = [
        replace(item(k, "video", k % 2, "Deepfakes" if k % 2 else ""), group=str(k // 2)) for k in range(4)
    ]
    faces = Faces(bank_of([face(k) for k in range(4)]), owned)
    found = list(batches(config, faces, 0))
    assert [tuple(x.shape) for x, _ in found] == [(4, 3, 32, 32)] * 2 + [(4, 3, 64, 64)] * 2
    assert {y.sum().item() for _, y in found} == {2}
    losses = pair_loss(Told(), found[0])
    assert torch.isfinite(losses["loss"])


def test_another_augmentation_is_not_for_fakes_made_on_the_fly(tmp_path) -> None:
    with pytest.raises(SystemExit, match="--augment gend is for labelled media"):
        main(replace(load_preset(Config, NAME, "toy"), out=tmp_path, augment="gend"))


def test_shards_are_trained_on_as_a_stream(tmp_path) -> None:
    """No train face is opened by the index; counts, lists and validation are those of a run without the stream."""
    root = tmp_path / "faces"
    with FaceWriter(root, "shards", faces_per_shard=4) as writer:
        for n, split in enumerate(["train", "train", "val"]):
            for label in (0, 1):
                writer.add(medium(f"{n}_{label}.mp4", label, split), cut_medium(frames=4))
    toyed = replace(
        load_preset(Config, NAME, "toy"), model="timm:test_efficientnet", augment="flips", data=root
    )
    config = replace(toyed, val_blends=0, pairs="none", out=tmp_path / "run", stream=True)
    main(config)
    (row,) = csv.DictReader((config.out / "metrics.csv").open(encoding="utf-8"))
    assert 0 <= float(row["video_auc"]) <= 1
    kept = json.loads((config.out / "config.json").read_text(encoding="utf-8"))
    assert kept["trained_on"] == "the train split of toy: 2 real clips, 2 fake clips (by Deepfakes)"
    assert kept["recipe"]["stream"]
    assert "shards" not in kept["recipe"]
    with pytest.raises(SystemExit, match="--stream gives labelled frames"):
        main(replace(config, pairs="blend", augment="project"))


def clips_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy without a still, as a set of videos is."""
    only = {split: [] for split in toy.CONTENTS}
    monkeypatch.setattr(toy, "CONTENTS", only)


@pytest.mark.parametrize("pairs", ["blend", "none"])
def test_a_set_of_clips_alone_is_trained_on_and_validated(tmp_path, monkeypatch, pairs) -> None:
    clips_alone(monkeypatch)
    config = replace(
        load_preset(Config, NAME, "toy"), out=tmp_path, model="timm:test_efficientnet", pairs=pairs
    )
    main(config)
    (row,) = csv.DictReader((tmp_path / "metrics.csv").open(encoding="utf-8"))
    assert 0 <= float(row["blend_auc"]) <= 1
    assert 0 <= float(row["video_auc"]) <= 1


def test_a_teacher_its_maps_and_generators_join_in(tmp_path) -> None:
    spec = replace(registry.spec("effnetv2_b0_frame"), input_size=48)
    teacher = tmp_path / "teacher.safetensors"
    weights.save_checkpoint(registry.create_model(spec.name), teacher, spec)
    drawing = tmp_path / "generators" / "vq"
    drawing.mkdir(parents=True)
    save_generator(Generator(architecture="vq", width=4), drawing / "generator.safetensors")
    config = replace(
        load_preset(Config, NAME, "toy"),
        out=tmp_path / "run",
        model="timm:test_efficientnet",
        teacher=TeacherConfig(checkpoint=teacher),
        hints=1.0,
        generators=drawing.parent,
    )
    main(config)
    (row,) = csv.DictReader((config.out / "metrics.csv").open(encoding="utf-8"))
    assert float(row["hint_loss"]) > 0.5
    assert float(row["teacher_loss"]) > 0
    recipe_of_run = json.loads((config.out / "config.json").read_text(encoding="utf-8"))["recipe"]
    assert recipe_of_run["pair_shares"]["redraw_still"] > 0
    assert not any("hints" in name for name in load_file(config.out / "model.safetensors"))
    with pytest.raises(SystemExit, match="needs a teacher"):
        main(replace(config, teacher=TeacherConfig()))
