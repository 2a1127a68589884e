"""An attacker that learns: it alone changes, goes on where it was, skips what is no number, and comes back from its file."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from tests.training.attacks.probes import SPACE, all_of, assert_unchanged, net, pictures
from training.attacks.learn import AttackerConfig, Learner, load_attacker, save_attacker

CONFIG = AttackerConfig(width=8, lr=1e-2)
CPU = torch.device("cpu")


def learner() -> Learner:
    torch.manual_seed(0)
    return Learner(CONFIG, SPACE, CPU)


def test_the_defaults_are_those_of_the_fact_sheet() -> None:
    made = Learner(AttackerConfig(), SPACE, CPU)
    assert sum(p.numel() for p in made.attacker.parameters()) == 488_739
    (group,) = made.optimizer.param_groups
    assert (group["lr"], group["betas"], made.attacker.eps) == (1e-4, (0.5, 0.999), 8 / 255)
    weigh = made.config.weigh
    assert (weigh.variation, weigh.low, made.config.clip_norm) == (0.5, 1.0, 1.0)


def test_a_step_changes_the_attacker_alone() -> None:
    model, made = net(), learner()
    model.train()
    before, was = all_of(model), made.attacker.out.weight.clone()
    figures = made.step(model, *pictures(0))
    assert_unchanged(model, before)
    assert not torch.equal(made.attacker.out.weight, was)
    assert figures.keys() == {"loss", "fooled", "variation", "low"}
    assert not any(value.requires_grad for value in figures.values())


def test_the_gradient_is_clipped(monkeypatch) -> None:
    made, seen = learner(), []
    monkeypatch.setattr(
        made.optimizer, "step", lambda: seen.extend(p.grad.clone() for p in made.attacker.parameters())
    )
    torch.nn.init.normal_(made.attacker.out.weight, std=5)
    x, y = pictures(0)
    made.step(torch.nn.Sequential(Louder(), net()), x, y)
    assert torch.stack([g.norm() for g in seen]).norm().item() == pytest.approx(1, abs=1e-3)


class Louder(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 50 * x


class Nothing(torch.nn.Module):
    """Its logits are no numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :2] * torch.nan


def test_what_is_no_number_teaches_nothing() -> None:
    made = learner()
    was = {key: value.clone() for key, value in made.attacker.state_dict().items()}
    made.step(Nothing(), *pictures(0))
    assert all(torch.equal(value, was[key]) for key, value in made.attacker.state_dict().items())


def test_a_resumed_learner_goes_on_as_if_unbroken() -> None:
    whole, first, second = learner(), learner(), Learner(CONFIG, SPACE, CPU)
    for seed in range(2):
        whole.step(net(), *pictures(seed))
    first.step(net(), *pictures(0))
    second.load_state_dict(first.state_dict())
    second.step(net(), *pictures(1))
    for one, other in zip(whole.attacker.parameters(), second.attacker.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_file_gives_the_attacker_back(tmp_path) -> None:
    made = learner().attacker
    save_attacker(made, tmp_path / "a.safetensors")
    again = load_attacker(tmp_path / "a.safetensors")
    x, _ = pictures(0)
    assert (again.width, again.eps) == (8, 8 / 255)
    assert torch.equal(again.attack(x, SPACE), made.attack(x, SPACE))


def test_another_file_is_an_error(tmp_path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(SystemExit, match="holds no attacker"):
        load_attacker(tmp_path / "x.safetensors")
    with pytest.raises(SystemExit, match="There is no attacker"):
        load_attacker(tmp_path / "y.safetensors")
