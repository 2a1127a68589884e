"""A teacher's maps as hints for a student."""

from __future__ import annotations

import pytest
import torch

from training.losses.hints import STRIDES, Hints
from training.networks.models import build

SIDE = 64


def network(name: str, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build(f"timm:{name}", pretrained=False)


def pair(student: str = "test_efficientnet") -> tuple[torch.nn.Module, torch.nn.Module, Hints]:
    own, teacher = network(student, 0), network("test_efficientnet", 1).eval().requires_grad_(False)
    return own, teacher, Hints(own, teacher, SIDE)


@pytest.mark.parametrize("student", ["test_efficientnet", "test_resnet", "swin_tiny_patch4_window7_224"])
def test_every_stage_is_compared_whatever_its_layout(student: str) -> None:
    if student.startswith("swin"):
        own = build(f"timm:{student}", pretrained=False)
        teacher, side = network("test_efficientnet", 1).eval(), 224
        hints = Hints(own, teacher, side)
    else:
        (own, teacher, hints), side = pair(student), SIDE
    own.train()
    x = torch.randn(2, 3, side, side)
    own(x), teacher(x)
    hints.loss(own).backward()
    layers = own.get_submodule("hints")
    assert len(list(layers.children())) == len(STRIDES) + 1
    assert all(layer.weight.grad.abs().sum() > 0 for layer in layers.children())


def test_a_student_comes_near_its_teacher() -> None:
    own, teacher, hints = pair()
    own.train()
    x = torch.randn(8, 3, SIDE, SIDE)
    optimizer = torch.optim.Adam(own.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        own(x), teacher(x)
        loss = hints.loss(own)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8  # standardised targets: knowing nothing costs 1
    assert losses[-1] < 0.5
    own(torch.randn_like(x))  # other pictures than the teacher saw
    assert hints.loss(own) > 0.8


def test_the_part_leaves_no_trace() -> None:
    own, *_ = pair()
    Hints.forget(own)
    assert own.state_dict().keys() == network("test_efficientnet", 0).state_dict().keys()
