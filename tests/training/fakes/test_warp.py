"""Redrawn mouths and animated stills: what moves, what stays, and that frames follow the driving clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tbd_app.pipeline.crops import cut_face
from tests.training.fakes.probes import SHORTCUTS, probe_auc, stills
from tests.training.toy_faces import SHARED, Face, face
from training.fakes import mouth
from training.fakes.animate import animate, blinks, match_clip, speech
from training.fakes.mouth import box_mask, low_resolution, redraw_mouth_clip
from training.fakes.warp import Pulls, expression, warp

SUBJECT = face(vary=False)
NOTHING = Pulls(np.zeros((1, 2)), np.zeros((1, 2)), np.ones((1, 2)))


def test_no_pull_changes_nothing_and_a_shift_shifts() -> None:
    np.testing.assert_array_equal(warp(SUBJECT.image, NOTHING), SUBJECT.image)
    shifted = warp(SUBJECT.image, NOTHING, np.array([[1.0, 0, 7], [0, 1, -3]]))
    np.testing.assert_array_equal(shifted[:-3, 7:], SUBJECT.image[3:, :-7])


def test_a_pull_moves_what_is_there_and_leaves_what_is_far() -> None:
    dots = np.zeros((120, 120, 3), np.uint8)
    for x in (30, 90):
        cv2.circle(dots, (x, 60), 3, (255, 255, 255), -1)
    pulls = Pulls(np.array([[30.0, 60]]), np.array([[6.0, -4]]), np.full((1, 2), 12.0))
    moved = warp(dots, pulls)
    np.testing.assert_array_equal(moved[:, 75:], dots[:, 75:])
    moments = cv2.moments(moved[:, :60, 0])
    assert moments["m10"] / moments["m00"] == pytest.approx(36, abs=1)
    assert moments["m01"] / moments["m00"] == pytest.approx(56, abs=1)


def test_an_expression_stays_at_its_part_of_the_face() -> None:
    eyes, mouth = (int(SUBJECT.landmarks[part, 1].mean()) for part in (slice(0, 2), slice(3, 5)))
    nose = int(SUBJECT.landmarks[2, 1])
    for moves, part in (({"opening": 0.15}, slice(nose, None)), ({"closing": 1.0}, slice(0, nose))):
        changed = (warp(SUBJECT.image, expression(SUBJECT.landmarks, **moves)) != SUBJECT.image).any((1, 2))
        inside = np.zeros_like(changed)
        inside[part] = True
        assert changed[eyes if "closing" in moves else mouth + 4]
        assert changed[inside].sum() > 0.85 * changed.sum()


def test_a_redrawn_mouth_lies_at_the_mouth_and_moves_on_its_own(monkeypatch) -> None:
    monkeypatch.setattr(mouth, "REGION_SHARES", {"lower_face": 0.6, "mouth": 0.4})
    y = SUBJECT.landmarks[:2, 1].max() - 2
    moving = 0
    for seed in range(12):
        pairs = redraw_mouth_clip(
            [SUBJECT.image] * 3, np.repeat(SUBJECT.landmarks[None], 3, 0), np.random.default_rng(seed)
        )
        for pair in pairs:
            np.testing.assert_array_equal(pair.real[: int(y)], pair.fake[: int(y)])
            np.testing.assert_array_equal(pair.mask, pairs[0].mask)
            np.testing.assert_array_equal(pair.real, pairs[0].real)
        moving += (pairs[0].fake != pairs[1].fake).any()
    assert 3 <= moving < 12


def test_a_box_may_be_pasted_with_sharp_edges() -> None:
    sharp = 0
    for seed in range(20):
        mask = box_mask(SUBJECT.landmarks, SUBJECT.image.shape[:2], np.random.default_rng(seed))
        assert (mask.shape, mask.dtype) == (SUBJECT.image.shape[:2], np.float32)
        x, y = SUBJECT.landmarks[3:].mean(0).astype(int)
        assert mask[y, x] > 0.99  # the mouth is always in it
        assert mask[0].max() == 0
        if set(np.unique(mask)) == {0, 1}:
            sharp += 1
            ys, xs = np.nonzero(mask)
            assert mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].all()  # an upright box
    assert 4 < sharp < 16


def test_a_coarse_face_loses_detail_and_keeps_its_place() -> None:
    fine = SUBJECT.image.astype(float)
    for rng in (None, np.random.default_rng(0)):
        coarse = low_resolution(SUBJECT.image, SUBJECT.landmarks, 48, rng).astype(float)
        assert coarse.shape == fine.shape
        assert np.abs(coarse - fine).mean() < np.abs(coarse - np.roll(fine, 5, 1)).mean()
    plain = low_resolution(SUBJECT.image, SUBJECT.landmarks, 48)
    assert cv2.Laplacian(plain, cv2.CV_64F).var() < 0.5 * cv2.Laplacian(SUBJECT.image, cv2.CV_64F).var()
    assert (
        np.abs(low_resolution(SUBJECT.image, SUBJECT.landmarks, 1e4).astype(int) - SUBJECT.image).max() == 0
    )


def driving(length: int = 8) -> np.ndarray:
    """Another face's landmarks (T,5,2), half as large, that drift to the right and open their mouth corners."""
    points = np.repeat(SUBJECT.landmarks[None] * 0.5 + 20, length, 0)
    points[..., 0] += np.arange(length)[:, None] * 0.8
    points[:, 3, 0] -= np.arange(length) * 0.3
    points[:, 4, 0] += np.arange(length) * 0.3
    return points


def animated(seed: int = 0, **changes: object):
    return animate(
        SUBJECT.image, SUBJECT.box, SUBJECT.landmarks, driving(), np.random.default_rng(seed), **changes
    )


def test_a_still_follows_the_clip() -> None:
    made = animated()
    assert (len(made.images), made.boxes.shape, made.landmarks.shape) == (8, (8, 4), (8, 5, 2))
    assert all((i.shape, i.dtype) == (SUBJECT.image.shape, np.uint8) for i in made.images)
    np.testing.assert_allclose(made.landmarks[0], SUBJECT.landmarks, atol=2)
    np.testing.assert_allclose(made.boxes[0], SUBJECT.box, atol=2)
    centre = made.landmarks.mean(1)[:, 0]
    assert (np.diff(centre) > 0).all()
    assert centre[-1] - centre[0] == pytest.approx(2 * 0.8 * 7, rel=0.2)  # the still is twice as large
    width = made.landmarks[:, 4, 0] - made.landmarks[:, 3, 0]
    assert width[-1] > width[0] + 2


def test_the_picture_goes_where_the_landmarks_say() -> None:
    """The nose's surroundings are found where the last frame's landmark is."""
    made = animated(redraw=list)
    x, y = SUBJECT.landmarks[2].astype(int)
    template = SUBJECT.image[y - 12 : y + 12, x - 12 : x + 12]
    place = (
        np.array(cv2.minMaxLoc(cv2.matchTemplate(made.images[-1], template, cv2.TM_CCOEFF_NORMED))[3]) + 12
    )
    np.testing.assert_allclose(place, made.landmarks[-1, 2], atol=3)


def test_seeds_decide_and_a_redrawer_draws_all_frames() -> None:
    np.testing.assert_array_equal(animated(1).images, animated(1).images)
    assert not np.array_equal(animated(1).images, animated(2).images)
    assert [i.sum() for i in animated(redraw=lambda frames: [f * 0 for f in frames]).images] == [0] * 8


def test_lids_and_lips_move_within_bounds() -> None:
    lids = [blinks(100, 25, np.random.default_rng(s)) for s in range(30)]
    lips = [speech(100, 25, np.random.default_rng(s)) for s in range(30)]
    assert all(0 <= v.min() <= v.max() <= 1 for v in lids)
    assert 0.3 < np.mean([v.max() > 0.8 for v in lids]) <= 1
    assert all(np.abs(v).max() <= 0.2 for v in lips)
    assert 1 <= sum(not v.any() for v in lips) <= 15
    assert max(np.abs(np.diff(v)).max() for v in lips) < 0.2


@pytest.mark.parametrize(("scale", "sigma"), [(0.6, 2.5), (1.4, 0.5), (1.0, 3.0)])
def test_a_still_becomes_as_large_sharp_and_dark_as_the_video(scale, sigma) -> None:
    other = face(4)
    dark = cv2.GaussianBlur((other.image * 0.6).astype(np.uint8), (0, 0), sigma)
    eyes = [np.hypot(*(f.landmarks[1] - f.landmarks[0])) for f in (SUBJECT, other)]
    video = cv2.resize(dark, None, fx=scale * eyes[0] / eyes[1], fy=scale * eyes[0] / eyes[1])
    theirs = other.landmarks * scale * eyes[0] / eyes[1]
    still, box, points = match_clip(SUBJECT.image, SUBJECT.box, SUBJECT.landmarks, video, theirs)
    np.testing.assert_allclose(points, SUBJECT.landmarks * scale, rtol=0.02)
    np.testing.assert_allclose(box, SUBJECT.box * scale, rtol=0.02)
    parts = []
    for picture, (x, y) in ((still, points.mean(0).astype(int)), (video, theirs.mean(0).astype(int))):
        reach = int(30 * scale)
        parts.append(picture[y - reach : y + reach, x - reach : x + reach])
    sharpness = [cv2.Laplacian(part, cv2.CV_64F).var() for part in parts]
    assert 0.4 < sharpness[0] / sharpness[1] < 2.5
    light = [part.mean() for part in (SUBJECT.image, *parts)]
    assert abs(light[1] - light[2]) < abs(light[0] - light[2])


@pytest.mark.parametrize(
    "shared",
    [
        False,
        pytest.param(
            True,
            marks=[
                pytest.mark.shared,
                pytest.mark.skipif(not SHARED.is_dir(), reason="no media in ../shared/data"),
            ],
        ),
    ],
)
def test_no_shortcut_tells_an_animated_still_from_the_video_that_drives_it(shared) -> None:
    """Videos are darker and softer here; fakes are sharp stills that `match_clip` and `animate` bring to them."""
    faces = stills(160) if shared else [face(n) for n in range(160)]
    crops = []
    for n, (still, seen) in enumerate(zip(faces[::2], faces[1::2], strict=True)):
        rng = np.random.default_rng(n)
        soft = cv2.GaussianBlur(seen.image, (0, 0), rng.uniform(0.8, 1.6))
        video = Face((soft * 0.88).astype(np.uint8), seen.box, seen.landmarks)
        alike = match_clip(still.image, still.box, still.landmarks, video.image, video.landmarks)
        made = animate(*alike, np.repeat(video.landmarks[None], 2, 0), rng)
        crops += [
            cut_face(video.image, video.box, 1.3, 160),
            cut_face(made.images[1], made.boxes[1], 1.3, 160),
        ]
    for feature in SHORTCUTS:
        assert probe_auc([feature(c) for c in crops]) < 0.65, feature.__name__
