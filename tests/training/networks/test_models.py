"""Models to train: timm networks, warm starts, and memory that is saved without changing a gradient."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from tbd_app.errors import UnknownModel, WeightsCorrupt, WeightsMissing
from tbd_app.models import weights
from tbd_app.models.nets.base import Detector
from training.networks.models import build, save_memory, spec_of

TINY = "timm:test_efficientnet"  # 160 px, 0.4 M parameters


def test_any_timm_network_is_a_frame_model() -> None:
    spec = spec_of(TINY)
    assert (spec.task, spec.clip_len, spec.input_size) == ("frame", 1, 160)
    assert spec.mean == (0.485, 0.456, 0.406)
    model = build(TINY, pretrained=False)
    assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 2)


def test_a_name_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(SystemExit, match="no network 'resnet5o'"):
        build("timm:resnet5o", pretrained=False)
    with pytest.raises(UnknownModel, match="did you mean"):
        build("effnet_b0_lsmt", pretrained=False)


def test_a_checkpoint_starts_a_run_warm(tmp_path) -> None:
    torch.manual_seed(0)
    first = build(TINY, pretrained=False)
    weights.save_checkpoint(first, tmp_path / "a.safetensors", spec_of(TINY))
    warm = build(TINY, init=tmp_path / "a.safetensors")  # nothing is fetched
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(warm.state_dict()[name], tensor.half().to(tensor.dtype), rtol=0, atol=0)


def test_a_frame_model_gives_its_cnn_to_a_clip_model(tmp_path) -> None:
    torch.manual_seed(0)
    frame = build("timm:efficientnet_b0", pretrained=False)
    weights.save_checkpoint(frame, tmp_path / "frame.safetensors", spec_of("timm:efficientnet_b0"))
    clip = build("effnet_b0_lstm", backbone=tmp_path / "frame.safetensors")
    stem = frame.backbone.state_dict()["conv_stem.weight"]
    assert torch.equal(clip.backbone.state_dict()["conv_stem.weight"], stem.half().float())


def test_weights_that_do_not_fit_are_an_error(tmp_path) -> None:
    weights.save_checkpoint(build(TINY, pretrained=False), tmp_path / "a.safetensors", spec_of(TINY))
    with pytest.raises(WeightsCorrupt, match=r"a\.safetensors lacks"):
        build("effnet_b0_image", backbone=tmp_path / "a.safetensors")
    with pytest.raises(WeightsMissing, match="no weights at"):
        build(TINY, init=Path("nowhere.safetensors"))


def frozen_model() -> Detector:
    """Frames in the order of the batch; no dropout, whose draws would differ."""
    torch.manual_seed(0)
    return build(TINY, pretrained=False, dropout=0.0, freeze_bn=True).train()


def gradients(model: Detector) -> list[torch.Tensor]:
    torch.manual_seed(5)
    model(torch.randn(5, 3, 32, 32)).square().sum().backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("frame_chunk", [0, 2])
def test_saving_memory_changes_no_gradient(frame_chunk, checkpointing) -> None:
    saved = frozen_model()
    save_memory(saved, frame_chunk=frame_chunk, checkpointing=checkpointing)
    for one, other in zip(gradients(frozen_model()), gradients(saved), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("saving", [{"frame_chunk": 2}, {"checkpointing": True}])
def test_fewer_activations_are_kept(saving) -> None:
    def kept(model: Detector) -> int:
        count = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal count
            count += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(torch.zeros(6, 3, 32, 32))
        return count

    model = frozen_model()
    save_memory(model, **saving)
    assert kept(model) < 0.5 * kept(frozen_model())


def test_batchnorm_must_be_frozen_to_save_memory() -> None:
    with pytest.raises(SystemExit, match="--freeze-bn"):
        save_memory(build(TINY, pretrained=False), frame_chunk=2)
    save_memory(build("timm:test_vit", pretrained=False), frame_chunk=2)  # has no BatchNorm


def test_a_copy_runs_on_its_own_weights() -> None:
    model = frozen_model()
    save_memory(model, frame_chunk=2)
    averaged = copy.deepcopy(model)
    x = torch.ones(3, 3, 32, 32)
    before = averaged(x)
    with torch.no_grad():
        model.backbone.get_parameter("conv_stem.weight").zero_()
    assert torch.equal(averaged(x), before)
    assert not torch.equal(model(x), before)
