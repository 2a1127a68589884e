"""Calibrating a model, publishing it to a hub on this machine, and getting it back from there."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tbd_app.models import registry, weights
from tests.hub import TOKEN, Hub, serve
from tests.training.toy_faces import bank_of, face
from training import export
from training.engine.config import LoopConfig
from training.evaluation import card, ledger
from training.evaluation import hub as hub_room
from training.evaluation.figures import known
from training.faces.index import Item

NAME, REPO = "effnet_b0_image", "lab/effnet"
FIGURES = {"val_clips": {"n_real": 9}}  # as few as there can be
FILE = f"{NAME}-of-a-test.safetensors"  # not the bundled one
OTHER = {"name": "effnetv2_b0_frame", "default_voter": True}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A weights folder as export.py and evaluate.py leave it."""
    folder = tmp_path / "weights"
    folder.mkdir()
    path = folder / FILE
    torch.manual_seed(0)
    entry = {
        "name": NAME,
        "file": path.name,
        "sha256": weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME)),
        "bytes": path.stat().st_size,
        "calibration": {"threshold": 0.5, "temperature": 1.0},
        "licence": "research use only",
        "known_performance": known(FIGURES),
    }
    (folder / "manifest.json").write_text(json.dumps({"schema": 2, "models": [entry]}), encoding="utf-8")
    (folder / f"{NAME}.metrics.json").write_text(json.dumps({"metrics": FIGURES}), encoding="utf-8")
    (folder / f"{NAME}.md").write_text("---\nlicense: other\n---\n\n# A card\n", encoding="utf-8")
    return folder


@pytest.fixture
def push(hub: Hub, folder: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """export.py --push of a process of its own, with the test's weights folder in place of the project's."""

    def run(repo: str = REPO, model: str = NAME, **environment: str) -> subprocess.CompletedProcess[str]:
        code = (
            "from pathlib import Path\n"
            "from training import export\n"
            "from training.evaluation import ledger\n"
            f"ledger.WEIGHTS = Path({str(folder)!r})\n"
            f"export.main(export.Config(model={model!r}, push={repo!r}))\n"
        )
        env = hub.environment(tmp_path / "hf-of-the-lab", **{"HF_TOKEN": TOKEN} | environment)
        return subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
        )

    return run


def listed(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["models"][0]


def test_what_is_published_comes_back_by_the_commit_that_the_manifest_names(
    push, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    before = listed(folder)
    done = push()
    assert done.returncode == 0, done.stderr
    (revision,) = hub.repos[REPO]
    assert listed(folder) == before | {"hub": {"repo": REPO, "revision": revision}}
    assert revision in done.stdout
    held = hub.files(REPO, revision)
    assert held.keys() == {FILE, "README.md", "manifest.json", f"{NAME}.metrics.json"}
    assert json.loads(held[f"{NAME}.metrics.json"]) == {"metrics": FIGURES}
    assert b"# A card" in held["README.md"]
    assert json.loads(held["manifest.json"]) == {"schema": 2, "models": [before]}

    published = (folder / FILE).rename(tmp_path / "kept")
    hub.commit(REPO, **{FILE: b"somebody pushes another file"})
    env = hub.environment(tmp_path / "hf-of-a-user", TBD_WEIGHTS_DIR=str(folder))
    get = [sys.executable, "-m", "tbd_app", "models", "--download", NAME, "--json"]
    got = subprocess.run(get, env=env, capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr
    assert json.loads(got.stdout)[0]["installed"]
    cached = list((tmp_path / "hf-of-a-user").rglob(FILE))
    assert [path.read_bytes() for path in cached] == [published.read_bytes()]


def test_without_a_right_to_write_nothing_changes(push, hub: Hub, folder: Path) -> None:
    before = listed(folder)
    done = push(HF_TOKEN="of somebody else")  # noqa: S106
    assert done.returncode == 1
    assert f"{REPO} did not take {NAME}" in done.stderr
    assert "hf auth login" in done.stderr
    assert "Traceback" not in done.stderr
    assert listed(folder) == before
    assert hub.repos == {}


def test_only_what_is_listed_measured_and_whole_is_published(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "WEIGHTS", folder)
    with pytest.raises(SystemExit, match="xception is not in the manifest"):
        hub_room.push("xception", REPO)
    (folder / f"{NAME}.md").unlink()
    with pytest.raises(SystemExit, match="has no card"):
        hub_room.push(NAME, REPO)
    path = folder / FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SystemExit, match="is not the file that the manifest lists"):
        hub_room.push(NAME, REPO)


@pytest.mark.parametrize(
    ("others", "good", "votes"), [([], False, True), ([OTHER], False, False), ([OTHER], True, True)]
)
def test_a_model_votes_when_it_is_good_enough_or_alone(others, good, votes, tmp_path, monkeypatch) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 2, "models": others}), encoding="utf-8")
    monkeypatch.setattr(ledger, "WEIGHTS", tmp_path)
    clips = [Item(Path(f"{k}"), "video", k % 2, "val", f"{k}", "wav2lip" if k % 2 else "") for k in range(40)]
    rng = np.random.default_rng(0)
    logits = [rng.normal((2.0 if good else 0.0) * clip.label, 1, 8) for clip in clips]
    monkeypatch.setattr(export, "_clip_logits", lambda *_: (logits, clips))
    monkeypatch.setattr(export, "_picture_logits", lambda *_: (rng.normal(0, 1, 100), np.zeros(100, int)))
    spec = export.calibrated(registry.spec(NAME), nn.Identity(), clips, export.Config())
    assert spec.default_voter is votes
    bounds = spec.calibration
    assert 0 < bounds.real_below <= min(bounds.threshold, bounds.few_frames_threshold) < 1
    assert spec.votes_on == ("video", "image")
    named = export.calibrated(registry.spec(NAME), nn.Identity(), clips, export.Config(voter="pictures"))
    assert (named.default_voter, named.votes_on) == (True, ("image",))


def test_a_clip_model_sees_a_picture_as_a_clip_of_one_frame(monkeypatch) -> None:
    faces = [face(k) for k in range(2)]
    seen = []
    monkeypatch.setattr(export.score, "forward", lambda _, x: seen.append(x.shape) or np.zeros(1))
    for name in ("effnet_b0_lstm", "effnet_b0_image"):
        assert len(export.logits_of_pictures(registry.spec(name), nn.Identity(), bank_of(faces), [0, 1])) == 2
    assert [tuple(shape) for shape in seen] == [(1, 1, 3, 224, 224)] * 2 + [(1, 3, 128, 128)] * 2


def test_the_weights_of_several_runs_are_averaged(tmp_path) -> None:
    paths = [tmp_path / f"{k}.safetensors" for k in range(2)]
    for path in paths:
        weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME))
    one, other, mean = (
        export.averaged(NAME, chosen).state_dict() for chosen in (paths[:1], paths[1:], paths)
    )
    assert not torch.equal(one["head.weight"], other["head.weight"])
    for key, tensor in mean.items():
        torch.testing.assert_close(
            tensor, (one[key] + other[key]) / 2 if tensor.is_floating_point() else one[key]
        )


def test_a_run_can_be_averaged_with_the_checkpoint_it_began_with(tmp_path, monkeypatch) -> None:
    run, bundled, first = tmp_path / "run", tmp_path / "weights", tmp_path / "first.safetensors"
    run.mkdir()
    bundled.mkdir()
    recipe = {
        "script": "training/train_frame.py",
        "batch_pairs": 4,
        "size_px": [224],
        "size_share": [1.0],
        "seed": 3,
        "loop": dataclasses.asdict(LoopConfig()),
    }
    (run / "config.json").write_text(json.dumps({"recipe": recipe}), encoding="utf-8")
    (bundled / "manifest.json").write_text('{"schema": 2, "models": []}', encoding="utf-8")
    for path in (run / "model.safetensors", first):
        weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME))
    monkeypatch.setattr(ledger, "WEIGHTS", bundled)
    monkeypatch.setattr(export, "calibrated", lambda spec, *_: spec)
    monkeypatch.setattr(export, "open_collections", lambda *_: [])
    export.main(export.Config(run=(run,), also=(first,), model=NAME))
    entry = ledger.entry_of(NAME)
    assert entry["recipe"]["averaged_with"] == ["first.safetensors"]
    assert "mean of these weights and those of first.safetensors." in card._steps(
        entry["recipe"], registry.spec(NAME)
    )
    made, one, other = (
        load_file(p)["head.weight"].float()
        for p in (bundled / f"{NAME}.safetensors", run / "model.safetensors", first)
    )
    torch.testing.assert_close(made, (one + other) / 2, atol=1e-3, rtol=0)


def test_a_clip_length_of_its_own_reaches_the_manifest(tmp_path, monkeypatch) -> None:
    name = "effnet_b0_lstm"
    spec = replace(registry.spec(name), clip_len=7)
    run, bundled = tmp_path / "run", tmp_path / "weights"
    run.mkdir()
    bundled.mkdir()
    (run / "config.json").write_text('{"recipe": {"script": "training/train_video.py"}}', encoding="utf-8")
    (bundled / "manifest.json").write_text('{"schema": 2, "models": []}', encoding="utf-8")
    weights.save_checkpoint(registry.create_model(name), run / "model.safetensors", spec)
    monkeypatch.setattr(ledger, "WEIGHTS", bundled)
    monkeypatch.setattr(export, "calibrated", lambda spec, *_: spec)
    monkeypatch.setattr(export, "open_collections", lambda *_: [])
    export.main(export.Config(run=(run,), model=name))
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(bundled))
    assert registry.spec(name).clip_len == 7
    registry.load(name)  # header and manifest agree
    assert export.unlike_registered(spec) == {"clip_len": 7}


def test_a_softened_share_may_be_chosen_after_training(tmp_path, monkeypatch) -> None:
    run, bundled, shares = tmp_path / "run", tmp_path / "weights", []
    run.mkdir()
    bundled.mkdir()
    (run / "config.json").write_text('{"recipe": {"script": "training/train_frame.py"}}', encoding="utf-8")
    (bundled / "manifest.json").write_text('{"schema": 2, "models": []}', encoding="utf-8")
    weights.save_checkpoint(registry.create_model(NAME), run / "model.safetensors", registry.spec(NAME))
    monkeypatch.setattr(ledger, "WEIGHTS", bundled)
    monkeypatch.setattr(
        export, "calibrated", lambda spec, *_: shares.append(spec.calibration.softened_share) or spec
    )
    monkeypatch.setattr(export, "open_collections", lambda *_: [])
    export.main(export.Config(run=(run,), model=NAME, softened_share=0.35))
    assert shares == [0.35]  # bounds and temperature are those of what is served
    monkeypatch.setenv("TBD_WEIGHTS_DIR", str(bundled))
    assert registry.spec(NAME).calibration.softened_share == 0.35
    registry.load(NAME)  # header and manifest agree
