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


A, B, C = "effnet_b0_image", "effnet_b0_lstm", "swin_tiny_mean"


@pytest.mark.parametrize(
    ("asked", "voters"),
    [
        (["default"], [A, B]),
        (["all"], [A, B]),  # all are shown, the default voters vote
        (["all", "default"], [A, B]),
        ([C], [C]),  # who is named votes
        ([C, A], [C, A]),
        (["default", C], [A, B, C]),
        ([C, "all"], [C, A, B]),
    ],
)
def test_who_votes(write_manifest, entry, asked, voters) -> None:
    write_manifest(*(entry(name, default_voter=name in (A, B)) for name in registry.list_models()))
    assert registry.voters(asked) == voters
    assert set(voters) <= set(registry.resolve(asked))


def test_a_voter_for_pictures_is_asked_about_clips_only_by_its_name(write_manifest, entry) -> None:
    kinds = {A: {"votes_on": ["image"]}, B: {}}
    write_manifest(
        *(entry(name, default_voter=name in kinds, **kinds.get(name, {})) for name in registry.list_models())
    )
    assert registry.resolve(["default"]) == [A, B]
    assert registry.resolve(["default"], "image") == registry.voters(["default"], "image") == [A, B]
    assert registry.resolve(["default"], "video") == registry.voters(["default"], "video") == [B]
    assert registry.voters([A, "default"], "video") == [A, B]
    assert registry.resolve(["all"], "video") == registry.list_models()
    assert registry.voters(["all"], "video") == [B]


def test_all_named_vote_and_all_do_where_there_is_no_default_voter(write_manifest, entry) -> None:
    every = registry.list_models()
    write_manifest(*(entry(name, default_voter=False) for name in every))
    assert registry.voters(["all"]) == registry.voters(every) == every
    assert registry.voters(["default"]) == []
    assert registry.voters(["default", A]) == registry.voters(["all", A]) == [A]


def test_ticks_are_names_unless_they_are_the_default_voters(write_manifest, entry) -> None:
    write_manifest(*(entry(name, default_voter=name in (A, B)) for name in registry.list_models()))
    assert registry.asked_by([B, A]) == ("default",)
    assert registry.asked_by([A]) == (A,)
    assert registry.asked_by([A, B, C]) == (A, B, C)
    assert registry.asked_by([]) == ()
    write_manifest(*(entry(name, default_voter=False) for name in registry.list_models()))
    assert registry.asked_by([]) == ()


def test_a_model_without_listed_weights_says_how_to_add_them() -> None:
    unlisted = [name for name in registry.list_models() if name not in manifest.entries()]
    if not unlisted:
        pytest.skip("every model has weights")
    assert not registry.is_installed(unlisted[0])
    with pytest.raises(WeightsMissing, match=r"weights/README\.md"):
        registry.load(unlisted[0])
