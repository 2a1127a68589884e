"""What every registered model promises, whatever its architecture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tbd_app.models import registry, weights
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline.grad_cam import grad_cam
from tests.models import small

CLIP_MODELS = [name for name in registry.list_models() if registry.spec(name).task == "clip"]


def example(name: str, batch: int = 2, length: int = 3) -> Tensor:
    """A normalised input of the model's size; `length` only counts for clip models."""
    spec = small.spec(name)
    lead = (batch, length) if spec.task == "clip" else (batch,)
    generator = torch.Generator().manual_seed(7)
    return torch.randn(*lead, 3, spec.input_size, spec.input_size, generator=generator)


@pytest.fixture(scope="module", params=registry.list_models())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name: str) -> Detector:
    """Random weights; BatchNorm has the statistics of real activations, else features are all but zero."""
    torch.manual_seed(0)
    model = small.create(name)
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)  # a branch that starts at zero stops gradients
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the plain average of what it saw
            module.reset_running_stats()
            if not module.weight.any():  # timm starts residual branches at zero, which stops gradients
                nn.init.ones_(module.weight)
    with torch.no_grad():
        model(example(name))
    return model.eval()


def test_parameter_counts_equal_the_fact_sheet(name: str) -> None:
    """Of the model at full size, built without memory for its weights."""
    spec = registry.spec(name)
    with torch.device("meta"):
        full = registry.create_model(name)
    assert sum(p.numel() for p in full.parameters()) == spec.n_params
    assert sum(p.numel() for p in full.parameters() if p.requires_grad) == (spec.n_trainable or spec.n_params)


def test_logits_are_finite_and_two_per_input(name: str, model: Detector) -> None:
    with torch.inference_mode():
        logits = model(example(name))
    assert logits.shape == (2, 2)
    assert logits.isfinite().all()


def test_eval_is_deterministic(name: str, model: Detector) -> None:
    x = example(name, batch=1)
    with torch.inference_mode():
        assert torch.equal(model(x), model(x))


def test_second_class_is_fake(name: str, model: Detector) -> None:
    assert weights.CLASS_NAMES == ("real", "fake")
    judges = [m.bias for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == 2]
    assert judges
    with torch.inference_mode():
        x = example(name, batch=1)
        before = model(x).softmax(-1)
        for bias in judges:
            bias[1] += 3
        after = model(x).softmax(-1)
        for bias in judges:
            bias[1] -= 3
    assert after[0, 1] > before[0, 1]


def test_gradients_reach_exactly_the_trainable_parameters(name: str, model: Detector) -> None:
    trainable = {key: p for key, p in model.named_parameters() if p.requires_grad}
    frozen = dict(list(trainable.items())[:3])
    for parameter in frozen.values():
        parameter.requires_grad_(False)
    nn.functional.cross_entropy(model(example(name)), torch.tensor([0, 1])).backward()
    reached = {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    finite = all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    for parameter in frozen.values():
        parameter.requires_grad_(True)
    model.zero_grad()
    # The norm over the patches takes away what is added to all of them: a gradient of rounding errors, or of nothing.
    without_effect = {
        key for key in trainable if name.startswith("dfd_fcg") and key.endswith("over_space.bias")
    }
    if name in ("clip_b16_probe", "clip_b16_lower"):  # the head for pictures has no part in a clip
        without_effect |= {key for key in trainable if key.startswith("picture_head.")}
    assert reached | without_effect == trainable.keys() - frozen.keys()
    assert finite


def test_state_round_trips_through_half_precision(name: str, model: Detector, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights.save_checkpoint(model, path, small.spec(name))
    again = registry.load(name, path=path, **small.options(name))
    assert {t.dtype for t in again.state_dict().values() if t.is_floating_point()} == {torch.float32}
    with torch.inference_mode():
        x = example(name)
        difference = (model(x).softmax(-1) - again(x).softmax(-1)).abs().max()
    assert difference <= 0.01
    n_bytes = sum(t.numel() * (2 if t.is_floating_point() else 8) for t in model.stored_state().values())
    assert path.stat().st_size < n_bytes * 1.01 + 100_000, "stored in half precision"


def test_header_holds_all_that_a_score_needs(name: str, model: Detector, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    spec = registry.spec(name)
    weights.save_checkpoint(model, path, spec)
    header = weights.read_header(path)
    assert header["class_names"] == ["real", "fake"]
    assert header["crop"]["margin"] == spec.crop.margin
    assert (header["input_size"], tuple(header["mean"]), tuple(header["std"])) == (
        spec.input_size,
        spec.mean,
        spec.std,
    )
    read = replace(registry.spec(name, path), backbone=spec.backbone)  # random here, public in the spec
    assert weights.header_of(read) == weights.header_of(spec)


def test_cam_layer_yields_one_map_per_frame(name: str, model: Detector) -> None:
    seen: list[Tensor] = []
    handle = model.cam_layer().register_forward_hook(lambda _m, _i, output: seen.append(output))
    x = example(name, batch=1, length=3)
    with torch.inference_mode():
        model(x)
    handle.remove()
    tokens = model.cam_tokens(seen[0])
    frames = 3 if registry.spec(name).task == "clip" else 1
    cells = max(small.spec(name).input_size // 32, 2)
    assert len(seen) == 1
    assert tokens.shape[0] == frames
    assert tokens.shape[-2:] == (cells, cells)
    # channels in the second place: many more than rows and columns
    assert tokens.shape[1] >= 128


def test_grad_cam_gives_a_map_of_each_frame(name: str, model: Detector) -> None:
    spec = small.spec(name)
    maps = grad_cam(model, spec, example(name, batch=1, length=2))
    frames = 2 if spec.task == "clip" else 1
    assert maps.shape == (frames, spec.input_size, spec.input_size)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0


@pytest.mark.parametrize("held", [n for n in registry.list_models() if registry.spec(n).backbone])
def test_grad_cam_gives_nearly_the_same_map_of_a_tower_held_in_bfloat16(held: str) -> None:
    torch.manual_seed(0)
    model, spec = small.create(held).eval(), small.spec(held)
    batch = example(held, batch=1, length=2)
    exact = grad_cam(model, spec, batch)
    rounded = grad_cam(model.hold(torch.bfloat16), spec, batch)
    assert rounded.dtype == np.float32
    assert np.isfinite(rounded).all()
    np.testing.assert_allclose(rounded, exact, atol=0.1 * max(float(exact.max()), 1e-3))


@pytest.fixture(scope="module", params=CLIP_MODELS)
def clip_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def clip_model(clip_name: str) -> Detector:
    torch.manual_seed(0)
    return small.create(clip_name).eval()


def test_a_clip_may_be_one_frame(clip_name: str, clip_model: Detector) -> None:
    with torch.inference_mode():
        logits = clip_model(example(clip_name, length=1))
    assert logits.shape == (2, 2)
    assert logits.isfinite().all()


def test_frames_without_a_face_do_not_count(clip_name: str, clip_model: Detector) -> None:
    x = example(clip_name)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    with torch.inference_mode():
        masked, full, short = clip_model(x, mask), clip_model(x), clip_model(x[:, :2])
    torch.testing.assert_close(masked[0], short[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(masked[1], full[1], atol=1e-5, rtol=1e-4)


def test_without_any_face_the_answer_does_not_depend_on_the_pictures(
    clip_name: str, clip_model: Detector
) -> None:
    x, nobody = example(clip_name), torch.zeros(2, 3, dtype=torch.bool)
    with torch.inference_mode():
        logits = clip_model(x, nobody)
        torch.testing.assert_close(logits, clip_model(-x, nobody))
    assert logits.isfinite().all()
