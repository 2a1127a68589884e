"""Two processes that share each step learn as one that takes twice as much: same curve, same weights."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from training import train_frame, train_robust
from training.attacks.learn import load_attacker
from training.engine.config import parse

ROOT = Path(__file__).resolve().parents[3]
COMMON = "--toy --model timm:test_efficientnet --loop.steps 3 --loop.validate-every 1 --loop.precision no"
FRAME = f"{COMMON} --size-px 48 --size-share 1 --val-blends 0".split()
ROBUST = f"{COMMON} --size-px 48 --freeze-bn --val-attacked 0".split()
# In two processes: every one has its part of the batch.
SCRIPT = """
import sys
from pathlib import Path
import tbd_app
from tests.training.engine.test_two_processes import train
from training.engine.config import join_processes
join_processes()
train(Path(sys.argv[1]), [], ["--batch", "2"])
"""


def train(folder: Path, of_frame: list[str], of_robust: list[str]) -> None:
    """Run both scripts; what each process draws for itself, dropout and the place where PGD begins, is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Dropout, "forward", lambda self, x: x)
        patch.setattr(train_robust, "PgdConfig", partial(train_robust.PgdConfig, random_start=False))
        for script, argv in ((train_frame, FRAME + of_frame), (train_robust, ROBUST + of_robust)):
            config = parse(script.Config, script.SCRIPT, "", [*argv, "--out", str(folder / script.SCRIPT)])
            script.main(config)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the runs of one process and of those of two."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    train(one, ["--loop.accumulate", "2"], ["--batch", "4"])
    (two / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, str(two / "script.py"), str(two)],
        cwd=ROOT,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return one, two


def curve(folder: Path, names: tuple[str, ...]) -> dict[str, list[float]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in ("step", "loss", *names)}


def assert_alike(one: Path, two: Path, file: str, within: float) -> None:
    parts = [load_file(folder / file) for folder in (one, two)]
    assert parts[0].keys() == parts[1].keys()
    for name, tensor in parts[0].items():
        assert tensor.float().numpy() == pytest.approx(parts[1][name].float().numpy(), abs=within), name


def test_two_processes_give_the_loss_curve_of_one_with_twice_the_accumulation(
    runs: tuple[Path, Path],
) -> None:
    one, two = (folder / train_frame.SCRIPT for folder in runs)
    whole, parts = (curve(folder, ("where_loss", "video_auc", "lr")) for folder in (one, two))
    assert whole["step"] == [1, 2, 3]
    assert len(set(whole["loss"])) == 3
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values, rel=1e-4), name
    assert_alike(one, two, "model.safetensors", 2e-5)


def test_two_processes_teach_one_attacker_and_learn_from_it_as_one_with_twice_the_batch(
    runs: tuple[Path, Path],
) -> None:
    one, two = (folder / train_robust.SCRIPT for folder in runs)
    names = ("clean_loss", "pgd_loss", "unet_loss", "attacker_fooled", "video_auc")
    whole, parts = (curve(folder, names) for folder in (one, two))
    assert whole["step"] == [1, 2, 3]
    assert whole["pgd_loss"][1] > 0
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values, rel=1e-3, nan_ok=True), name
    assert_alike(one, two, "model.safetensors", 1e-3)
    # By what they do: biases that a norm takes away again get no gradient but noise.
    pictures = torch.rand(2, 3, 48, 48, generator=torch.manual_seed(0))
    alike, other = (load_attacker(folder / "attacker.safetensors")(pictures) for folder in (one, two))
    torch.testing.assert_close(alike, other, atol=2e-5, rtol=0)
