"""The tower that comes with the project: it loads strictly, computes what CLIP computes, and is held in bfloat16."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from tbd_app.errors import WrongBackbone
from tbd_app.models import registry, tensors, weights
from tbd_app.models.backbones import CLIP_B16, CLIP_B16_INT8
from tbd_app.models.nets.base import Detector
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.pipeline.crops import for_spec
from tests.models import small

pytestmark = pytest.mark.weights
FACE = np.array([180, 40, 270, 150], np.float32)  # of skimage's astronaut


@pytest.fixture(scope="module")
def model() -> Detector:
    return registry.create_model("clip_b16_ln1", pretrained=True).eval()


@pytest.fixture(scope="module")
def face() -> torch.Tensor:
    preprocess = for_spec(registry.spec("clip_b16_ln1"))
    return preprocess.tensor(preprocess.crops([data.astronaut()], FACE[None]))


def test_features_are_those_of_the_public_network(model: Detector) -> None:
    """The numbers come from the same weights undone by hand, outside this project."""
    projection = tensors.read_tensors(weights.fetch_backbone(CLIP_B16_INT8))["proj"].float()
    ramp = torch.linspace(-2, 2, 224).expand(1, 3, 224, 224)
    with torch.inference_mode():
        zero, along = (model.backbone(x) @ projection.T for x in (torch.zeros(1, 3, 224, 224), ramp))
    assert float(zero.norm()) == pytest.approx(11.303, abs=2e-3)
    assert zero[0, :4].tolist() == pytest.approx([0.3731, -0.5872, -0.3152, 0.4428], abs=2e-4)
    assert float(along.norm()) == pytest.approx(10.779, abs=2e-3)
    assert along[0, :4].tolist() == pytest.approx([0.2092, -0.2132, 0.1753, 0.2175], abs=2e-4)


def test_a_tower_held_in_bfloat16_says_nearly_the_same_and_stands_on_the_same(
    model: ClipDetector, face: torch.Tensor
) -> None:
    held = registry.create_model("clip_b16_ln1", pretrained=True).eval()
    before = held.standing_on()
    assert before == model.standing_on()
    assert (before.tag, before.repo) == ("openai-int8", "")
    held.hold(torch.bfloat16)
    assert held.standing_on() == before
    with torch.inference_mode():
        exact, rounded = model.features(face), held.features(face)
    assert rounded.dtype == torch.float32
    assert float((exact * rounded).sum()) > 0.999
    assert held.backbone.conv1.weight.dtype == torch.bfloat16
    assert held.backbone.ln_post.weight.dtype == torch.float32  # trained


@pytest.mark.parametrize("name", ["clip_b16_ln1", "clip_b16_stan", "dfd_fcg_b16"])
def test_gradients_reach_what_is_trained_through_a_held_tower(name: str) -> None:
    model = small.create(name).train().hold(torch.bfloat16)
    shape = (2, 3, 32, 32) if registry.spec(name).task == "frame" else (2, 4, 3, 32, 32)
    x = torch.randn(shape, generator=torch.manual_seed(0))
    model(x).square().sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.dtype == torch.float32 for p in trained)
    reached = [p for p in trained if p.grad is not None and bool(p.grad.any())]
    assert len(reached) > len(trained) / 2
    frozen = [p for key, p in model.named_parameters() if key not in model.trained_keys]
    assert {p.dtype for p in frozen} == {torch.bfloat16}
    assert all(p.grad is None for p in frozen)


def test_a_held_tower_takes_no_other_weights() -> None:
    model = small.create("clip_b16_ln1").hold(torch.bfloat16)
    with pytest.raises(ValueError, match="before the tower is cast"):
        model.load_backbone(model.backbone.state_dict(), "file")


def test_a_checkpoint_on_the_original_refuses_the_int8_copy() -> None:
    original = replace(CLIP_B16, sha256="0" * 64)
    with pytest.raises(WrongBackbone, match="tag is openai, and the model's is openai-int8"):
        tensors.must_stand_on(
            {
                "name": original.name,
                "tag": original.tag,
                "activation": original.activation,
                "sha256": original.sha256,
            },
            replace(CLIP_B16_INT8, sha256="1" * 64),
            "checkpoint.safetensors",
        )
