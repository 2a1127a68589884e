"""Faces in a parcel are those of the data, fewer and smaller; and what script/gpu-train makes of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from training.faces.open import open_faces
from training.faces.toy import TOY
from training.prepare import parcel

ROOT = Path(__file__).resolve().parents[3]


def packed(out: Path, **changes) -> Path:
    parcel.main(parcel.Config(data=TOY, out=out, **changes))
    return out


def test_a_parcel_holds_the_same_media_as_the_data(tmp_path) -> None:
    before, after = open_faces(TOY), open_faces(packed(tmp_path / "faces", side_px=60))
    for split, faces in after.items():
        named = [(i.kind, i.label, i.split, i.group, i.generator, i.family) for i in faces.items]
        assert named == [
            (i.kind, i.label, i.split, i.group, i.generator, i.family)
            for i in before[split].items
            if split == "train" or i.kind == "video"
        ]
        assert max(max(faces.bank.image(row).shape) for row in range(len(faces.bank))) == 60
    train, whole = after["train"], before["train"]
    scale = 60 / max(whole.bank.image(0).shape)
    assert np.allclose(train.bank.landmarks[0], whole.bank.landmarks[0] * scale, atol=0.01)
    clips = after["val"].media("video")
    assert {len(after["val"].rows(int(n))) for n in clips} == {parcel.VAL_FRAMES}


def test_fewer_frames_of_each_clip_where_there_is_less_room(tmp_path, capsys) -> None:
    whole, small = packed(tmp_path / "whole"), tmp_path / "small"
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) / 1e6
    packed(small, megabytes=0.9 * size)
    assert sum(path.stat().st_size for path in small.rglob("*") if path.is_file()) <= 0.9e6 * size
    several, fewer = (open_faces(folder)["train"] for folder in (whole, small))
    assert len(several.bank) > len(fewer.bank) > 0
    assert len(several.items) == len(fewer.items)
    with pytest.raises(SystemExit, match="One frame of each clip is too much"):
        packed(tmp_path / "none", megabytes=0.001)
    with pytest.raises(SystemExit, match="there already"):
        packed(small)


def test_the_script_trains_on_a_parcel_and_leaves_little(tmp_path) -> None:
    folder, out = tmp_path / "parcel", tmp_path / "out"
    environment = {**os.environ, "TBD_PARCEL": str(folder), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}

    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "script" / "gpu-train", *arguments], env=environment, text=True, capture_output=True, check=False
        )  # fmt: skip

    assert "copy all parts" in script("train", str(out)).stderr
    assert script("faces", str(TOY), "60").returncode == 0
    for part, half in (("1", "tower.0"), ("2", "tower.1")):
        (folder / part).mkdir()
        (folder / part / half).write_bytes(b"half")
    toy = "--tower.toy --tower.file None --batch 8 --workers 0 --head-batches 2 --loop.steps 2 --loop.validate-every 2"
    done = script("train", str(out), "1", *toy.split())
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "metrics.csv", "model.safetensors"]
    assert sum(path.stat().st_size for path in out.iterdir()) < 1e6
    with safe_open(out / "model.safetensors", framework="np") as file:
        assert not any("mlp" in key for key in file.keys())  # noqa: SIM118 - norms and the head alone
    assert (folder / "ViT-B-16-quickgelu.openai-int8.safetensors").read_bytes() == b"halfhalf"
