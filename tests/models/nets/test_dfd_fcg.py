"""DFD-FCG: the decoders compute what the sheet says, on whatever device the patches are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tbd_app.models import registry
from tbd_app.models.nets.dfd_fcg import PARTS, DfdFcg, SpatialDecoder, TemporalDecoder, attend, even_rows
from tests.models import small

NAME = "dfd_fcg_b16"
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def clips(n: int = 2, length: int = 4) -> torch.Tensor:
    return torch.randn(n, length, 3, 32, 32, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def model() -> DfdFcg:
    torch.manual_seed(0)
    model = small.create(NAME).eval()
    for conv in (m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (5, 5)):
        nn.init.normal_(conv.weight, std=0.1)  # louder than at the start, so that differences show
    return model


def test_the_layout_that_counts_as_the_reference_report() -> None:
    with torch.device("meta"):
        official, wide = (
            registry.create_model("dfd_fcg_b32", layout=layout) for layout in ("official", "wide")
        )
    counts = [sum(p.numel() for p in m.parameters() if p.requires_grad) for m in (official, wide)]
    assert counts == [110_316, 283_162]
    per_block = sum(
        p.numel() for part in (official.temporal[0], official.spatial[0]) for p in part.parameters()
    )
    assert per_block == 8_784


def test_the_wide_layout_runs() -> None:
    model = small.create(NAME, layout="wide").eval()
    with torch.inference_mode():
        assert model(clips()).isfinite().all()


def test_convolutions_start_all_but_silent() -> None:
    model = registry.create_model(NAME, small=small.TOWER)  # ten frames
    convolutions = [m for m in model.temporal.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 2 * len(model.blocks)
    assert all(not conv.bias.any() for conv in convolutions)
    weights = torch.cat([conv.weight.flatten() for conv in convolutions])
    assert weights.std().item() == pytest.approx(0.001, rel=0.05)


def test_nothing_of_clip_is_trained() -> None:
    model = small.create(NAME)
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert not any(key.startswith("backbone.") for key in model.stored_state())


def test_an_opened_block_computes_what_the_block_computes() -> None:
    block = small.create(NAME).eval().blocks[0]
    x = torch.randn(3, 5, 128)
    with torch.inference_mode():
        out, q, k, v = attend(block, x)
        torch.testing.assert_close(out, block(x))
    assert q.shape == k.shape == v.shape == (3, 5, 2, 64)
    with torch.inference_mode():
        whole = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    torch.testing.assert_close(torch.cat([a.flatten(-2) for a in (q, k, v)], -1), whole)


def test_likeness_compares_a_patch_with_itself_over_time() -> None:
    a = torch.randn(2, 4, 3, 2, 64)  # (B,T,P,h,c)
    maps = TemporalDecoder._likeness(a)
    assert maps.shape == (2, 3, 2, 4, 4)
    one = a[1, :, 2, 1]
    torch.testing.assert_close(maps[1, 2, 1], (one @ one.T / 8).softmax(-1))
    still = a[:, :1].expand(-1, 4, -1, -1, -1)
    torch.testing.assert_close(TemporalDecoder._likeness(still), torch.full((2, 3, 2, 4, 4), 0.25))


def test_the_temporal_map_keeps_the_places_of_patches() -> None:
    """What changes in one corner shows there, and not beyond the reach of one convolution."""
    torch.manual_seed(0)
    decoder, grid = TemporalDecoder(1, 3, "official"), (8, 8)
    nn.init.normal_(decoder.over_space.weight)
    nn.init.normal_(decoder.over_time.weight)
    a = torch.randn(1, 3, 64, 1, 64)
    touched = a.clone()
    touched[0, 1, 0] += 2  # patch in row 0, column 0
    with torch.no_grad():
        changed = (decoder((a, a, a), grid) - decoder((touched,) * 3, grid)).abs()[0] > 1e-6
    reached = changed.unflatten(0, grid)
    assert reached[:3, :3].any()
    assert not reached[3:].any()
    assert not reached[:, 3:].any()


def test_a_query_looks_where_the_keys_are_like_it() -> None:
    decoder = SpatialDecoder(16)
    keys, values = torch.randn(2, 3, 5, 16), torch.randn(2, 3, 5, 16)
    with torch.no_grad():
        decoder.queries.copy_(7 * keys[0, 1, :4])  # each part's query is one patch's key, of another length
        look = decoder.attention(keys)
        assert look.shape == (2, 3, len(PARTS), 5)
        torch.testing.assert_close(look.sum(-1), torch.ones(2, 3, 4))
        assert look[0, 1].argmax(-1).tolist() == [0, 1, 2, 3]
        torch.testing.assert_close(decoder(keys, values), (look @ values).mean((1, 2)))


def test_the_answer_is_the_log_of_the_judges_mean_probability(model: DfdFcg) -> None:
    with torch.inference_mode():
        judges, logits = model.branch_logits(clips()), model(clips())
    assert judges.shape == (3, 2, 2)
    torch.testing.assert_close(logits.exp(), judges.softmax(-1).mean(0) + 1e-4)
    fake = torch.sigmoid(logits[:, 1] - logits[:, 0])  # as serving reads it
    torch.testing.assert_close(fake, judges.softmax(-1).mean(0)[:, 1], atol=2e-4, rtol=0)


def test_time_matters(model: DfdFcg) -> None:
    still = clips()[:, :1].expand(-1, 4, -1, -1, -1)
    with torch.inference_mode():
        a, b = model.branch_logits(still), model.branch_logits(torch.cat([still[:, :2], clips()[:, 2:]], 1))
    assert not torch.allclose(a[1], b[1], atol=1e-4)  # the temporal judge


def test_clips_of_one_batch_do_not_see_each_other(model: DfdFcg) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(model(clips())[:1], model(clips()[:1]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([1, 1, 1, 1], [0, 1, 2, 3]),
        ([0, 1, 0, 1], [1, 1, 3, 3]),  # two frames with a face: each twice
        ([0, 0, 1, 0], [2, 2, 2, 2]),
        ([0, 0, 0, 0], [0, 1, 2, 3]),
    ],
)
def test_frames_with_a_face_are_spread_evenly_over_the_clip(seen, expected) -> None:
    assert even_rows(torch.tensor([seen], dtype=torch.bool), 4).tolist() == [expected]


def test_a_long_clip_is_thinned_evenly() -> None:
    assert even_rows(torch.ones(1, 10, dtype=torch.bool), 4).tolist() == [[0, 3, 6, 9]]


@pytest.mark.parametrize("length", [1, 2, 4, 7])
def test_a_clip_of_any_length_is_judged_by_the_frames_it_has(model: DfdFcg, length: int) -> None:
    x = clips(2, length)
    rows = even_rows(torch.ones(2, length, dtype=torch.bool), 4)[0]
    with torch.inference_mode():
        torch.testing.assert_close(model(x), model(x[:, rows]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("device", [*DEVICES, "meta"])
def test_indices_are_on_the_device_of_the_patches(device: str) -> None:
    """The reference indexed CUDA patches with an array of NumPy and crashed."""
    rows = even_rows(torch.ones(2, 3, dtype=torch.bool, device=device), 4)
    assert (rows.device.type, rows.dtype, tuple(rows.shape)) == (device, torch.int64, (2, 4))


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_runs_on_every_device_that_is_here(device: str) -> None:
    model = small.create(NAME).to(device)
    mask = torch.tensor([[True, False, True], [True, True, True]], device=device)
    F.cross_entropy(model(clips(2, 3).to(device), mask), torch.tensor([0, 1], device=device)).backward()
    assert model.spatial[0].queries.grad.device.type == device


def test_queries_start_from_prototypes(model: DfdFcg) -> None:
    prototypes = torch.randn(2, 4, 128)
    model.set_queries(prototypes)
    assert torch.equal(model.queries(), prototypes)
    assert model.queries().requires_grad
    with pytest.raises(ValueError, match=r"prototypes are \(12, 4, 768\), the queries \(2, 4, 128\)"):
        model.set_queries(torch.zeros(12, 4, 768))


def test_the_encoder_keeps_no_graph_while_its_decoders_train(model: DfdFcg) -> None:
    tokens, *_ = attend(model.blocks[0], model.embed(clips().flatten(0, 1)))
    assert tokens.grad_fn is None
    assert model(clips()).grad_fn is not None
