"""Grad-CAM finds the place that speaks for "fake", on one scale, and leaves the model as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tbd_app.models import registry
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline.grad_cam import FLOOR_LOGITS, blend, grad_cam, scale_of
from tbd_app.types import ModelSpec

SIZE = 64


class BrightnessNet(Detector):
    """Fake logit = `gain` times the mean brightness; real logit = its negative. Known by heart."""

    def __init__(self, gain: float = 8.0) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 2, 8, stride=8, bias=False))
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.backbone[0].weight.fill_(1 / (3 * 64))
            self.head.weight.copy_(torch.tensor([[-gain / 2, -gain / 2], [gain / 2, gain / 2]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x).mean(dim=(2, 3)))

    def cam_layer(self) -> nn.Module:
        return self.backbone


class BrightnessClip(BrightnessNet):
    """The same for clips, behind an LSTM-free mean over time."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        frames = self.backbone(x.flatten(0, 1)).mean(dim=(2, 3)).unflatten(0, x.shape[:2])
        return self.head(frames.mean(dim=1))


FRAME = ModelSpec(name="brightness", task="frame", architecture="", input_size=SIZE)
CLIP = ModelSpec(name="brightness", task="clip", architecture="", input_size=SIZE, clip_len=3)


def corner(top: int, left: int, value: float = 1.0) -> Tensor:
    """A dark image (3,64,64) with one bright square of 16 px."""
    image = torch.zeros(3, SIZE, SIZE)
    image[:, top : top + 16, left : left + 16] = value
    return image


def hottest(heat: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


def test_the_map_shows_where_the_evidence_is() -> None:
    maps = grad_cam(BrightnessNet(), FRAME, torch.stack([corner(0, 0), corner(48, 40)]))
    assert maps.shape == (2, SIZE, SIZE)
    assert maps.dtype == np.float32
    assert maps.min() == 0
    assert maps[0, :16, :16].sum() > 0.7 * maps[0].sum()
    row, column = hottest(maps[1])
    assert 48 <= row < 64
    assert 40 <= column < 56


def test_the_mean_of_a_map_is_what_it_adds_to_the_fake_logit() -> None:
    model = BrightnessNet()
    batch = torch.stack([corner(0, 0), corner(24, 24, 0.5)])
    maps = grad_cam(model, FRAME, batch)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), model(batch)[:, 1].detach(), rtol=0.05)


def test_the_unit_does_not_depend_on_the_length_of_the_clip() -> None:
    frame = grad_cam(BrightnessNet(), FRAME, corner(16, 16)[None])
    clip = grad_cam(BrightnessClip(), CLIP, corner(16, 16).expand(1, 3, -1, -1, -1))
    assert clip.shape == (3, SIZE, SIZE)
    np.testing.assert_allclose(clip, np.repeat(frame, 3, axis=0), rtol=1e-4)


def test_the_target_is_fake_even_where_the_model_says_real() -> None:
    """Brightness speaks for "real" in this model: towards "fake" there is nothing to show."""
    model = BrightnessNet(gain=-8.0)
    batch = corner(0, 0)[None]
    assert model(batch).argmax() == 0
    assert grad_cam(model, FRAME, batch).max() == 0


def test_maps_are_not_scaled_one_by_one() -> None:
    maps = grad_cam(BrightnessNet(), FRAME, torch.stack([corner(16, 16), corner(16, 16, 0.25)]))
    assert maps[1].max() == pytest.approx(maps[0].max() / 4, rel=1e-3)


@pytest.mark.parametrize("task", ["frame", "clip"])
def test_a_batch_of_the_wrong_shape_is_named(task: str) -> None:
    model, spec = (BrightnessNet(), FRAME) if task == "frame" else (BrightnessClip(), CLIP)
    with pytest.raises(ValueError, match=r"needs a batch \((N|1,T),3,S,S\)"):
        grad_cam(model, spec, torch.zeros(2, 2, 3, SIZE, SIZE))


@pytest.mark.parametrize("name", ["effnetv2_b0_frame", "effnet_b0_lstm", "swin_tiny_mean"])
def test_registered_models_are_explained_and_left_as_found(name: str) -> None:
    torch.manual_seed(0)
    model, spec = registry.create_model(name), registry.spec(name)
    frozen = next(model.parameters()).requires_grad_(False)
    model.head.bias.grad = torch.ones(2)
    shape = (2, 3, spec.input_size, spec.input_size)
    with torch.inference_mode():  # as the engine scores
        batch = torch.randn(shape) if spec.task == "frame" else torch.randn(1, *shape)
    maps = grad_cam(model, spec, batch)
    assert maps.shape == (2, spec.input_size, spec.input_size)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() > 0
    np.testing.assert_array_equal(maps, grad_cam(model, spec, batch), "no dropout, no state")
    assert model.training
    assert not frozen.requires_grad
    assert all(p.requires_grad for p in model.parameters() if p is not frozen)
    assert torch.equal(model.head.bias.grad, torch.ones(2))
    assert model.head.weight.grad is None
    assert not model.cam_layer()._forward_hooks


def test_a_wholly_frozen_model_is_explained() -> None:
    model = BrightnessNet().requires_grad_(False)
    assert grad_cam(model, FRAME, corner(0, 0)[None]).max() > 0


def test_the_hottest_colour_stands_for_the_strongest_place_of_all_maps() -> None:
    raw = np.zeros((2, SIZE, SIZE), np.float32)
    raw[0, 10:20, 10:20], raw[1, 10:20, 10:20] = 8.0, 2.0
    assert scale_of(raw) == 8
    assert scale_of(raw[1:]) == FLOOR_LOGITS == scale_of(np.zeros((0, 8, 8), np.float32))
    crop = np.full((SIZE, SIZE, 3), 100, np.uint8)
    hot, warm = (blend(crop, one / scale_of(raw)) for one in raw)
    changed = [np.abs(drawn.astype(int) - crop).max() for drawn in (hot, warm)]
    assert changed[0] > changed[1] > 0
    np.testing.assert_array_equal(hot[40:, 40:], crop[40:, 40:], "cold places show the face")


def test_hot_is_yellow_in_rgb() -> None:
    drawn = blend(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32))
    red, green, blue = drawn[4, 4].astype(int)
    assert min(red, green) > 2 * blue


@pytest.mark.parametrize("peak", [0.0, 0.02])
def test_without_evidence_nothing_is_painted(peak: float) -> None:
    heat = np.zeros((SIZE, SIZE), np.float32)
    heat[5, 5] = peak
    crop = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    assert np.abs(blend(crop, heat).astype(int) - crop).max() <= 4
