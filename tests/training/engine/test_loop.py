"""The loop: its learning rates, a stopped and resumed run that equals an unbroken one, accumulation, early stops, records."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.utils import set_seed
from torch import Tensor, nn

from training.engine.config import LoopConfig, RunConfig
from training.engine.loop import decay_groups, fit, learning_rate
from training.engine.run import Run

STEPS = 6
CONFIG = LoopConfig(steps=STEPS, warmup_steps=2, lr=0.05, ema_decay=0.8, validate_every=3)


def tiny_model() -> nn.Module:
    """With everything that has a state: normalisation, dropout, weights and biases."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 2)
    )


def batches(start: int, stop: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches `start` to `stop`; class 1 is brighter."""
    for step in range(start, stop):
        generator = torch.Generator().manual_seed(step)
        y = torch.tensor([0, 1, 0, 1])
        yield torch.randn(4, 3, 8, 8, generator=generator) + y.view(4, 1, 1, 1), y


def step_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Draws from every generator, as a recipe may."""
    x, y = batch
    x = x + random.gauss(0, 0.1) + np.random.normal(0, 0.1)  # noqa: NPY002
    return {"loss": nn.functional.cross_entropy(model(x).float(), y)}


def validate(model: nn.Module) -> dict[str, float]:
    """Draws too, which must change no training."""
    model.eval()
    random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002, S311
    with torch.inference_mode():
        x = torch.ones(1, 3, 8, 8)
        return {"told": float(model(x).softmax(1)[0, 1])}


def run(
    folder: Path, *, stop: int = STEPS, config: LoopConfig = CONFIG, resume: bool = False, figures=validate
) -> nn.Module:
    set_seed(99 if resume else 0)  # a resumed run owes nothing to how it was started
    kept = Run(RunConfig(out=folder, resume=resume, loop=config), "test")
    return fit(tiny_model(), lambda start: batches(start, stop), step_loss, figures, config, kept)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def state_of(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


def logged(folder: Path) -> list[dict[str, str]]:
    """The figures of a run, without how long it took."""
    return [{k: v for k, v in row.items() if k != "minutes"} for row in rows(folder)]


def assert_same(one: object, other: object, place: str = "") -> None:
    """Equal through dicts, lists and tensors."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            if key != "minutes":
                assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{place}[{k}]")
    elif isinstance(one, Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


def test_the_learning_rate_rises_in_a_line_then_falls_to_a_hundredth() -> None:
    config = LoopConfig(steps=100, warmup_steps=10, lr=2.0)
    rates = [learning_rate(config, step) for step in range(101)]
    assert rates[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(2.0 * 0.505)  # half way down
    assert rates[100] == pytest.approx(0.02)
    assert learning_rate(config, 1000) == pytest.approx(0.02)


def test_no_warm_up_begins_at_the_peak() -> None:
    assert learning_rate(LoopConfig(steps=10, warmup_steps=0, lr=1.0), 0) == pytest.approx(1.0)


def test_rates_by_steps_and_constant_ones() -> None:
    halving = LoopConfig(lr=8.0, schedule="step", warmup_steps=0, decay_every=5, decay_factor=0.5)
    assert [learning_rate(halving, step) for step in (0, 4, 5, 9, 10)] == [8, 8, 4, 4, 2]
    assert learning_rate(LoopConfig(lr=3.0, schedule="constant", warmup_steps=0), 10**6) == 3.0


def test_epochs_become_steps() -> None:
    config = LoopConfig(unit="epoch", steps=20, warmup_steps=1, decay_every=5, validate_every=1).in_steps(30)
    assert (config.steps, config.warmup_steps, config.decay_every, config.validate_every) == (
        600,
        30,
        150,
        30,
    )
    assert config.in_steps(30) == config


@pytest.mark.parametrize("killed_at", [3, 5])
def test_a_killed_and_resumed_run_equals_an_unbroken_one(tmp_path, killed_at) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop=killed_at)  # what came after the save of step 3 is lost
    parts = run(tmp_path / "parts", resume=True)
    assert_same(whole.state_dict(), parts.state_dict())
    assert_same(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))
    assert logged(tmp_path / "whole") == logged(tmp_path / "parts")


def test_out_of_time_it_saves_and_stops_and_goes_on_bit_for_bit(tmp_path) -> None:
    run(tmp_path / "parts", config=replace(CONFIG, max_minutes=0))
    assert state_of(tmp_path / "parts")["progress"]["step"] == 1
    assert not (tmp_path / "parts/metrics.csv").exists()
    for _ in range(2):
        run(tmp_path / "parts", config=replace(CONFIG, max_minutes=0), resume=True)
    assert state_of(tmp_path / "parts")["progress"]["step"] == 3
    resumed = run(tmp_path / "parts", resume=True)
    whole = run(tmp_path / "whole")
    assert_same(whole.state_dict(), resumed.state_dict())
    assert_same(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))
    assert logged(tmp_path / "whole") == logged(tmp_path / "parts")


def test_a_finished_run_resumes_to_the_same_model(tmp_path) -> None:
    whole = run(tmp_path)
    assert_same(whole.state_dict(), run(tmp_path, resume=True).state_dict())


def test_without_a_saved_state_there_is_nothing_to_resume(tmp_path) -> None:
    with pytest.raises(SystemExit, match="nothing to resume"):
        run(tmp_path, resume=True)


def test_the_state_of_another_model_is_refused(tmp_path) -> None:
    run(tmp_path)
    other = Run(RunConfig(out=tmp_path, resume=True, loop=CONFIG), "test")
    with pytest.raises(SystemExit, match="belongs to another model"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), batches, step_loss, validate, CONFIG, other)


def test_the_result_is_the_averaged_model_not_the_last(tmp_path) -> None:
    averaged = run(tmp_path)
    assert not torch.equal(averaged.state_dict()["5.weight"], state_of(tmp_path)["model"]["5.weight"])


def test_averaging_is_optional(tmp_path) -> None:
    plain = run(tmp_path, config=replace(CONFIG, ema_decay=0))
    assert_same(dict(plain.state_dict()), state_of(tmp_path)["model"])
    assert state_of(tmp_path)["ema"] == {}


def test_two_halves_accumulate_to_the_gradient_of_the_whole(tmp_path) -> None:
    """Without normalisation and chance, two batches of 4 must move the weights as their 8 examples at once."""

    def linear(folder: str, accumulate: int) -> nn.Module:
        torch.manual_seed(0)
        config = replace(
            CONFIG, steps=2, optimizer="sgd", clip_norm=0, accumulate=accumulate, precision="no", ema_decay=0
        )

        def merged(start: int) -> Iterator[tuple[Tensor, ...]]:
            small = list(batches(start * (2 // accumulate), 4))
            if accumulate == 2:
                yield from small
            else:
                for a, b in zip(small[::2], small[1::2], strict=True):
                    yield tuple(map(torch.cat, zip(a, b, strict=True)))

        def plain(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
            return {"loss": nn.functional.cross_entropy(model(batch[0]), batch[1])}

        kept = Run(RunConfig(out=tmp_path / folder, loop=config), "test")
        return fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), merged, plain, validate, config, kept)

    one, other = linear("whole", 1), linear("halves", 2)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert state_of(tmp_path / "halves")["progress"]["step"] == 2


def test_frozen_weights_stay_and_are_not_saved(tmp_path) -> None:
    set_seed(0)
    model = tiny_model()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    kept = fit(model, batches, step_loss, validate, CONFIG, Run(RunConfig(out=tmp_path), "test"))
    assert torch.equal(kept.state_dict()["0.weight"], before)
    assert "0.weight" not in state_of(tmp_path)["model"]
    assert "5.weight" in state_of(tmp_path)["model"]


def test_biases_and_norms_do_not_decay() -> None:
    heavy, light = decay_groups(tiny_model(), 0.1)
    assert (heavy["weight_decay"], light["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in heavy["params"]} == {2, 4}
    assert {p.ndim for p in light["params"]} == {1}


def test_a_group_may_learn_slower(tmp_path) -> None:
    def slow_stem(model: nn.Module, weight_decay: float) -> list[dict]:
        return [{"params": [*model[0].parameters()], "lr_scale": 0.0}, {"params": [*model[5].parameters()]}]

    set_seed(0)
    model = tiny_model()
    before = model[0].weight.clone(), model[5].weight.clone()
    config = replace(CONFIG, ema_decay=0)
    fit(model, batches, step_loss, validate, config, Run(RunConfig(out=tmp_path), "test"), groups=slow_stem)
    assert torch.equal(model[0].weight, before[0])
    assert not torch.equal(model[5].weight, before[1])


def scripted(values: list[float]):
    """A validation that tells these figures one after the other."""
    left = iter(values)
    return lambda model: {"told": next(left)}


def test_it_stops_when_patience_ends_and_keeps_the_best(tmp_path) -> None:
    config = replace(CONFIG, validate_every=1, keep="best", monitor="told", patience=2, ema_decay=0)
    best = run(tmp_path / "early", config=config, figures=scripted([0.5, 0.7, float("nan"), 0.6, 0.9]))
    assert [r["step"] for r in rows(tmp_path / "early")] == ["1", "2", "3", "4"]
    upto = run(tmp_path / "two", config=replace(config, keep="last"), stop=2, figures=scripted([0.5, 0.7]))
    assert_same(best.state_dict(), upto.state_dict())


def test_patience_survives_a_stop(tmp_path, capsys) -> None:
    config = replace(CONFIG, validate_every=1, monitor="told", patience=2)
    run(tmp_path, stop=2, config=config, figures=scripted([0.7, 0.6]))
    for _ in range(2):  # the second time there is nothing left to do
        run(tmp_path, config=config, resume=True, figures=scripted([0.5, 0.4, 0.3]))
        assert [r["step"] for r in rows(tmp_path)] == ["1", "2", "3"]
    assert "Done at step 3 of 6; told was best at step 1." in capsys.readouterr().out


def test_an_unknown_figure_cannot_be_monitored(tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"video_auc is none of told"):
        run(tmp_path, config=replace(CONFIG, patience=1))


def test_a_loss_that_is_no_number_stops_the_run(tmp_path) -> None:
    def broken(model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return {"loss": model(batch[0]).sum() * float("nan")}

    with pytest.raises(SystemExit, match="loss is nan at step 1"):
        fit(tiny_model(), batches, broken, validate, CONFIG, Run(RunConfig(out=tmp_path), "test"))


def test_half_precision_needs_no_branch_on_a_cpu(tmp_path) -> None:
    after = run(tmp_path, config=replace(CONFIG, precision="fp16"))
    assert all(p.isfinite().all() for p in after.parameters())


def test_epochs_without_an_end_are_an_error(tmp_path) -> None:
    with pytest.raises(SystemExit, match="count in steps"):
        run(tmp_path, config=replace(CONFIG, unit="epoch"))


def test_weights_move_and_stay_finite(tmp_path) -> None:
    set_seed(0)
    before = tiny_model().state_dict()
    after = run(tmp_path).state_dict()
    for name in ("0.weight", "1.weight", "5.weight", "1.running_mean"):
        assert not torch.equal(before[name], after[name])
        assert after[name].isfinite().all()


def test_figures_are_written_at_each_validation(tmp_path) -> None:
    run(tmp_path)
    assert [r["step"] for r in rows(tmp_path)] == ["3", "6"]
    assert set(rows(tmp_path)[0]) == {"step", "loss", "told", "lr", "minutes"}
    assert all(math.isfinite(float(v)) for row in rows(tmp_path) for v in row.values())
