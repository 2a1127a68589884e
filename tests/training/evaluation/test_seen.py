"""People and logits on disk are those that serving finds, and are found once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline import people, score
from tbd_app.settings import AnalysisSettings
from tests import media_factory
from training.evaluation import seen as room
from training.evaluation.corruptions import SUITE

NAME = "effnetv2_b0_frame"
SETTINGS = AnalysisSettings(n_frames=8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return media_factory.portrait_clip(
        tmp_path_factory.mktemp("clip") / "a.mp4", n_frames=12, size=(320, 240)
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory, clip) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    room.look(clip, SETTINGS, folder)
    return folder


def test_what_is_read_again_is_what_was_found(clip: Path, cache: Path) -> None:
    found, again = people.find(clip, SETTINGS), room.look(clip, SETTINGS, cache)
    assert len(found.tracks) == len(again.tracks) == 1
    for one, other in zip(found.frames.images, again.frames.images, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.frames.times_s, again.frames.times_s)
    one, other = found.tracks[0], again.tracks[0]
    for name in ("positions", "boxes", "landmarks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.track_id, one.quality, one.exclusion) == (other.track_id, other.quality, other.exclusion)


def test_people_are_found_once_and_anew_with_other_settings(clip: Path, cache: Path, monkeypatch) -> None:
    calls = []
    find = people.find
    monkeypatch.setattr(people, "find", lambda path, settings: calls.append(settings) or find(path, settings))
    room.look(clip, SETTINGS, cache)
    assert calls == []
    other = AnalysisSettings(n_frames=9)
    assert len(room.look(clip, other, cache).frames) == 9
    assert calls == [other]


def test_a_changed_file_is_made_once_and_is_another_one(clip: Path, cache: Path, tmp_path: Path) -> None:
    made: list[Path] = []

    def small() -> Path:
        made.append(SUITE["half_size"](clip, tmp_path))
        return made[-1]

    changed = room.Changed("half_size", small)
    first, again = (room.look(clip, SETTINGS, cache, changed) for _ in range(2))
    assert len(made) == 1
    assert first.key == again.key != room.look(clip, SETTINGS, cache).key
    found, whole = (s.frames.images[0].shape for s in (again, room.look(clip, SETTINGS, cache)))
    assert found[0] * 2 == whole[0]


def test_a_file_without_faces_or_that_is_refused_has_nobody(tmp_path: Path, cache: Path) -> None:
    waves = media_factory.faceless_clip(tmp_path / "waves.mp4", n_frames=4)
    assert room.look(waves, SETTINGS, cache).tracks == ()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no media")
    assert room.look(broken, SETTINGS, cache).tracks == ()


def test_logits_are_those_of_serving_and_are_taken_once(clip: Path, cache: Path, monkeypatch) -> None:
    if not registry.is_installed(NAME):
        pytest.skip(f"{NAME} is not installed")
    seen = room.look(clip, SETTINGS, cache)
    served = score.score_tracks(NAME, seen.frames, seen.tracks)
    first = score.score_tracks(NAME, seen.frames, seen.tracks, logits_of=room.logits_of(seen, cache))
    monkeypatch.setattr(score, "track_logits", None)
    again = score.score_tracks(NAME, seen.frames, seen.tracks, logits_of=room.logits_of(seen, cache))
    assert served == first == again


def test_other_weights_have_other_logits(cache: Path) -> None:
    spec = registry.spec(NAME)
    one, same, other = (registry.create_model(NAME) for _ in range(3))
    same.load_state_dict(one.state_dict())
    keys = [room._weights_key(model, spec) for model in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]


def test_logits_of_another_device_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the CPU keep their name."""
    spec, model = registry.spec(NAME), registry.create_model(NAME)
    assert room._logits_key(model, spec) == room._weights_key(model, spec)
    monkeypatch.setattr(room, "device_of", lambda _: "cuda")
    assert room._logits_key(model, spec) == f"{room._weights_key(model, spec)}-cuda"
