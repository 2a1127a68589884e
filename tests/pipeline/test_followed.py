"""Faces of a timeline: as found by a full search, in less of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tbd_app.pipeline import followed
from tbd_app.pipeline.faces import FaceDetector
from tbd_app.types import Faces, Frames
from tests import media_factory

N = 10
SIZE = (960, 720)  # the portrait's face is some 220 px high, so that the finest sizes can be spared


class Spy(FaceDetector):
    """Counts the frames that are searched for faces of all sizes."""

    searched = 0

    def candidates(
        self, frames: Sequence[np.ndarray], spared: int = 0
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        self.searched += 0 if spared else len(frames)
        return super().candidates(frames, spared)


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture(scope="module")
def moving() -> Frames:
    images = tuple(media_factory.portrait_frame(3 * i, SIZE) for i in range(N))
    return Frames(images, np.arange(N) * 8, np.arange(N) * 0.3, requested=N)


def same(found: list[Faces], wanted: list[Faces]) -> bool:
    return all(
        len(a) == len(b) and np.allclose(a.boxes, b.boxes, atol=0.5) and (a.verified == b.verified).all()
        for a, b in zip(found, wanted, strict=True)
    )


def with_images(frames: Frames, images: dict[int, np.ndarray]) -> Frames:
    return replace(frames, images=tuple(images.get(i, image) for i, image in enumerate(frames.images)))


def test_a_moving_face_is_found_as_by_a_full_search_of_every_frame(spy, moving) -> None:
    wanted = spy.detect(moving.images)
    spy.searched = 0
    assert same(followed.detect(spy, moving, 0.9), wanted)
    assert all(f.verified.any() for f in wanted)
    assert spy.searched == len({0, 4, 8, 9})


def test_every_frame_is_told_once(spy, moving) -> None:
    assert sorted(p for p, _ in followed.detect_iter(spy, moving, 0.9)) == list(range(N))


def test_somebody_who_comes_between_two_searched_frames_is_found(spy, moving) -> None:
    two = moving.images[2].copy()
    half = media_factory.portrait_frame(6, (SIZE[0] // 2, SIZE[1] // 2))
    two[20:280, 100:330] = half[20:280, 100:330]
    frames = with_images(moving, {2: two})
    assert int(followed.detect(spy, frames, 0.9)[2].verified.sum()) == 2


def test_somebody_who_leaves_for_a_frame_is_missed_there_and_found_again(spy, moving) -> None:
    frames = with_images(moving, {5: np.full_like(moving.images[5], 90)})
    found = followed.detect(spy, frames, 0.9)
    assert [bool(f.verified.any()) for f in found] == [i != 5 for i in range(N)]


def test_both_sides_of_a_cut_are_searched(spy, moving) -> None:
    frames = with_images(moving, {i: media_factory.faceless_frame(i, SIZE) for i in range(6, N)})
    found = followed.detect(spy, frames, 0.9)
    assert [bool(f.verified.any()) for f in found] == [i < 6 for i in range(N)]
    assert spy.searched == len({0, 4, 5, 6, 7, 8, 9})  # where nobody is seen, nobody can be followed


@pytest.mark.parametrize("times_s", [np.arange(N) * 5.0, np.arange(N, dtype=float), np.zeros(N)])
def test_frames_far_apart_and_those_of_a_zip_are_all_searched(spy, moving, times_s) -> None:
    frames = replace(moving, times_s=times_s, indices=np.arange(N))
    assert all(f.verified.any() for f in followed.detect(spy, frames, 0.9))
    assert spy.searched == N


def test_a_picture_and_nothing_at_all(spy, moving) -> None:
    one = replace(moving, images=moving.images[:1], indices=np.zeros(1, int), times_s=np.zeros(1))
    assert [len(f) for f in followed.detect(spy, one, 0.9)] == [1]
    none = replace(moving, images=(), indices=np.zeros(0, int), times_s=np.zeros(0))
    assert followed.detect(spy, none, 0.9) == []
