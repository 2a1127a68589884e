"""Who is who over time, on faces placed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from skimage import data

from tbd_app.pipeline.tracks import blur, link
from tbd_app.types import Faces, FaceTrack, Frames
from tests import media_factory

T = 12
BLUE, RED = (40, 60, 160), (170, 50, 40)
Box = tuple[float, float, float, float]


def square(x: float, y: float = 100.0, side: float = 80.0) -> Box:
    """The box of a face around a centre."""
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def faces_at(boxes: Sequence[Box], verified: bool = True) -> Faces:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(array)
    centres = (array[:, :2] + array[:, 2:]) / 2
    return Faces(array, np.full(n, 0.99, np.float32), centres[:, None].repeat(5, 1), np.full(n, verified))


def frames_of(colours: Sequence[tuple[int, int, int]], size: tuple[int, int] = (480, 640)) -> Frames:
    """One even picture a frame, with a little light noise as in a shot."""
    rng = np.random.default_rng(0)
    images = tuple(
        np.clip(np.array(c) + rng.normal(0, 6, (*size, 3)), 0, 255).astype(np.uint8) for c in colours
    )
    n = len(images)
    return Frames(images, np.arange(n), np.arange(n) / 2, requested=n)


@pytest.fixture(scope="module")
def shot() -> Frames:
    return frames_of([BLUE] * T)


def linked(frames: Frames, boxes: Sequence[Sequence[Box]], **options) -> list[FaceTrack]:
    return link(frames, [faces_at(b) for b in boxes], **options)


def positions(tracks: Sequence[FaceTrack]) -> list[list[int]]:
    return [t.positions.tolist() for t in tracks]


def test_a_moving_face_is_one_person(shot) -> None:
    walk = [[square(100 + 35 * i)] for i in range(T)]
    (track,) = linked(shot, walk)
    assert positions([track]) == [list(range(T))]
    np.testing.assert_array_equal(track.boxes, np.array(walk, np.float32)[:, 0])
    np.testing.assert_array_equal(track.landmarks[:, 0, 0], 100 + 35 * np.arange(T, dtype=np.float32))
    assert track.quality.coverage == 1
    assert track.quality.median_side_px == 80
    assert track.exclusion is None


def test_two_people_stay_apart(shot) -> None:
    boxes = [[square(200 + 4 * i, side=90), square(320 - 4 * i, side=80)][:: (-1) ** i] for i in range(T)]
    large, small = linked(shot, boxes)
    assert positions([large, small]) == [list(range(T))] * 2
    assert np.unique(large.boxes[:, 2] - large.boxes[:, 0]) == 90
    assert np.unique(small.boxes[:, 2] - small.boxes[:, 0]) == 80


def test_people_who_pass_each_other_keep_their_identity_by_height_and_size(shot) -> None:
    left = [square(100 + 35 * i, y=120, side=80) for i in range(T)]
    right = [square(485 - 35 * i, y=180, side=100) for i in range(T)]
    a, b = linked(shot, list(zip(left, right, strict=True)))
    np.testing.assert_array_equal(a.boxes, np.array(right, np.float32))
    np.testing.assert_array_equal(b.boxes, np.array(left, np.float32))


def test_a_cut_ends_a_track_even_when_the_next_face_is_in_the_same_place() -> None:
    frames = frames_of([BLUE] * 6 + [RED] * 6)
    assert positions(linked(frames, [[square(300)]] * T)) == [list(range(6)), list(range(6, 12))]


def test_changing_light_is_no_cut() -> None:
    light = 1 + 0.12 * np.sin(np.arange(T))
    images = tuple(
        np.clip(media_factory.portrait_frame(i) * v, 0, 255).astype(np.uint8) for i, v in enumerate(light)
    )
    frames = Frames(images, np.arange(T), np.arange(T) / 2, requested=T)
    assert positions(linked(frames, [[square(160)]] * T)) == [list(range(T))]


def test_one_missed_frame_does_not_end_a_track(shot) -> None:
    boxes = [[] if i == 5 else [square(300 + 10 * i)] for i in range(T)]
    (track,) = linked(shot, boxes)
    assert positions([track]) == [[i for i in range(T) if i != 5]]
    assert track.quality.coverage == pytest.approx(11 / 12)


def test_a_longer_absence_ends_a_track(shot) -> None:
    boxes = [[] if i in (5, 6) else [square(300)] for i in range(T)]
    assert positions(linked(shot, boxes)) == [list(range(5)), list(range(7, 12))]


def test_a_jump_across_the_picture_is_somebody_else(shot) -> None:
    boxes = [[square(100 if i < 6 else 500)] for i in range(T)]
    assert positions(linked(shot, boxes)) == [list(range(6)), list(range(6, 12))]


def test_a_face_twice_the_size_in_the_same_place_is_somebody_else(shot) -> None:
    boxes = [[square(300, side=80 if i < 6 else 160)] for i in range(T)]
    assert positions(linked(shot, boxes)) == [list(range(6, 12)), list(range(6))]


def test_a_face_that_was_not_verified_is_in_no_track(shot) -> None:
    faces = [faces_at([square(100), square(400)]) for _ in range(T)]
    for found in faces:
        found.verified[0] = False
    (track,) = link(shot, faces)
    np.testing.assert_array_equal(track.boxes, np.array([square(400)] * T, np.float32))


def test_nobody_gives_no_track(shot) -> None:
    assert linked(shot, [[]] * T) == []


@pytest.mark.parametrize(
    ("side", "seen", "exclusion"),
    [
        (64, T, None),
        (63, T, "face_too_small"),
        (80, 3, None),  # a quarter of 12
        (80, 2, "too_brief"),
        (40, 1, "face_too_small"),  # the more lasting reason of the two
    ],
)
def test_the_too_small_and_the_too_brief_are_kept_with_their_reason(shot, side, seen, exclusion) -> None:
    boxes = [[square(300, side=side)] if i < seen else [] for i in range(T)]
    (track,) = linked(shot, boxes)
    assert track.exclusion == exclusion
    assert len(track) == seen


def test_the_bounds_are_settings(shot) -> None:
    boxes = [[square(300, side=40)] if i < 2 else [] for i in range(T)]
    (track,) = linked(shot, boxes, min_face_px=32, min_share=0.1)
    assert track.exclusion is None


def test_the_median_size_counts_not_the_smallest(shot) -> None:
    boxes = [[square(300, side=60 if i < 5 else 70)] for i in range(T)]
    (track,) = linked(shot, boxes)
    assert track.quality.median_side_px == 70
    assert track.exclusion is None


def test_the_largest_and_longest_come_first_and_are_numbered(shot) -> None:
    boxes = [
        [square(80, side=70), *([square(300, side=150)] if i < 4 else []), square(520, side=90)]
        for i in range(T)
    ]
    tracks = linked(shot, boxes)
    assert [t.track_id for t in tracks] == [0, 1, 2]
    assert [t.quality.median_side_px for t in tracks] == [90, 70, 150]  # 12 x 90 > 12 x 70 > 4 x 150


def test_a_single_image(shot) -> None:
    (track,) = linked(frames_of([BLUE]), [[square(300)]])
    assert (len(track), track.exclusion, track.quality.coverage) == (1, None, 1)


def test_frames_of_mixed_sizes() -> None:
    small, large = frames_of([BLUE] * 2, (240, 320)), frames_of([BLUE] * 2, (480, 640))
    images = (*small.images, *large.images)
    frames = Frames(images, np.arange(4), np.arange(4.0), requested=4)
    boxes = [[square(150, side=90)]] * 2 + [[square(170, side=100)]] * 2
    assert positions(linked(frames, boxes)) == [[0, 1, 2, 3]]


def test_frames_and_faces_must_pair_up(shot) -> None:
    with pytest.raises(ValueError, match="zip"):
        linked(shot, [[square(300)]])


def test_a_blurred_face_is_less_sharp_whatever_its_size() -> None:
    sharp, box = data.astronaut(), np.array([170, 60, 275, 205], np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), 3)
    assert blur(soft, box) < blur(sharp, box) / 5
    assert blur(np.full((200, 200, 3), 77, np.uint8), np.array([50, 50, 150, 150])) == 0


def test_flickering_light_is_no_cut() -> None:
    light = [1.0 if i % 2 else 0.7 for i in range(T)]
    images = tuple((media_factory.portrait_frame(0) * share).astype(np.uint8) for share in light)
    flicker = Frames(images, np.arange(T), np.arange(T) / 2, requested=T)
    assert positions(linked(flicker, [[square(160)]] * T)) == [list(range(T))]
