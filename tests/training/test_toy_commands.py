"""Every training script runs from the command line to its end, on made-up faces, without a download."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(p.stem for p in (ROOT / "training").glob("train_*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_toy_run(script: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # One thread: the networks are so small that a second one only waits for the first.
    env = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, f"training/{script}.py", "--toy", "--out", str(out)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(out.rglob("*.safetensors"))
