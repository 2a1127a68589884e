"""Losses that recipes share, and the teacher."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from tbd_app.models import registry, weights
from tbd_app.models.nets.base import reduced
from tbd_app.types import Calibration
from training.losses.classify import class_weights, cross_entropy, distillation
from training.losses.distill import Teacher, TeacherConfig
from training.networks.softened import AgainstReduced


def test_class_weights_are_those_of_the_reference() -> None:
    # Fact sheet B: 1363 real and 3000 fake give 1.6005 and 0.7272.
    weights_ = class_weights([0] * 1363 + [1] * 3000)
    assert weights_.tolist() == pytest.approx([1.6005, 0.7272], abs=5e-5)
    assert (weights_ * torch.tensor([1363.0, 3000.0])).tolist() == pytest.approx([2181.5, 2181.5])


def test_class_weights_need_both_classes() -> None:
    with pytest.raises(SystemExit, match="3 real and 0 fake"):
        class_weights([0, 0, 0])


def test_weights_of_a_class_count() -> None:
    logits, y = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    even = cross_entropy(logits, y)
    fake = cross_entropy(logits, y, weights=torch.tensor([0.5, 1.5]))
    assert even["accuracy"] == 0.5
    assert fake["loss"] > even["loss"]


def test_distillation_is_least_where_the_student_agrees() -> None:
    teacher, temperature = torch.tensor([[1.0, -1.0], [0.0, 3.0]]), 2.0
    soft = (teacher / temperature).softmax(-1)
    student = teacher.clone().requires_grad_()
    distillation(student, soft, temperature).backward()
    assert student.grad.abs().max() < 1e-6
    assert distillation(-teacher, soft, temperature) > distillation(teacher, soft, temperature)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    """A frame model of random weights, stored."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "model.safetensors"
    weights.save_checkpoint(
        registry.create_model("effnetv2_b0_frame"), path, registry.spec("effnetv2_b0_frame")
    )
    return path


def test_a_teacher_cuts_its_own_square_out_of_a_wider_crop(checkpoint) -> None:
    student = dataclasses.replace(registry.spec("effnet_b0_image"), mean=(0.5,) * 3, std=(0.25,) * 3)
    teacher = Teacher(TeacherConfig(checkpoint), student)
    assert student.crop.margin > teacher.spec.crop.margin
    side = 180
    inner = round(side * teacher.spec.crop.margin / student.crop.margin)
    x = torch.full((1, 3, side, side), 9.0)
    at = (side - inner) // 2
    x[..., at : at + inner, at : at + inner] = 0.0  # 0.5 of 1 for this student
    own = teacher.as_own(x)
    assert own.shape == (1, 3, 224, 224)
    grey = (0.5 - torch.tensor(teacher.spec.mean)) / torch.tensor(teacher.spec.std)
    torch.testing.assert_close(own, grey.view(1, 3, 1, 1).expand_as(own))


def test_a_clip_is_taught_by_the_mean_of_the_frames_that_are_there(checkpoint) -> None:
    spec = registry.spec("effnet_b0_lstm")
    teacher = Teacher(TeacherConfig(checkpoint, temperature=1.0), spec)
    torch.manual_seed(1)
    x = torch.randn(1, 3, 3, 224, 224)
    frames = torch.cat([teacher.soft_labels(x[:, k]) for k in range(3)])
    clip = teacher.soft_labels(x, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(clip[0], frames[:2].mean(0), atol=1e-4, rtol=1e-4)
    assert not clip.requires_grad


def test_what_a_picture_says_without_its_detail_is_taken_off() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(AgainstReduced(model, 0.5)(x), model(x) - 0.5 * model(reduced(x)))
    assert torch.equal(AgainstReduced(model, 0.0)(x), model(x))


def test_a_teacher_speaks_as_it_is_served(checkpoint, tmp_path) -> None:
    spec = dataclasses.replace(
        registry.spec("effnetv2_b0_frame"), calibration=Calibration(softened_share=0.5)
    )
    path = tmp_path / "model.safetensors"
    model = registry.load(spec.name, path=checkpoint)
    weights.save_checkpoint(model, path, spec)
    torch.manual_seed(1)
    x = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        expected = AgainstReduced(model, 0.5)(x).softmax(-1)
    soft = Teacher(TeacherConfig(path, temperature=1.0), spec).soft_labels(x)
    torch.testing.assert_close(soft, expected, atol=2e-3, rtol=1e-2)


def test_a_teacher_must_see_no_more_than_the_student(checkpoint) -> None:
    spec = registry.spec("effnet_b0_lstm")
    narrow = dataclasses.replace(spec, crop=dataclasses.replace(spec.crop, margin=1.1))
    with pytest.raises(SystemExit, match="does not hold"):
        Teacher(TeacherConfig(checkpoint), narrow)


def test_the_teachers_share_is_mixed_in(checkpoint) -> None:
    spec = registry.spec("effnetv2_b0_frame")
    teacher = Teacher(TeacherConfig(checkpoint, weight=0.25), spec)
    x, logits = torch.zeros(1, 3, 224, 224), torch.zeros(1, 2)
    losses = teacher.join({"loss": torch.tensor(1.0)}, logits, x)
    assert losses["loss"] == pytest.approx(0.75 * 1.0 + 0.25 * float(losses["teacher_loss"]))
