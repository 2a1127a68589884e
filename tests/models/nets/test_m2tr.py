"""M2TR's parts, sizes and freezing; what was wrong in the published code is right here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tbd_app.errors import WeightsCorrupt
from tbd_app.models import registry, weights
from tbd_app.models.nets.m2tr import (
    CrossModality,
    M2trLayer,
    M2trOfficial,
    PatchAttention,
    SpectralFilter,
    from_tokens,
    to_tokens,
)
from tbd_app.models.nets.m2tr_swin import M2trSwin
from tests.models import small

NAMES = ["m2tr_swin", "m2tr_b4", "m2tr_official"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def n_params(module: nn.Module, *, trained: bool = False) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained)


# The fact sheet's counts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "side", "sizes", "count"),
    [
        (32, 80, (80, 40, 20, 10), 263_936),
        (32, 56, (56, 28, 14, 7), 157_952),
        (56, 28, (1, 2, 4, 7), 211_456),
    ],
)
def test_a_layer_has_as_many_parameters_as_published(channels, side, sizes, count) -> None:
    with torch.device("meta"):
        assert n_params(M2trLayer(channels, side, sizes)) == count


def test_the_official_network_at_224_px() -> None:
    with torch.device("meta"):
        assert n_params(registry.create_model("m2tr_official", input_size=224)) == 18_184_010


@pytest.mark.parametrize(("name", "count"), [("m2tr_swin", 9_785_158), ("m2tr_b4", 9_603_810)])
def test_the_frozen_preset_trains_about_ten_million(name, count) -> None:
    with torch.device("meta"):
        model = registry.create_model(name, freeze="paper10m")
    assert n_params(model, trained=True) == count
    assert n_params(model) == registry.spec(name).n_params


# Parts -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [8, 7])
def test_a_filter_of_ones_is_the_identity(side) -> None:
    filtering, x = SpectralFilter(3, side), torch.randn(2, 3, side, side)
    with torch.no_grad():
        filtering.weight[..., 0], filtering.weight[..., 1] = 1, 0
    torch.testing.assert_close(filtering(x), x, atol=1e-5, rtol=0)


def test_a_filter_multiplies_each_frequency_by_a_complex_number() -> None:
    filtering, x = SpectralFilter(1, 8), torch.randn(1, 1, 8, 8)
    with torch.no_grad():
        filtering.weight.zero_()
        filtering.weight[1, 2, 0] = torch.tensor([0.0, 2.0])
    before, after = torch.fft.rfft2(x), torch.fft.rfft2(filtering(x))
    assert after[0, 0, 1, 2].item() == pytest.approx(before[0, 0, 1, 2].item() * 2j, rel=1e-4)
    after[0, 0, 1, 2] = 0
    assert after.abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_filter_computes_in_float32_and_answers_as_it_was_asked(dtype) -> None:
    filtering, x = SpectralFilter(3, 7), torch.randn(2, 3, 7, 7).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        out = filtering(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out, filtering(x.float()).to(dtype), atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_channels_innermost_give_the_same_answer(name) -> None:
    """Serving and training lay networks out so, filters included."""
    model, x = small.create(name).eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before = model(x)
        model = model.to(memory_format=torch.channels_last)
        torch.testing.assert_close(model(x), before, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 4, 7, 14, 28])
def test_tokens_are_patches_and_go_back(size) -> None:
    x = torch.randn(2, 3, 28, 28)
    tokens = to_tokens(x, size)
    assert tokens.shape == (2, (28 // size) ** 2, 3 * size * size)
    assert torch.equal(from_tokens(tokens, size), x)
    assert torch.equal(tokens[:, 0], x[:, :, :size, :size].flatten(1))
    last_of_first_row = x[:, :, :size, 28 - size :]
    assert torch.equal(tokens[:, 28 // size - 1], last_of_first_row.flatten(1))


def test_a_patch_size_that_does_not_divide_the_map_is_refused() -> None:
    with pytest.raises(ValueError, match="patches of 7 do not divide a map of 8"):
        PatchAttention(16, 8, (1, 7))
    with pytest.raises(ValueError, match="10 channels cannot be shared out among 4"):
        PatchAttention(10, 8, (1, 2, 4, 8))


def test_each_patch_size_attends_within_its_own_channels() -> None:
    attention = PatchAttention(8, 4, (4, 1)).eval()
    attention.out = nn.Identity()  # type: ignore[assignment]
    x = torch.randn(1, 8, 4, 4)
    q, k, v = attention.qkv(x).chunk(3, dim=1)
    out = attention(x)
    torch.testing.assert_close(out[:, :4], v[:, :4])  # one patch, so it attends to itself
    q, k, v = (t[:, 4:].flatten(2) for t in (q, k, v))
    weights_ = (q.transpose(1, 2) @ k / 4**0.5).softmax(-1)
    torch.testing.assert_close(out[:, 4:].flatten(2), v @ weights_.transpose(1, 2))


def test_fusion_asks_with_the_picture_and_reads_from_the_spectrum() -> None:
    fusion, rgb, freq = CrossModality(4), torch.randn(2, 4, 5, 5), torch.randn(2, 4, 5, 5)
    fusion.out = nn.Identity()  # type: ignore[assignment]
    q, (k, v) = fusion.q(rgb).flatten(2), (t.flatten(2) for t in fusion.kv(freq).chunk(2, dim=1))
    found = v @ (q.transpose(1, 2) @ k * 4**-0.5).softmax(-1).transpose(1, 2)
    torch.testing.assert_close(fusion(rgb, freq), rgb + found.unflatten(2, (5, 5)))


def test_fusion_with_a_silent_output_passes_the_picture_through() -> None:
    fusion, rgb = CrossModality(4).eval(), torch.randn(2, 4, 5, 5)
    nn.init.zeros_(fusion.out[0].weight)
    nn.init.zeros_(fusion.out[0].bias)
    assert torch.equal(fusion(rgb, torch.randn(2, 4, 5, 5)), rgb)


def test_the_spectrum_is_that_of_the_picture_before_normalisation() -> None:
    model, spec = M2trSwin(small=True).eval(), registry.spec("m2tr_swin")
    picture = torch.rand(1, 3, 64, 64)
    seen: list[torch.Tensor] = []
    model.spectrum.register_forward_hook(lambda _m, arguments, _out: seen.append(arguments[0]))
    mean, std = (torch.tensor(t).view(3, 1, 1) for t in (spec.mean, spec.std))
    with torch.inference_mode():
        model((picture - mean) / std)
    torch.testing.assert_close(seen[0], picture)


def test_the_spectrum_has_its_lowest_frequency_in_the_middle() -> None:
    model = M2trSwin(small=True).eval()
    seen: list[torch.Tensor] = []
    model.spectrum.layers.register_forward_hook(lambda _m, arguments, _out: seen.append(arguments[0]))
    model.spectrum(torch.full((2, 3, 64, 64), 0.5))
    (standard,) = seen
    assert standard[0, 0].argmax() == 32 * 64 + 32
    assert standard.mean(dim=(1, 2, 3)).abs().max() < 1e-4
    torch.testing.assert_close(standard.std(dim=(1, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)


# Whole models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_overfits_one_batch(name) -> None:
    model, x, y = small.create(name), torch.randn(8, 3, 64, 64), torch.arange(8) % 2
    assert small.fit_one_batch(model, x, y) < 0.1


def test_logits_are_logits_in_training_and_in_use() -> None:
    """The published code answers two sigmoids when it is not training, whose sum is not 1."""
    model, x = small.create("m2tr_b4").eval(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        model.head.bias.copy_(torch.tensor([-9.0, 9.0]))
        logits = model(x)
        torch.testing.assert_close(logits, model.head(model.features(x)))
    assert (logits[:, 1] > 1).all()
    assert (logits[:, 0] < 0).all()


def test_gradients_stop_where_the_preset_freezes() -> None:
    with torch.device("meta"):
        model = registry.create_model("m2tr_b4", freeze="paper10m").eval()
        model(torch.empty(1, 3, 224, 224)).sum().backward()
    reached = sum(p.numel() for p in model.parameters() if p.grad is not None)
    assert reached == 9_603_810


def test_frozen_stages_keep_their_statistics() -> None:
    with torch.device("meta"):
        blocks = registry.create_model("m2tr_b4", freeze="paper10m").train().backbone.blocks
    assert not blocks[4][0].bn1.training
    assert not blocks[5][4].bn1.training
    assert blocks[5][5].bn1.training
    assert blocks[6][0].bn1.training


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="made for pictures of 64 px, not 96 x 96"):
        small.create("m2tr_official")(torch.zeros(1, 3, 96, 96))


def test_a_checkpoint_of_another_size_is_refused(tmp_path: Path) -> None:
    path, name = tmp_path / "model.safetensors", "m2tr_official"
    weights.save_checkpoint(M2trOfficial(small=True), path, small.spec(name))
    with pytest.raises(
        WeightsCorrupt, match=r"trained on pictures of 64 px.*m2tr_official is built for 32 px"
    ):
        registry.load(name, path=path, small=True, input_size=32)
    again = registry.load(name, path=path, small=True)
    assert again(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
