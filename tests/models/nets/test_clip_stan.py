"""CLIP-STAN: what the reference had wrong is right here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tbd_app.models import registry, weights
from tbd_app.models.nets.clip_stan import ClipStan, TemporalLayer
from tests.models import small
from tests.models.nets.test_tower import whole_clip

NAME = "clip_b16_stan"


def clips(n: int = 2, length: int = 4) -> torch.Tensor:
    return torch.randn(n, length, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def model() -> ClipStan:
    """With temporal layers that do something: they start at zero."""
    torch.manual_seed(0)
    model = small.create(NAME).eval()
    for layer in model.temporal:
        nn.init.normal_(layer.out.weight, std=0.2)
    return model


def test_spatial_layers_are_clips_last_ones_random_or_public(tmp_path: Path) -> None:
    """In the reference they are random, and frozen."""
    model = registry.create_model(NAME, small=small.TOWER | {"layers": 3}, depth=2)

    def equal() -> bool:
        pairs = zip(model.spatial, model.blocks[-2:], strict=True)
        return all(torch.equal(t, b.state_dict()[k]) for s, b in pairs for k, t in s.state_dict().items())

    assert equal()
    donor = registry.create_model(NAME, small=small.TOWER | {"layers": 3}, depth=1)
    with torch.no_grad():
        for parameter in donor.backbone.parameters():
            parameter += torch.randn_like(parameter)
    model.load_backbone(donor.backbone.state_dict(), "donor")
    assert equal()
    assert torch.equal(model.blocks[-1].mlp.c_fc.weight, donor.blocks[-1].mlp.c_fc.weight)


def test_spatial_layers_come_back_from_the_public_weights(tmp_path: Path, monkeypatch) -> None:
    """A checkpoint holds only their norms."""
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(tmp_path))
    whole_clip(tmp_path / registry.spec(NAME).backbone.file)
    model = small.create(NAME).eval()
    weights.load_backbone_file(model, tmp_path / registry.spec(NAME).backbone.file)
    path = tmp_path / "delta.safetensors"
    weights.save_checkpoint(model, path, registry.spec(NAME))
    assert not any("spatial" in key and "ln_" not in key for key in model.stored_state())
    again = registry.load(NAME, path=path, **small.options(NAME))
    with torch.inference_mode():
        torch.testing.assert_close(again(clips()), model(clips()), atol=1e-2, rtol=1e-2)


def test_all_norms_the_branch_the_embeddings_and_the_head_are_trained() -> None:
    model = small.create(NAME)
    trained = {key for key, p in model.named_parameters() if p.requires_grad}
    for key, _ in model.named_parameters():
        expected = (
            "ln_" in key
            or key.startswith(("temporal.", "time_embedding", "head."))
            or key in ("class_shift", "backbone.class_embedding")
        )
        assert (key in trained) == expected, key


def test_training_the_spatial_layers_is_an_option() -> None:
    with torch.device("meta"):
        plain, more = (registry.create_model(NAME, train_spatial=on) for on in (False, True))
    counts = [sum(p.numel() for p in m.parameters() if p.requires_grad) for m in (plain, more)]
    assert counts == [11_922_434, 11_922_434 + 4 * (7_087_872 - 2 * 1536)]


def test_a_branch_of_two_layers_has_the_published_share() -> None:
    with torch.device("meta"):
        model = registry.create_model(NAME, depth=2)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert (trained, sum(p.numel() for p in model.parameters())) == (6_007_298, 105_935_618)


def test_a_temporal_layer_keeps_patches_apart() -> None:
    """In the reference the order of tokens mixed patches with frames."""
    torch.manual_seed(0)
    layer = TemporalLayer(8, 2, 0.0).eval()
    nn.init.normal_(layer.out.weight)
    patches, unseen = torch.randn(2, 3, 5, 8), torch.zeros(2, 3, dtype=torch.bool)
    touched = patches.clone()
    touched[1, 2, 3] *= -1  # clip 1, frame 2, patch 3
    with torch.no_grad():
        changed = (layer(touched, unseen) - layer(patches, unseen)).abs().sum(-1) > 1e-6
    expected = torch.zeros(2, 3, 5, dtype=torch.bool)
    expected[1, :, 3] = True  # the same patch in every frame of the same clip
    assert torch.equal(changed, expected)


def test_a_new_temporal_layer_changes_nothing() -> None:
    patches, unseen = torch.randn(2, 3, 5, 8), torch.zeros(2, 3, dtype=torch.bool)
    assert torch.equal(TemporalLayer(8, 2, 0.0)(patches, unseen), patches)


def test_only_the_time_embedding_knows_the_order_of_frames(model: ClipStan) -> None:
    """With mixed token orders a clip and its reverse would differ without it."""
    x = clips()
    with torch.inference_mode():
        assert not torch.allclose(model.features(x), model.features(x.flip(1)), atol=1e-4)
        model.time_embedding.weight.zero_()
        torch.testing.assert_close(model.features(x), model.features(x.flip(1)), atol=1e-5, rtol=1e-4)


def test_clips_of_one_batch_do_not_see_each_other(model: ClipStan) -> None:
    x = clips()
    with torch.inference_mode():
        torch.testing.assert_close(model(x)[:1], model(x[:1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 8, 32])
def test_any_number_of_frames_up_to_64(model: ClipStan, length: int) -> None:
    """In the reference the branch knew eight frames only."""
    with torch.inference_mode():
        assert model(clips(1, length)).isfinite().all()


def test_more_frames_than_there_are_embeddings_are_refused(model: ClipStan) -> None:
    with pytest.raises(ValueError, match="64 frames at most, not 65"):
        model(clips(1, 65))


def test_masked_frames_reach_nothing(model: ClipStan) -> None:
    x, mask = clips(), torch.tensor([[True, False, True, True], [True, True, True, False]])
    other = torch.where(mask[..., None, None, None], x, 100 * x.flip(0))
    with torch.inference_mode():
        torch.testing.assert_close(model(x, mask), model(other, mask), atol=1e-5, rtol=1e-4)


def test_features_have_unit_length_and_nothing_is_printed(model: ClipStan, capsys) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(model.features(clips()).norm(dim=-1), torch.ones(2))
    assert capsys.readouterr().out == ""


def test_layers_are_dropped_only_in_training(model: ClipStan) -> None:
    rates = [layer.drop_path.drop_prob for layer in model.temporal]
    assert rates == pytest.approx([0, 0.1])
    assert [d.drop_prob for d in model.drop_path] == pytest.approx([0, 0.1])
    with torch.no_grad():
        x = clips(8)
        model.train()
        assert not torch.equal(model(x), model(x))
        model.eval()
        assert torch.equal(model(x), model(x))


def test_a_branch_deeper_than_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 2 layers, not 3"):
        registry.create_model(NAME, small=small.TOWER, depth=3)
