"""Names: which there are, which vote, and what is said about one that there is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tbd_app.errors import UnknownModel, WeightsMissing
from tbd_app.models import manifest, registry


def test_the_models_of_the_first_release() -> None:
    assert set(registry.list_models()) >= {
        "effnet_b0_image",
        "effnet_b0_lstm",
        "resnext50_lstm",
        "swin_tiny_mean",
        "effnetv2_b0_frame",
    }


def test_names_and_specs_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from tbd_app.models import registry\n"
        "for name in registry.list_models():\n"
        "    registry.spec(name), registry.is_installed(name), registry.how_to_get(name)\n"
        "registry.resolve(['default', 'all'])\n"
        "print([m for m in ('torch', 'timm') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("ask", [registry.spec, registry.is_installed, registry.create_model, registry.load])
def test_an_unknown_name_gets_near_matches(ask) -> None:
    with pytest.raises(UnknownModel, match="did you mean effnet_b0_lstm"):
        ask("efnet_b0_lstm")


def test_a_name_like_nothing_gets_the_whole_list() -> None:
    with pytest.raises(UnknownModel, match="there are effnetv2_b0_frame, effnet_b0_image"):
        registry.resolve(["zzz"])


def test_all_is_every_registered_model() -> None:
    assert registry.resolve(["all"]) == registry.list_models()


def test_explicit_names_keep_their_order_and_come_once() -> None:
    asked = ["swin_tiny_mean", "effnet_b0_image", "swin_tiny_mean"]
    assert registry.resolve(asked) == ["swin_tiny_mean", "effnet_b0_image"]


def test_default_is_the_listed_default_voters_installed_or_not(write_manifest, entry) -> None:
    voters = {"effnet_b0_lstm", "swin_tiny_mean"}
    write_manifest(*(entry(name, default_voter=name in voters) for name in registry.list_models()))
    assert registry.resolve(["default"]) == ["effnet_b0_lstm", "swin_tiny_mean"]
    assert not registry.is_installed("effnet_b0_lstm")
    assert registry.resolve(["effnet_b0_image", "default"])[0] == "effnet_b0_image"


def test_a_model_without_listed_weights_says_how_to_add_them() -> None:
    unlisted = [name for name in registry.list_models() if name not in manifest.entries()]
    if not unlisted:
        pytest.skip("every model has weights")
    assert not registry.is_installed(unlisted[0])
    with pytest.raises(WeightsMissing, match=r"weights/README\.md"):
        registry.load(unlisted[0])
