"""Features of EfficientNet-Lite0 as EfficientNet-B0's: every convolution in its place, the same answer where both agree."""

from __future__ import annotations

import pytest
import timm
import torch

from training.networks import models
from training.prepare import lite_features


@pytest.fixture(scope="module")
def lite() -> torch.nn.Module:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.05)
            module.running_var.uniform_(0.5, 1.5)
    return network


def test_a_first_convolution_sees_what_it_saw(lite) -> None:
    """Before the first activation both networks say the same of the same picture, each in its own normalisation."""
    made = timm.create_model("efficientnet_b0", num_classes=0).eval()
    made.load_state_dict(lite_features.as_b0(lite.state_dict()))
    picture = torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (lite_features._MEAN, lite_features._STD))
    # Lite0 pads at the right and below, B0 all around: seen from one pixel further on it is the same.
    theirs = torch.nn.functional.conv2d(
        (picture * 255 - 127) / 128, lite.conv_stem.weight, stride=2, padding=1
    )
    theirs = torch.nn.functional.batch_norm(
        theirs,
        lite.bn1.running_mean,
        lite.bn1.running_var,
        lite.bn1.weight,
        lite.bn1.bias,
        eps=lite_features._LITE_EPS,
    )
    ours = made.conv_stem((picture - mean) / std)
    bn = made.bn1
    ours = torch.nn.functional.batch_norm(
        ours, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=bn.eps
    )
    torch.testing.assert_close(ours[..., 1:-1, 1:-1], theirs[..., 1:-1, 1:-1], rtol=1e-3, atol=1e-4)


def test_every_convolution_is_theirs_and_gates_begin_open(lite) -> None:
    made = lite_features.as_b0(lite.state_dict())
    network = timm.create_model("efficientnet_b0", num_classes=0)
    network.load_state_dict(made)
    assert torch.equal(made["blocks.3.1.conv_dw.weight"], lite.state_dict()["blocks.3.1.conv_dw.weight"])
    gates = [m for n, m in network.named_modules() if n.endswith(".se")]
    assert len(gates) == 16
    for gate in gates:
        x = torch.rand(2, gate.conv_reduce.in_channels, 4, 4)
        assert ((gate(x) / x) > 0.85).all()


def test_the_result_is_a_backbone_for_training(lite, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lite_features, "find_file", lambda: tmp_path / "lite.pth")
    torch.save(lite.state_dict(), tmp_path / "lite.pth")
    out = tmp_path / "made" / "b0.safetensors"
    lite_features.main(lite_features.Config(out=out))
    model = models.build("timm:efficientnet_b0", backbone=out)
    torch.testing.assert_close(
        model.backbone.get_parameter("bn2.weight"), lite.get_parameter("bn2.weight"), rtol=0, atol=0
    )


def test_other_weights_and_a_missing_package_are_told(lite, tmp_path, monkeypatch) -> None:
    state = dict(lite.state_dict())
    state.pop("conv_head.weight")
    with pytest.raises(SystemExit, match="not the weights"):
        lite_features.as_b0(state)
    folder = tmp_path / "made_up_lite" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder.parent / lite_features.FILE).write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lite_features, "PACKAGE", "made_up_lite")
    with pytest.raises(SystemExit, match="not the file"):
        lite_features.find_file()
    monkeypatch.setattr(lite_features, "PACKAGE", "no_such_package")
    with pytest.raises(SystemExit, match="pip install"):
        lite_features.find_file()
