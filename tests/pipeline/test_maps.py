"""Maps of attention beside those of Grad-CAM: same frames, a fixed scale, and Grad-CAM where a model has no attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from tbd_app.models import registry
from tbd_app.models.nets.dfd_fcg import PARTS
from tbd_app.pipeline import explain, maps, score, tracks
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import Explanation, Faces, ModelScore
from tests.models import small
from tests.pipeline.conftest import media_of
from tests.report_factory import FACE_BOX

T = 5
BUNDLED = "clip_b16_ln1"


def explained(name: str, monkeypatch: pytest.MonkeyPatch, *, attention: bool) -> explain.Explained:
    """What a small model of that name shows of `T` frames of the portrait."""
    torch.manual_seed(0)
    model, spec = score.served(small.create(name), "cpu"), replace(small.spec(name), backbone=None)
    with monkeypatch.context() as patch:
        patch.setattr(score, "loaded", lambda _name, _device: model)
        patch.setattr(registry, "spec", lambda _name: spec)
        frames, box = media_of(T), np.array([[100, 20, 200, 150]], np.float32)
        points = np.array([[[125, 60], [175, 60], [150, 85], [130, 115], [170, 115]]], np.float32)
        faces = Faces(box, np.ones(1, np.float32), points, np.ones(1, bool))
        people = tracks.link(frames, [faces] * T, min_face_px=32)
        scores = score.score_tracks(name, frames, people)
        shown = explain.explain(frames, people, scores, "cpu", attention=attention)
        assert shown.kinds == explain.kinds_of(people, scores, "cpu", attention=attention)
        return shown


def places(shown: tuple[Explanation, ...]) -> list[tuple[int, str]]:
    return list(dict.fromkeys((e.position, e.role) for e in shown))


def test_even_attention_is_clear_and_each_doubling_counts_alike() -> None:
    raw = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 100.0], np.float32)
    np.testing.assert_allclose(maps.heat("rollout", raw, strongest=9.0), [0, 0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(maps.heat("grad_cam", raw, strongest=4.0), [0, 0.125, 0.25, 0.5, 1, 1])


@pytest.mark.parametrize("name", ["clip_b16_ln1", "clip_b16_stan"])
def test_attention_is_shown_of_the_frames_of_grad_cam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, own = (explained(name, monkeypatch, attention=attention) for attention in (False, True))
    assert (evidence.kinds, own.kinds) == ({name: "grad_cam"}, {name: "rollout"})
    assert places(own.shown) == places(evidence.shown)
    assert {e.kind for e in own.shown} == {m.kind for m in own.maps} | {"rollout"} == {"rollout"}
    clip = registry.spec(name).task == "clip"
    assert all((e.over_time is not None) == clip for e in own.shown)
    assert all(0 <= e.heat.min() <= e.heat.max() <= 1 for e in own.shown)


def test_queries_are_shown_part_by_part_of_one_frame_of_each_role(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = explained("dfd_fcg_b16", monkeypatch, attention=True).shown
    assert [e.part for e in shown] == [*PARTS, *PARTS]
    assert [e.role for e in shown] == ["highest"] * 4 + ["lowest"] * 4
    assert len(places(shown)) == 2


def test_a_model_without_attention_keeps_grad_cam(monkeypatch: pytest.MonkeyPatch) -> None:
    own = explained("effnet_b0_image", monkeypatch, attention=True)
    assert own.kinds == {"effnet_b0_image": "grad_cam"}
    assert {e.kind for e in own.shown} == {"grad_cam"}


def test_every_frame_shows_attention_where_it_was_asked_for_and_a_model_has_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [ModelScore(name, 0, "ok", frame_fake_prob=(0.5,)) for name in ("plain", "plain too", BUNDLED)]
    made = {
        name: small.create(BUNDLED if name == BUNDLED else "effnet_b0_image") for name in ("plain", BUNDLED)
    }
    monkeypatch.setattr(score, "loaded", lambda name, _device: made.get(name, made["plain"]))
    assert explain._mapped(asked, "cpu", attention=False) is asked[0]
    assert explain._mapped(asked, "cpu", attention=True) is asked[2]
    assert explain._mapped(asked[:2], "cpu", attention=True) is asked[0]
    assert explain._mapped([], "cpu", attention=True) is None


def test_a_real_tower_says_the_same_while_it_is_read() -> None:
    if not registry.is_installed(BUNDLED):
        pytest.skip(f"{BUNDLED} is not installed")
    model, preprocess = score.loaded(BUNDLED, "cpu"), for_spec(registry.spec(BUNDLED))
    x = preprocess.tensor(preprocess.crops([astronaut()], FACE_BOX[None]))
    before = score.forward(model, x)
    found = maps.by_attention(model, x)
    assert found is not None
    assert found.raw.shape == (1, 1, 224, 224)
    # Counted in multiples of an even share; uneven, as a trained tower is.
    assert found.raw.mean() == pytest.approx(1, abs=0.05)
    assert found.raw.max() > 1.3
    np.testing.assert_array_equal(score.forward(model, x), before)
