"""Two processes that share each step learn as one that accumulates twice as many batches: same curve, same weights."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import nn

from training import train_frame
from training.engine.config import parse

ROOT = Path(__file__).resolve().parents[3]
FLAGS = (
    "--toy --model timm:test_efficientnet --size-px 48 --size-share 1 --val-blends 0 --loop.steps 3 --loop.validate-every 1 "
    "--loop.precision no"
).split()
# Each process draws masks of its own, so dropout is left out; otherwise this is the script.
SCRIPT = """
import tbd_app
from torch import nn
from training import train_frame
from training.engine.config import command
nn.Dropout.forward = lambda self, x: x
command(train_frame.main, train_frame.Config, "train_frame", "")
"""


def curve(folder: Path) -> dict[str, list[float]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        name: [float(row[name]) for row in rows] for name in ("step", "loss", "where_loss", "video_auc", "lr")
    }


def test_two_processes_give_the_loss_curve_of_one_with_twice_the_accumulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x)
    argv = [*FLAGS, "--out", str(tmp_path / "one"), "--loop.accumulate", "2"]
    train_frame.main(parse(train_frame.Config, "train_frame", "", argv))
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "script.py"), *FLAGS, "--out", str(tmp_path / "two")],
        cwd=ROOT,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert one["step"] == [1, 2, 3]
    assert len(set(one["loss"])) == 3
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=1e-4), name
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        assert tensor.float().numpy() == pytest.approx(weights[1][name].float().numpy(), abs=2e-5), name
