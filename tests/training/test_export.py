"""Publishing a bundled model to a hub on this machine, and getting it back from there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tbd_app.models import registry, weights
from tests.hub import TOKEN, Hub, serve
from training import export
from training.data.index import Item

NAME, REPO = "effnet_b0_image", "lab/effnet"
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
    path = folder / f"{NAME}.safetensors"
    torch.manual_seed(0)
    entry = {
        "name": NAME,
        "file": path.name,
        "sha256": weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME)),
        "bytes": path.stat().st_size,
        "threshold": 0.5,
        "temperature": 1.0,
        "licence": "research use only",
    }
    (folder / "manifest.json").write_text(json.dumps({"schema": 1, "models": [entry]}), encoding="utf-8")
    (folder / f"{NAME}.md").write_text("---\nlicense: other\n---\n\n# A card\n", encoding="utf-8")
    return folder


@pytest.fixture
def push(hub: Hub, folder: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """export.py --push of a process of its own, with the test's weights folder in place of the project's."""

    def run(repo: str = REPO, model: str = NAME, **environment: str) -> subprocess.CompletedProcess[str]:
        code = (
            "from pathlib import Path\n"
            "from training import export\n"
            f"export.WEIGHTS = Path({str(folder)!r})\n"
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
    assert held.keys() == {f"{NAME}.safetensors", "README.md", "manifest.json"}
    assert b"# A card" in held["README.md"]
    assert json.loads(held["manifest.json"]) == {"schema": 1, "models": [before]}

    published = (folder / f"{NAME}.safetensors").rename(tmp_path / "kept")
    hub.commit(REPO, **{f"{NAME}.safetensors": b"somebody pushes another file"})
    env = hub.environment(tmp_path / "hf-of-a-user", TBD_WEIGHTS_DIR=str(folder))
    get = [sys.executable, "-m", "tbd_app", "models", "--download", NAME, "--json"]
    got = subprocess.run(get, env=env, capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr
    assert json.loads(got.stdout)[0]["installed"]
    cached = list((tmp_path / "hf-of-a-user").rglob(f"{NAME}.safetensors"))
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
    monkeypatch.setattr(export, "WEIGHTS", folder)
    with pytest.raises(SystemExit, match="xception is not in the manifest"):
        export.push("xception", REPO)
    (folder / f"{NAME}.md").unlink()
    with pytest.raises(SystemExit, match="has no card"):
        export.push(NAME, REPO)
    path = folder / f"{NAME}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SystemExit, match="is not the file that the manifest lists"):
        export.push(NAME, REPO)


@pytest.mark.parametrize(
    ("others", "good", "votes"), [([], False, True), ([OTHER], False, False), ([OTHER], True, True)]
)
def test_a_model_votes_when_it_is_good_enough_or_alone(others, good, votes, tmp_path, monkeypatch) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "models": others}), encoding="utf-8")
    monkeypatch.setattr(export, "WEIGHTS", tmp_path)
    clips = [Item(Path(f"{k}"), "video", k % 2, "val", f"{k}", "wav2lip" if k % 2 else "") for k in range(40)]
    rng = np.random.default_rng(0)
    logits = [rng.normal((2.0 if good else 0.0) * clip.label, 1, 8) for clip in clips]
    monkeypatch.setattr(export, "_clip_logits", lambda *_: (logits, clips))
    monkeypatch.setattr(export, "_picture_logits", lambda *_: rng.normal(0, 1, 100))
    spec = export.calibrated(registry.spec(NAME), nn.Identity(), clips, export.Config())
    assert spec.default_voter is votes
    assert 0 < spec.real_below <= min(spec.threshold, spec.image_threshold) < 1
