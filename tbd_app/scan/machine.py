"""How many workers a machine carries: `plan(device)`, by its cores, its free memory and its GPUs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tbd_app.errors import BadSetting

# One analysis with its decoding process; benchmarks/results/speed.json has 1.4 for a 10 s 1080p clip.
WORKER_BYTES = 2 << 30
WORKERS_A_GPU = 4  # not measured: one decodes and tracks while another scores
CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a machine is shared out.

    Attributes:
        workers: processes, each with its own set of models.
        threads: of each; workers times threads is at most the number of cores, unless workers alone are more.
        gpus: values of CUDA_VISIBLE_DEVICES that workers take in turn; empty without a GPU.
    """

    workers: int
    threads: int
    gpus: tuple[str, ...] = ()

    def environment(self, number: int) -> dict[str, str]:
        """Variables for worker `number`, to be set before a numeric library is loaded."""
        threads = str(self.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
        gpu = {"CUDA_VISIBLE_DEVICES": self.gpus[number % len(self.gpus)]} if self.gpus else {}
        return dict.fromkeys(names, threads) | gpu


def plan(device: str, workers: int | None = None) -> Plan:
    """Workers for this machine.

    Args:
        device: "auto", "cpu" or "cuda".
        workers: that many instead of what fits.

    Raises:
        BadSetting: fewer than one worker.
    """
    if workers is not None and workers < 1:
        raise BadSetting(f"There must be at least 1 worker, not {workers}.")
    n_cores, free, gpus = cores(), free_bytes(), () if device == "cpu" else visible_gpus()
    if workers is None:
        bounds = [n_cores]
        if free is not None:
            bounds.append(free // WORKER_BYTES)
        if gpus:
            bounds.append(WORKERS_A_GPU * len(gpus))
        workers = max(min(bounds), 1)
    return Plan(workers, max(n_cores // workers, 1), gpus)


def cores() -> int:
    """Cores that this process may use: by its affinity, and by the share that a container has."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _text(CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        own = min(own, int(quota) // int(period))
    return max(own, 1)


def free_bytes() -> int | None:
    """Memory that is free for new processes, in the machine and in the container; None where the system does not say."""
    found = []
    for line in _text(MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    most, used = _text(CGROUP / "memory.max"), _text(CGROUP / "memory.current")
    if most.isdigit() and used.isdigit():
        found.append(max(int(most) - int(used), 0))
    return min(found, default=None)


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that PyTorch can use, as values of CUDA_VISIBLE_DEVICES."""
    import torch

    listed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return tuple(listed or map(str, range(torch.cuda.device_count()))) if torch.cuda.is_available() else ()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
