"""The recipe with attacks: its four parts, its phases, its baseline on the same data, and a run that was stopped."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.attacks.probes import SPACE, all_of, assert_unchanged, net, pictures
from training import train_robust
from training.attacks.learn import AttackerConfig, Learner, load_attacker
from training.engine.config import load_preset
from training.faces.open import open_faces
from training.train_robust import (
    SCRIPT,
    Config,
    batches,
    in_turn,
    main,
    must_fit,
    pgd_steps_at,
    step,
    strength_at,
)

TOY = load_preset(Config, SCRIPT, "toy")
FULL = replace(TOY, clean_share=0.0, pgd_steps=(2,), pgd_share=(1.0,))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that has no time to be slow."""
    full = registry.create_model
    monkeypatch.setattr(
        registry,
        "create_model",
        lambda name, **options: full(name, **options, small=True),
    )


def learner() -> Learner:
    torch.manual_seed(0)
    return Learner(AttackerConfig(width=8), SPACE, torch.device("cpu"))


def taken(config: Config, number: int = 5, attacker: Learner | None = None, model: nn.Module | None = None):
    """Figures of one step out of ten on the probe."""
    torch.manual_seed(0)
    x, y = pictures(0)
    return step(config, (model or net()).train(), {"x": x, "y": y, "number": number}, SPACE, attacker, 10)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if k != "minutes"} for row in csv.DictReader(file)]


def test_the_loss_is_the_weighted_sum_of_the_three() -> None:
    figures = taken(replace(FULL, pgd_weight=2.0, unet_weight=3.0), attacker=learner())
    whole = figures["clean_loss"] + 2 * figures["pgd_loss"] + 3 * figures["unet_loss"]
    torch.testing.assert_close(figures["loss"].detach(), whole)
    assert figures["pgd_loss"] > figures["clean_loss"]
    assert figures["loss"].requires_grad
    assert not figures["clean_loss"].requires_grad


def test_the_attacker_learns_once_before_it_is_used(monkeypatch) -> None:
    made, order = learner(), []
    learn, use = made.step, made.attack
    monkeypatch.setattr(made, "step", lambda *given: [order.append("step"), learn(*given)][1])
    monkeypatch.setattr(made, "attack", lambda *given: [order.append("attack"), use(*given)][1])
    taken(FULL, attacker=made)
    assert order == ["step", "attack"]


def test_a_step_asks_for_gradients_of_the_detector_and_changes_none_of_its_modes() -> None:
    model = net().train()
    model.zero_grad()
    with torch.no_grad():
        statistics = model[1].running_mean.clone()
    _, _, asks, modes = all_of(model)
    taken(FULL, attacker=learner(), model=model)["loss"].backward()
    assert all_of(model)[2:] == (asks, modes)
    assert all(p.grad is not None for p in model.parameters())
    assert not torch.equal(model[1].running_mean, statistics), "clean and attacked batches teach BatchNorm"
    model.zero_grad()


def test_the_baseline_sees_no_attack() -> None:
    made = learner()
    was = all_of(made.attacker)
    base = replace(FULL, pgd_weight=0.0, unet_weight=0.0)
    assert taken(base).keys() == {"loss", "accuracy", "clean_loss"}
    assert_unchanged(made.attacker, was)


def test_the_first_steps_are_clean() -> None:
    config = replace(FULL, clean_share=0.3)
    keys = [set(taken(config, number, learner())) for number in (0, 2, 3, 9)]
    assert ["pgd_loss" in k for k in keys] == [False, False, True, True]


def test_the_steps_of_pgd_follow_the_phases() -> None:
    config = replace(TOY, pgd_steps=(3, 7), pgd_share=(0.8, 0.2))
    assert [pgd_steps_at(config, done / 10) for done in range(10)] == [3] * 8 + [7] * 2
    assert pgd_steps_at(config, 1.0) == 7


def test_the_bound_of_the_attacks_grows_after_the_clean_steps() -> None:
    config = replace(TOY, clean_share=0.5, rise=0.25)
    grown = [strength_at(config, done) for done in (0.5, 0.5625, 0.625, 0.75, 1.0)]
    assert grown == [1 / 16, 0.25, 0.5, 1.0, 1.0]
    assert strength_at(replace(config, rise=0.0), 0.5) == 1.0


def test_both_attacks_stay_within_the_bound_as_it_has_grown() -> None:
    seen = []

    class Watched(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
            seen.append(SPACE.pixels(input.detach()))
            return super().forward(input.mean((-1, -2)))

    learner = Learner(AttackerConfig(width=8), SPACE, torch.device("cpu"))
    batch = {"x": SPACE.normalised(torch.rand(2, 3, 16, 16)), "y": torch.tensor([0, 1]), "number": 1}
    step(replace(FULL, rise=0.5), Watched(3, 2), batch, SPACE, learner, total=8)
    most = max(float((pixels - seen[0]).abs().max()) for pixels in seen)
    assert 0 < most <= FULL.eps / 4 + 1e-6


@pytest.mark.parametrize("fakes", ["labelled", "pairs"])
def test_batches_are_half_fake_numbered_and_the_same_after_a_stop(fakes) -> None:
    config = replace(TOY, fakes=fakes, batch=4)
    preprocess = replace(for_spec(registry.spec(config.model)), size=32)
    faces = open_faces(config.data)["train"]
    whole, rest = (list(batches(config, faces, preprocess, start, 3)) for start in (0, 2))
    assert [b["number"] for b in whole] == [0, 1, 2]
    assert all(b["x"].shape == (4, 3, 32, 32) for b in whole)
    assert [b["number"] for b in rest] == [2]
    assert torch.equal(whole[2]["x"], rest[0]["x"])
    if fakes == "labelled":
        assert all(b["y"].tolist() == [0, 1, 0, 1] for b in whole)
    else:
        assert not any(b["y"][::2].any() for b in whole)


def test_the_attacked_faces_are_of_both_classes() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    assert labels[in_turn(labels, 4)].tolist() == [0, 0, 1, 1]
    assert len(in_turn(labels, 100)) == 6


@pytest.mark.parametrize("size", ["paper", "8gb", "bundled"])
def test_a_baseline_is_its_counterpart_without_attacks(size) -> None:
    """The same data in the same order, as many steps, the same network."""
    small = ["8gb"] if size == "8gb" else []
    robust, base = (
        load_preset(Config, SCRIPT, name.replace("8gb", "paper"), *small) for name in (size, f"{size}-base")
    )
    apart = ("preset", "model", "out", "pgd_weight", "unet_weight", "clean_share", "pgd_steps", "pgd_share")
    apart = (*apart, "pgd_step_size", "rise")
    assert replace(robust, **{name: getattr(base, name) for name in apart}) == base
    assert (base.pgd_weight, base.unet_weight) == (0, 0)
    assert min(robust.pgd_weight, robust.unet_weight) > 0
    assert (robust.model, base.model) == ("effnet_vit_robust", "effnet_vit_base")


def test_the_paper_preset_is_the_fact_sheet() -> None:
    paper = load_preset(Config, SCRIPT, "paper")
    assert (paper.eps, paper.pgd_step_size, paper.pgd_steps) == (8 / 255, 2 / 255, (10,))
    assert (paper.batch, paper.n_frames, paper.degraded, paper.freeze_bn) == (32, 10, False, False)
    assert (paper.loop.steps, paper.loop.unit, round(paper.clean_share * 11)) == (11, "epoch", 1)
    assert (paper.loop.lr, paper.loop.weight_decay, paper.loop.clip_norm) == (1e-4, 1e-4, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pgd_steps": (1, 2), "pgd_share": (1.0,)}, "a number for each phase"),
        ({"loop": replace(TOY.loop, sharpness=0.05)}, "sharpness"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message) -> None:
    with pytest.raises(SystemExit, match=message):
        must_fit(replace(TOY, **changes))


def test_the_toy_run_leaves_a_model_an_attacker_and_figures(tmp_path, quick) -> None:
    main(replace(TOY, out=tmp_path))
    (row,) = rows(tmp_path)
    assert all(
        0 <= float(row[name]) <= 1 for name in ("video_auc", "pgd_auc", "pgd_accuracy", "unet_accuracy")
    )
    assert float(row["attacker_fooled"]) > 0
    spec = registry.spec("effnet_vit_robust", tmp_path / "model.safetensors")
    assert spec.input_size == 64
    assert load_attacker(tmp_path / "attacker.safetensors").width == 8


def test_a_stopped_run_goes_on_as_if_unbroken(tmp_path, quick, monkeypatch) -> None:
    """The detector, the attacker, and the table, whose columns of attacks come up in the second step."""
    every = replace(TOY, loop=replace(TOY.loop, validate_every=1))
    main(replace(every, out=tmp_path / "whole"))
    fit = train_robust.fit

    def stopped(model, given, *rest, **options):
        return fit(model, lambda start: list(given(start))[:2], *rest, **options)

    monkeypatch.setattr(train_robust, "fit", stopped)
    main(replace(every, out=tmp_path / "parts"))
    monkeypatch.setattr(train_robust, "fit", fit)
    main(replace(every, out=tmp_path / "parts", resume=True))
    for name in ("model", "attacker"):
        one, other = (load_file(tmp_path / part / f"{name}.safetensors") for part in ("whole", "parts"))
        assert all(torch.equal(value, other[key]) for key, value in one.items()), name
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")
    first, second, _ = rows(tmp_path / "whole")
    assert first["pgd_loss"] == "" != second["pgd_loss"]


def test_a_state_without_the_attacker_is_another_recipe(tmp_path, quick) -> None:
    main(replace(TOY, out=tmp_path, pgd_weight=0.0, unet_weight=0.0))
    with pytest.raises(SystemExit, match="another recipe: attacker"):
        main(replace(TOY, out=tmp_path, resume=True))
