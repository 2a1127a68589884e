"""The loop: its learning rate, a resumed run that equals an unbroken one, a clean stop, its records."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from training.engine.loop import LoopConfig, fit, learning_rate

STEPS = 6
CONFIG = LoopConfig(steps=STEPS, warmup_steps=2, lr=0.05, ema_decay=0.8, validate_every=3)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bit for bit is promised on a CPU; accelerate remembers its device until told to forget."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def tiny_model() -> nn.Module:
    """With everything that has a state: normalisation, dropout, weights and biases."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 2)
    )


def batches(start: int, stop: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    """Steps `start` to `stop`; class 1 is brighter."""
    for step in range(start, stop):
        generator = torch.Generator().manual_seed(step)
        y = torch.tensor([0, 1, 0, 1])
        yield torch.randn(4, 3, 8, 8, generator=generator) + y.view(4, 1, 1, 1), y


def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    x, y = batch
    return nn.functional.cross_entropy(model(x).float(), y)


def validate(model: nn.Module) -> dict[str, float]:
    model.eval()
    with torch.inference_mode():
        x = torch.ones(1, 3, 8, 8)
        return {"told": float(model(x).softmax(1)[0, 1])}


def run(folder: Path, *, stop: int = STEPS, config: LoopConfig = CONFIG, resume: bool = False) -> nn.Module:
    return fit(
        tiny_model(), lambda start: batches(start, stop), loss, validate, config, folder, resume=resume
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


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


def test_a_resumed_run_equals_an_unbroken_one(tmp_path) -> None:
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop=3)  # as if killed after its save
    parts = run(tmp_path / "parts", resume=True)
    for (name, one), other in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    saved = [torch.load(tmp_path / f / "last.pt", weights_only=True) for f in ("whole", "parts")]
    for part in ("model", "ema"):
        for name, one in saved[0][part].items():
            assert torch.equal(one, saved[1][part][name]), f"{part} {name}"
    assert [s["step"] for s in saved] == [STEPS, STEPS]
    assert [r["told"] for r in rows(tmp_path / "whole")] == [r["told"] for r in rows(tmp_path / "parts")]


def test_without_resume_a_run_begins_anew(tmp_path) -> None:
    first = run(tmp_path)
    again = run(tmp_path)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_result_is_the_averaged_model_not_the_last(tmp_path) -> None:
    averaged = run(tmp_path)
    last = torch.load(tmp_path / "last.pt", weights_only=True)["model"]
    assert not torch.equal(averaged.state_dict()["5.weight"], last["5.weight"])


def test_weights_move_and_stay_finite(tmp_path) -> None:
    before = tiny_model().state_dict()
    after = run(tmp_path).state_dict()
    for name in ("0.weight", "1.weight", "5.weight", "1.running_mean"):
        assert not torch.equal(before[name], after[name])
        assert after[name].isfinite().all()


def test_figures_are_written_at_each_validation(tmp_path) -> None:
    run(tmp_path)
    assert [r["step"] for r in rows(tmp_path)] == ["3", "6"]
    assert set(rows(tmp_path)[0]) == {"step", "loss", "told"}
    assert all(math.isfinite(float(v)) for row in rows(tmp_path) for v in row.values())


def test_out_of_time_it_saves_validates_and_stops(tmp_path) -> None:
    short = LoopConfig(steps=STEPS, warmup_steps=2, lr=0.05, ema_decay=0.8, max_minutes=0)
    run(tmp_path, config=short)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 1
    assert [r["step"] for r in rows(tmp_path)] == ["1"]
    resumed = run(tmp_path, resume=True)
    whole = run(tmp_path / "whole")
    for one, other in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_nothing_half_written_stays(tmp_path) -> None:
    run(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "metrics.csv"]
