"""Workers and their threads fit the cores and the memory of the machine, and of the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from tbd_app.errors import BadSetting
from tbd_app.scan import machine

GIB = 1 << 30


@pytest.fixture
def of_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(cores: int, gib: float, **container: str) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
        monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(machine, "CGROUP", tmp_path)
        (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {int(gib * 2**20)} kB\n")
        for name, text in container.items():
            (tmp_path / name.replace("_", ".")).write_text(text + "\n")

    return make


@pytest.mark.parametrize(
    ("cores", "gib", "container", "plan"),
    [
        (8, 64, {}, (8, 1)),
        (8, 9, {}, (4, 2)),  # 2 GiB a worker
        (2, 1, {}, (1, 2)),
        (64, 500, {"cpu_max": "400000 100000"}, (4, 1)),
        (64, 500, {"cpu_max": "max 100000"}, (64, 1)),
        (16, 500, {"memory_max": str(8 * GIB), "memory_current": str(2 * GIB)}, (3, 5)),
    ],
)
def test_workers_times_threads_fit_the_machine(cores, gib, container, plan, of_size) -> None:
    of_size(cores, gib, **container)
    made = machine.plan("cpu")
    assert (made.workers, made.threads) == plan
    assert made.environment(0)["OMP_NUM_THREADS"] == str(made.threads)


def test_a_given_number_is_taken_and_gpus_are_shared_out(of_size, monkeypatch) -> None:
    of_size(16, 64)
    monkeypatch.setattr(machine, "visible_gpus", lambda: ("2", "5"))
    assert machine.plan("auto").workers == 2 * machine.WORKERS_A_GPU
    plan = machine.plan("auto", 3)
    assert [plan.environment(i)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == ["2", "5", "2"]
    assert (plan.workers, plan.threads) == (3, 5)
    with pytest.raises(BadSetting, match="at least 1 worker"):
        machine.plan("cpu", 0)
