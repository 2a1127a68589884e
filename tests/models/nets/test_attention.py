"""A model's own attention: it sums to one, it is what the layers weigh, and reading it changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tbd_app.models.nets import attention
from tbd_app.models.nets.base import Detector
from tbd_app.models.nets.dfd_fcg import PARTS
from tests.models import small

OVER_TIME = ["clip_b16_stan", "effnet_b0_timesformer", "effnet_b0_timesformer_legacy"]
ATTENTIVE = ["clip_b16_ln1", "effnet_vit_base", "dfd_fcg_b16", *OVER_TIME]
ON_CLIP = ["clip_b16_ln1", "clip_b16_stan", "dfd_fcg_b16"]
WITHOUT = ["effnet_b0_image", "clip_b16_probe", "m2tr_b4"]
N = 3


def example(name: str) -> Tensor:
    spec = small.spec(name)
    lead = (1, N) if spec.task == "clip" else (N,)
    return torch.randn(*lead, 3, spec.input_size, spec.input_size, generator=torch.Generator().manual_seed(7))


def made(name: str) -> Detector:
    torch.manual_seed(0)
    model = small.create(name)
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)  # a branch that starts at zero
    return model


def read(model: Detector, x: Tensor) -> attention.Attention:
    found = attention.own(model, x)
    assert found is not None
    return found


def without_preference(model: Detector) -> None:
    """Every query is zero, so each token attends to all alike."""
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            nn.init.zeros_(module.in_proj_weight[: module.embed_dim].detach())
            nn.init.zeros_(module.in_proj_bias[: module.embed_dim].detach())


@pytest.mark.parametrize("name", ATTENTIVE)
def test_attention_sums_to_one_and_leaves_the_model_as_it_was(name: str) -> None:
    model, x = made(name), example(name)
    with torch.inference_mode():
        model.eval()
        before = model(x)
        model.train()
    said: list[Tensor] = []
    handle = model.register_forward_hook(lambda _model, _x, logits: said.append(logits))
    found = read(model, x)
    handle.remove()
    torch.testing.assert_close(said[0], before, atol=1e-5, rtol=1e-4)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert found.kind == attention.kind_of(model)
    assert found.maps.shape == (N, len(found.parts), 2, 2)
    assert found.maps.dtype == torch.float32
    assert found.maps.min() >= 0
    torch.testing.assert_close(found.maps.sum((-1, -2)), torch.ones(N, len(found.parts)))
    assert (found.over_time is not None) == (name in OVER_TIME)
    if found.over_time is not None:
        assert found.over_time.shape == (N,)
        assert found.over_time.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", [n for n in ATTENTIVE if n != "dfd_fcg_b16"])
def test_attention_without_preference_is_even(name: str) -> None:
    model = made(name)
    without_preference(model)
    found = read(model, example(name))
    torch.testing.assert_close(found.maps, torch.full_like(found.maps, 1 / 4))
    if found.over_time is not None:
        torch.testing.assert_close(found.over_time, torch.full_like(found.over_time, 1 / N))


def test_weights_are_those_of_the_layer() -> None:
    torch.manual_seed(0)
    layer, x = nn.MultiheadAttention(16, 4, batch_first=True), torch.randn(2, 5, 16)
    _, wanted = layer(x, x, x, need_weights=True)
    torch.testing.assert_close(attention.weights(layer, x), wanted)


def test_rollout_keeps_half_in_each_layer() -> None:
    to_last = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])[None]
    torch.testing.assert_close(attention.rollout([to_last, to_last]), torch.tensor([[0.25, 0.0, 0.75]]))


def test_rollout_in_time_follows_a_frame_that_all_others_read() -> None:
    length, n_places = 4, 2
    within = torch.full((length, 1 + n_places, 1 + n_places), 1 / 3)
    to_second = torch.zeros(n_places, length, length)
    to_second[:, :, 1] = 1
    places = attention.rollout_in_time([within], [to_second])
    # Half stays with the class token and a third of the rest; each frame gives half of its share away.
    assert places.sum() == pytest.approx(1 / 3)
    torch.testing.assert_close(places.sum(1) / places.sum(), torch.tensor([0.125, 0.625, 0.125, 0.125]))


def test_a_query_that_is_the_key_of_a_patch_looks_there() -> None:
    model, x, keys = made("dfd_fcg_b16").eval(), example("dfd_fcg_b16"), []
    handles = [
        d.register_forward_pre_hook(lambda _d, given: keys.append(given[0][0, 0])) for d in model.spatial
    ]
    with torch.no_grad():
        model(x)
        for handle in handles:
            handle.remove()
        for decoder, of_layer in zip(model.spatial, keys, strict=True):
            decoder.queries[PARTS.index("eyes")] = of_layer[2]  # of four patches
    found = read(model, x)
    assert found.parts == PARTS
    assert found.maps[0, PARTS.index("eyes")].flatten().argmax() == 2
    assert found.maps[0, PARTS.index("eyes")].flatten()[2] > 0.5


def test_a_frame_that_the_model_leaves_out_has_an_empty_map() -> None:
    x = example("dfd_fcg_b16")[:, [0, 1, 2, 0, 1, 2]]  # six frames, of which this one chooses four
    per_map = read(made("dfd_fcg_b16"), x).maps.sum((-1, -2))
    assert ((per_map - 1).abs() < 1e-5).all(1).sum() == 4
    assert (per_map == 0).all(1).sum() == 2


@pytest.mark.parametrize("name", ON_CLIP)
def test_a_tower_held_in_bfloat16_attends_nearly_alike(name: str) -> None:
    model, x = made(name).eval(), example(name)
    exact = read(model, x)
    rounded = read(model.hold(torch.bfloat16), x)
    assert rounded.maps.dtype == torch.float32
    torch.testing.assert_close(rounded.maps, exact.maps, atol=0.1, rtol=0)


@pytest.mark.parametrize("name", WITHOUT)
def test_what_has_no_attention_of_its_own_says_so(name: str) -> None:
    assert attention.own(made(name), example(name)) is None
    assert attention.kind_of(made(name)) is None


def test_clips_are_read_one_at_a_time() -> None:
    with pytest.raises(ValueError, match="one clip at a time, not of 2"):
        attention.own(made("clip_b16_stan"), example("clip_b16_stan").expand(2, -1, -1, -1, -1))
