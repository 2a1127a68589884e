"""Weights on disk: found in the right place, checked before use, loaded strictly or not at all."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tbd_app.errors import WeightsCorrupt, WeightsMissing
from tbd_app.models import registry, weights
from tests.hub import Hub, serve

NAME = "effnet_b0_image"


def rewrite(path: Path, change) -> None:
    """Changes the tensors of a checkpoint and keeps its header."""
    state = load_file(path)
    change(state)
    save_file(state, path, metadata={"tbd": json.dumps(weights.read_header(path))})


def relist(path: Path, raw: dict) -> dict:
    return raw | {"sha256": weights.sha256_of(path), "bytes": path.stat().st_size}


def test_an_installed_model_loads_in_eval_mode(installed) -> None:
    model, _, _ = installed(NAME)
    assert registry.is_installed(NAME)
    loaded = registry.load(NAME)
    assert not loaded.training
    with torch.inference_mode():
        x = torch.randn(2, 3, 128, 128)
        assert (loaded(x).softmax(-1) - model(x).softmax(-1)).abs().max() <= 0.01


def test_missing_weights_name_the_command(write_manifest, entry) -> None:
    write_manifest(entry(NAME))
    with pytest.raises(WeightsMissing, match=f"git checkout -- weights/{NAME}-of-a-test.safetensors"):
        registry.load(NAME)


def test_changed_bytes_are_refused(installed) -> None:
    _, path, _ = installed(NAME)
    registry.load(NAME)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsCorrupt, match="not the listed file"):
        registry.load(NAME)


def test_a_file_cut_short_is_refused(installed) -> None:
    _, path, _ = installed(NAME)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsCorrupt, match="bytes, not"):
        registry.load(NAME)


def test_missing_keys_are_named(installed, write_manifest) -> None:
    _, path, raw = installed(NAME)
    rewrite(path, lambda state: [state.pop(key) for key in sorted(state)[:7]])
    write_manifest(relist(path, raw))
    with pytest.raises(WeightsCorrupt, match=r"lacks backbone\.\S+(, backbone\.\S+){4} and 2 more"):
        registry.load(NAME)


def test_unexpected_keys_are_named(installed, write_manifest) -> None:
    _, path, raw = installed(NAME)
    rewrite(path, lambda state: state.update({"head.extra": torch.zeros(1)}))
    write_manifest(relist(path, raw))
    with pytest.raises(WeightsCorrupt, match=r"unexpected head\.extra"):
        registry.load(NAME)


def test_other_shapes_are_named(installed, write_manifest) -> None:
    _, path, raw = installed(NAME)
    rewrite(path, lambda state: state.update({"head.bias": torch.zeros(3)}))
    write_manifest(relist(path, raw))
    with pytest.raises(WeightsCorrupt, match=r"other shapes for head\.bias"):
        registry.load(NAME)


def test_a_pickled_file_is_refused_and_not_run(installed, write_manifest, tmp_path: Path) -> None:
    _, path, raw = installed(NAME)
    trace = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return (Path.touch, (trace,))

    path.write_bytes(pickle.dumps(Hostile()))
    write_manifest(relist(path, raw))
    with pytest.raises(WeightsCorrupt, match="is a pickle"):
        registry.load(NAME)
    torch.save(registry.create_model(NAME).state_dict(), path)
    write_manifest(relist(path, raw))
    with pytest.raises(WeightsCorrupt, match="is a pickle"):
        registry.load(NAME)
    assert not trace.exists()


def test_safetensors_without_a_spec_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsCorrupt, match="no spec in its header"):
        registry.load(NAME, path=path)


def test_header_and_manifest_must_agree(installed, write_manifest) -> None:
    _, _, raw = installed(NAME)
    write_manifest(raw | {"calibration": raw["calibration"] | {"threshold": 0.61}})
    with pytest.raises(WeightsCorrupt, match=r"disagree on threshold: 0\.6 and 0\.61"):
        registry.load(NAME)


def test_swapped_class_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "swapped.safetensors"
    model = registry.create_model(NAME)
    weights.save_checkpoint(model, path, registry.spec(NAME))
    header = weights.read_header(path) | {"class_names": ["fake", "real"]}
    save_file(load_file(path), path, metadata={"tbd": json.dumps(header)})
    with pytest.raises(WeightsCorrupt, match="disagree on class_names"):
        registry.load(NAME, path=path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    weights.save_checkpoint(registry.create_model(NAME), path, registry.spec(NAME))
    with pytest.raises(WeightsCorrupt, match="holds 'effnet_b0_image', not 'effnetv2_b0_frame'"):
        registry.load("effnetv2_b0_frame", path=path)


def test_an_explicit_path_needs_no_manifest_and_brings_its_spec(installed) -> None:
    _, path, _ = installed(NAME, threshold=0.8, temperature=2.0)
    assert registry.spec(NAME, path).calibration.threshold == 0.8
    assert registry.spec(NAME, path).calibration.temperature == 2.0
    registry.load(NAME, path=path)
    with pytest.raises(WeightsMissing, match="no checkpoint at"):
        registry.load(NAME, path=path.with_name("absent.safetensors"))


def test_half_precision_keeps_integers_and_large_values(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    model = registry.create_model(NAME)
    model.backbone.bn1.running_var[0] = 1e6
    weights.save_checkpoint(model, path, registry.spec(NAME))
    stored = load_file(path)
    assert stored["backbone.bn1.num_batches_tracked"].dtype == torch.int64
    assert stored["backbone.bn1.running_var"][0] == 1e6
    assert stored["head.weight"].dtype == torch.float16


def test_a_backbone_file_fills_the_backbone_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    donor = registry.create_model(NAME)
    save_file({key: t.half() for key, t in donor.backbone.state_dict().items()}, path)
    model = registry.create_model(NAME)
    head = model.head.weight.detach().clone()
    weights.load_backbone_file(model, path)
    filled = model.backbone.conv_stem.weight
    assert filled.dtype == torch.float32
    torch.testing.assert_close(filled, donor.backbone.conv_stem.weight, atol=1e-3, rtol=1e-3)
    assert torch.equal(model.head.weight, head)
    with pytest.raises(WeightsCorrupt, match="lacks"):
        weights.load_backbone_file(registry.create_model("effnetv2_b0_frame"), path)
    with pytest.raises(WeightsMissing, match="no backbone file"):
        weights.load_backbone_file(model, tmp_path / "absent.safetensors")


@pytest.mark.shared
def test_the_public_backbone_file_fits() -> None:
    folder = Path(__file__).resolve().parents[3] / "shared" / "backbones"
    path = folder / "tf_efficientnetv2_b0_imagenet1k_features_fp16.safetensors"
    if not path.is_file():
        pytest.skip("no ../shared/backbones")
    model = registry.create_model("effnetv2_b0_frame")
    weights.load_backbone_file(model, path)
    torch.testing.assert_close(model.backbone.bn2.weight.half(), load_file(path)["bn2.weight"])


# --- the hub: the real client of huggingface_hub against a server on this machine ---

REPO, FILE = "lab/models", f"{NAME}-of-a-test.safetensors"
CONTENT = b"stands for a checkpoint"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


@pytest.fixture
def fetch(hub: Hub, write_manifest, entry, tmp_path: Path):
    """What a process of its own says when it fetches."""
    listed = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT)}
    revision = hub.commit(REPO, **{FILE: CONTENT})
    write_manifest(entry(NAME, hub={"repo": REPO, "revision": revision}, **listed))
    code = (
        "from tbd_app.errors import TBDError\n"
        "from tbd_app.models import manifest, registry, weights\n"
        f"entry = manifest.entries()['{NAME}']\n"
        "try:\n"
        "    path = weights.fetch(entry)\n"
        f"    print('ok', registry.is_installed('{NAME}'), path)\n"
        "except TBDError as error:\n"
        "    print(error.code, error.message)\n"
    )

    def run(**environment: str) -> str:
        env = hub.environment(tmp_path / "hf", **environment)
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return run


def test_nothing_is_downloaded_unasked(fetch, hub: Hub) -> None:
    said = fetch()
    assert said.startswith("weights_missing")
    assert said.endswith(f"Get them with: tbd models --download {NAME}")
    assert hub.requests == []


def test_a_download_is_kept_and_found_offline(fetch, hub: Hub, tmp_path: Path) -> None:
    first = fetch(TBD_ALLOW_DOWNLOAD="1")
    assert first.startswith("ok True")
    assert Path(first.split()[-1]).read_bytes() == CONTENT
    asked = len(hub.requests)
    assert fetch(HF_HUB_OFFLINE="1") == first
    assert len(hub.requests) == asked
    # a file in the weights folder comes before the cache
    (tmp_path / "weights" / FILE).write_bytes(CONTENT)
    assert str(tmp_path / "weights") in fetch(HF_HUB_OFFLINE="1")


def test_the_pinned_commit_is_fetched_and_not_the_last_one(fetch, hub: Hub) -> None:
    hub.commit(REPO, **{FILE: b"a later checkpoint, under the same name"})
    assert Path(fetch(TBD_ALLOW_DOWNLOAD="1").split()[-1]).read_bytes() == CONTENT


def test_offline_beats_the_permission_to_download(fetch, hub: Hub) -> None:
    said = fetch(TBD_ALLOW_DOWNLOAD="1", HF_HUB_OFFLINE="1")
    assert said.startswith("weights_missing")
    assert "HF_HUB_OFFLINE is set" in said
    assert hub.requests == []


def test_a_download_with_other_content_is_refused_and_not_kept(fetch, hub: Hub) -> None:
    (revision,) = hub.repos[REPO]
    hub.repos[REPO][revision] = {FILE: CONTENT[::-1]}
    assert fetch(TBD_ALLOW_DOWNLOAD="1").startswith("weights_corrupt")
    hub.repos[REPO][revision] = {FILE: CONTENT}
    assert fetch(TBD_ALLOW_DOWNLOAD="1").startswith("ok True")


def test_a_failed_download_says_why(fetch, hub: Hub) -> None:
    hub.repos[REPO] = {key: {} for key in hub.repos[REPO]}
    assert "could not be downloaded from lab/models: it is not there" in fetch(TBD_ALLOW_DOWNLOAD="1")
    hub.repos.clear()
    assert "could not be downloaded from lab/models: it is not there" in fetch(TBD_ALLOW_DOWNLOAD="1")
