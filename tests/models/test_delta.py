"""Checkpoints of the trained part alone: small, honest about what they stand on, refused anywhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tbd_app.errors import WeightsCorrupt, WeightsMissing, WrongBackbone
from tbd_app.models import registry, weights
from tbd_app.models.backbones import CLIP_B16, CLIP_B16_INT8, CLIP_L14
from tbd_app.models.nets.clip_ln import ClipLayerNorm
from tbd_app.pipeline import score
from tbd_app.types import Backbone, FaceTrack, Frames, TrackQuality
from tests.models import small
from tests.models.nets.test_tower import pictures, whole_clip

NAME = "clip_b16_ln1"
OPTIONS = small.options(NAME)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A model on public weights in the weights folder, trained a little and saved: (model, checkpoint)."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(folder))
    whole_clip(folder / CLIP_B16.file)
    model = small.create(NAME, public=CLIP_B16).eval()
    weights.load_backbone_file(model, folder / CLIP_B16.file)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(1))
    path = tmp_path / "delta.safetensors"
    weights.save_checkpoint(model, path, registry.spec(NAME))
    return model, path


def test_only_what_was_trained_is_stored(trained) -> None:
    model, path = trained
    assert load_file(path).keys() == {key for key, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["clip_b16_ln1", "clip_b16_ln2", "clip_l14_ln1", "clip_l14_ln2"])
def test_a_file_at_full_size_is_under_2_mb(name: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        full = registry.create_model(name)
    path = tmp_path / "delta.safetensors"
    save_file(
        {key: torch.zeros(t.shape, dtype=torch.float16) for key, t in full.stored_state().items()}, path
    )
    assert path.stat().st_size < 2e6 - 10_000  # the header with the spec comes on top


def test_the_header_names_the_backbone_its_weights_and_its_activation(trained) -> None:
    model, path = trained
    on = weights.read_header(path)["backbone"]
    assert (on["name"], on["tag"], on["activation"]) == ("ViT-B-16-quickgelu", "openai", "quick_gelu")
    assert on["repo"] == "timm/vit_base_patch16_clip_224.openai"
    assert on["sha256"] == model.standing_on().sha256
    random = small.create(NAME).standing_on()
    assert (random.tag, random.repo) == ("random", "")
    assert random.sha256 != on["sha256"]


def test_the_trained_part_does_not_change_what_it_stands_on(trained) -> None:
    model, _ = trained
    before = model.standing_on()
    with torch.no_grad():
        model.backbone.ln_post.weight += 1
    assert model.standing_on() == before
    with torch.no_grad():
        model.backbone.conv1.weight[0, 0, 0, 0] += 1
    assert model.standing_on() != before


def test_it_loads_onto_the_same_public_weights(trained) -> None:
    model, path = trained
    again = registry.load(NAME, path=path, **OPTIONS)
    with torch.inference_mode():
        difference = (model(pictures()).softmax(-1) - again(pictures()).softmax(-1)).abs().max()
    assert difference < 0.01
    assert torch.equal(again.backbone.conv1.weight, model.backbone.conv1.weight)


def test_a_toy_on_random_weights_needs_no_public_ones(tmp_path: Path) -> None:
    model, path = small.create(NAME).eval(), tmp_path / "toy.safetensors"
    weights.save_checkpoint(model, path, registry.spec(NAME))
    torch.manual_seed(99)
    again = registry.load(NAME, path=path, **OPTIONS)
    with torch.inference_mode():
        torch.testing.assert_close(model(pictures()), again(pictures()), atol=1e-2, rtol=1e-2)


def test_another_architecture_is_refused(trained) -> None:
    _, path = trained
    rename(path, name="ViT-L-14-quickgelu")
    with pytest.raises(WrongBackbone, match="whose name is ViT-L-14-quickgelu, and the model's is ViT-B-16"):
        registry.load(NAME, path=path, **OPTIONS)


def test_other_public_weights_are_refused(trained) -> None:
    _, path = trained
    with pytest.raises(WrongBackbone, match="whose tag is openai, and the model's is random"):
        weights.load_checkpoint(small.create(NAME), path, registry.spec(NAME))


def test_the_other_activation_is_refused(trained) -> None:
    """QuickGELU weights in a GELU tower of the same shapes: only a warning in open_clip."""
    _, path = trained
    gelu = ClipLayerNorm(backbone=Backbone("ViT-B-16", "openai", "gelu"), head_layers=1, small=small.TOWER)
    assert gelu.activation == "gelu"
    with pytest.raises(WrongBackbone, match=r"openai weights of ViT-B-16 were trained with quick_gelu.*gelu"):
        weights.load_backbone_file(gelu, weights.locate_backbone(CLIP_B16))
    rename(path, activation="gelu")
    with pytest.raises(WrongBackbone, match="whose activation is gelu, and the model's is quick_gelu"):
        registry.load(NAME, path=path, **OPTIONS)


def test_a_changed_copy_of_the_public_weights_is_refused(trained) -> None:
    _, path = trained
    public = weights.locate_backbone(CLIP_B16)
    state = load_file(public)
    state["visual.conv1.weight"][0] += 0.01
    save_file(state, public)
    with pytest.raises(WrongBackbone, match="another copy of the backbone: its sha256"):
        registry.load(NAME, path=path, **OPTIONS)


def test_a_checkpoint_that_names_no_backbone_is_refused(trained) -> None:
    _, path = trained
    header = weights.read_header(path)
    del header["backbone"]
    whole_clip(
        weights.locate_backbone(CLIP_B16).with_name(CLIP_B16_INT8.file)
    )  # what the model then stands on
    save_file(load_file(path), path, metadata={"tbd": json.dumps(header)})
    with pytest.raises(WrongBackbone, match="whose name is none"):
        registry.load(NAME, path=path, **OPTIONS)


def test_public_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    whole_clip(path)
    wider = registry.create_model(NAME, small=small.TOWER | {"width": 64})
    with pytest.raises(WeightsCorrupt, match=r"other\.safetensors has other shapes for class_embedding"):
        weights.load_backbone_file(wider, path)


def test_without_its_backbone_a_model_is_not_installed_and_both_commands_are_named(
    trained, write_manifest_here
) -> None:
    _, path = trained
    write_manifest_here(path, backbone=replace(CLIP_B16, sha256="0" * 64))
    assert registry.is_installed(NAME)
    weights.locate_backbone(CLIP_B16).unlink()
    assert not registry.is_installed(NAME)
    command = f"git checkout -- weights/delta.safetensors && tbd models --download {NAME}"
    assert registry.how_to_get(NAME) == f"Get them with: {command}"
    with pytest.raises(WeightsMissing, match=r"ViT-B-16-quickgelu/openai are not here\. Get them with: hf"):
        registry.load(NAME)
    frames = Frames((np.zeros((64, 64, 3), np.uint8),), np.zeros(1, np.int64), np.zeros(1), 1)
    score.loaded.cache_clear()
    box, points = np.array([[8, 8, 40, 50]], np.float32), np.zeros((1, 5, 2), np.float32)
    person = FaceTrack(0, np.zeros(1, np.int64), box, points, TrackQuality(42, 100, 1))
    (answer,) = score.score_tracks(NAME, frames, [person])
    assert (answer.status, answer.reason) == ("not_installed", "weights_missing")


def test_the_manifest_may_name_other_public_weights(trained, write_manifest_here) -> None:
    _, path = trained
    other = Backbone("ViT-B-16-quickgelu", "metaclip_fullcc", "quick_gelu", "lab/other", "0" * 64)
    write_manifest_here(path, backbone=other)
    assert registry.spec(NAME).backbone == other
    assert not registry.is_installed(NAME)
    with pytest.raises(WeightsMissing, match=r"hf download lab/other open_clip_model\.safetensors"):
        registry.load(NAME)


@pytest.fixture
def write_manifest_here(tmp_path: Path, entry):
    """Lists a checkpoint that lies in the weights folder."""

    def write(path: Path, backbone: Backbone | None = None) -> None:
        placed = path.rename(tmp_path / "weights" / path.name)
        raw = entry(NAME, file=placed.name, sha256=weights.sha256_of(placed), bytes=placed.stat().st_size)
        if backbone:
            raw["backbone"] = {
                key: getattr(backbone, key) for key in ("name", "tag", "activation", "repo", "sha256")
            }
        text = json.dumps({"schema": 2, "models": [raw]})
        (tmp_path / "weights" / "manifest.json").write_text(text, encoding="utf-8")

    return write


def rename(path: Path, **changes: str) -> None:
    """Changes what the header says of the backbone."""
    header = weights.read_header(path)
    header["backbone"] |= changes
    save_file(load_file(path), path, metadata={"tbd": json.dumps(header)})


def test_a_header_names_a_backbone_only_where_there_is_one() -> None:
    spec = replace(registry.spec(NAME), backbone=CLIP_L14)
    assert weights.header_of(spec)["backbone"]["name"] == "ViT-L-14-quickgelu"
    assert "backbone" not in weights.header_of(registry.spec("effnet_b0_image"))
