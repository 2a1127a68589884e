"""What single architectures promise beyond the contract."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tbd_app.models import registry
from tbd_app.models.nets.base import masked_mean, reduced
from tbd_app.models.weights import locate_backbone


def test_reference_figures() -> None:
    """The counts that the reference published, rounded as it did (with LayerNorm on the LSTM's outputs)."""
    n_params = {name: registry.spec(name).n_params for name in registry.list_models()}
    assert round(n_params["effnet_b0_lstm"] / 1e6, 3) == 5.583
    assert round(n_params["resnext50_lstm"] / 1e6, 3) == 25.342
    assert round(n_params["swin_tiny_mean"] / 1e6, 2) == 27.52


def test_image_model_takes_a_wide_crop_of_128_px() -> None:
    spec = registry.spec("effnet_b0_image")
    assert (spec.input_size, spec.crop.margin, spec.task) == (128, 1.8, "frame")


def test_image_model_overfits_one_batch() -> None:
    torch.manual_seed(0)
    model = registry.create_model("effnet_b0_image")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images, labels = torch.randn(16, 3, 128, 128), torch.arange(16) % 2
    accuracy = 0.0
    for _ in range(60):
        logits = model(images)
        accuracy = (logits.argmax(1) == labels).float().mean().item()
        if accuracy == 1.0:
            break
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
    assert accuracy == 1.0


def test_features_of_the_frame_model_are_pooled() -> None:
    model = registry.create_model("effnetv2_b0_frame").eval()
    with torch.inference_mode():
        x = torch.randn(1, 3, 224, 224)
        features = model.features(x)
        assert features.shape == (1, 1280)
        torch.testing.assert_close(model.head(features), model(x))


@pytest.mark.parametrize("freeze_bn", [False, True])
def test_frozen_batchnorm_keeps_its_statistics(freeze_bn: bool) -> None:
    model = registry.create_model("effnet_b0_image", freeze_bn=freeze_bn).train()
    before = model.backbone.bn1.running_mean.clone()
    model(torch.randn(2, 3, 128, 128))
    assert torch.equal(model.backbone.bn1.running_mean, before) is freeze_bn
    assert model.training


def test_a_reduced_picture_has_its_size_and_no_fine_detail() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 16, 16)
    flat = reduced(x)
    assert flat.shape == x.shape
    assert flat.std() < 0.6 * x.std()
    even = torch.ones(1, 3, 15, 15)
    torch.testing.assert_close(reduced(even), even)


def test_masked_mean_ignores_what_is_masked() -> None:
    x = torch.tensor([[[1.0], [3.0], [float("nan")]], [[float("nan")], [float("nan")], [float("nan")]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, mask).tolist() == [[2.0], [0.0]]


def test_public_weights_without_a_connection_fail_with_one_sentence(tmp_path: Path) -> None:
    """In a process of its own: the hub's library reads its environment once. The bundled tower is there."""
    bundled = [
        name
        for name in registry.list_models()
        if (public := registry.spec(name).backbone) and locate_backbone(public)
    ]
    code = (
        "from tbd_app.errors import WeightsMissing\n"
        "from tbd_app.models import registry\n"
        "for name in registry.list_models():\n"
        "    try:\n"
        "        registry.create_model(name, pretrained=True)\n"
        "    except WeightsMissing as error:\n"
        "        print(error.message)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(registry.list_models()) - len(bundled)
    assert all("the model hub" in line and "pretrained=False" in line for line in lines)
    # timm keeps Xception's elsewhere: nothing is asked for, and nothing unpickled.
    assert sum("connection to the model hub" in line for line in lines) == len(lines) - 1
