"""Faces that cannot be judged: each is declined with its reason, and ordinary ones are not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from tbd_app.pipeline import fitness, people
from tbd_app.pipeline.tracks import blur
from tbd_app.types import FaceTrack, Frames, TrackQuality
from tests import media_factory

PICTURE = np.ascontiguousarray(astronaut()[:320, 60:380])
BOX = np.array([113, 60, 212, 176], np.float32)  # of the face, xyxy px
LANDMARKS = np.array([[145, 102], [186, 103], [165, 131], [142, 141], [185, 142]], np.float32)


@pytest.fixture(scope="module")
def detector():
    return people.detector("cpu", 64)


def checked(image: np.ndarray, box: np.ndarray = BOX, landmarks: np.ndarray = LANDMARKS) -> FaceTrack:
    frames = Frames((image,), np.zeros(1, np.int64), np.zeros(1), 1)
    quality = TrackQuality(float(max(box[2:] - box[:2])), blur(image, box), 1.0)
    track = FaceTrack(0, np.zeros(1, np.int64), box[None], landmarks[None], quality)
    return fitness.checked(track, frames, people.detector("cpu", 64))


def turned(k: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture after k anticlockwise quarter turns, and where the face is then."""
    corners = BOX.reshape(2, 2)
    for _ in range(k):
        corners = np.stack([corners[:, 1], len(PICTURE) - corners[:, 0]], axis=1)
    return np.ascontiguousarray(np.rot90(PICTURE, k)), np.concatenate([corners.min(0), corners.max(0)])


def test_an_ordinary_face_is_judged() -> None:
    assert checked(PICTURE).exclusion is None


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_face_on_its_side_or_upside_down_is_declined_wherever_its_landmarks_were_put(k, detector) -> None:
    image, box = turned(k)
    assert checked(image, box).exclusion == "face_turned"
    assert fitness.quarter_turns([image], box[None], detector) == 4 - k


@pytest.mark.parametrize("angle", [-25, 25])
def test_a_head_that_is_tilted_is_not_turned(angle, detector) -> None:
    turn = cv2.getRotationMatrix2D((162.5, 118), angle, 1)
    tilted = cv2.warpAffine(PICTURE, turn, (320, 320), borderMode=cv2.BORDER_REFLECT)
    assert fitness.quarter_turns([tilted], BOX[None], detector) == 0


def test_too_dark_and_too_blurred() -> None:
    assert checked((PICTURE * 0.1).astype(np.uint8)).exclusion == "too_dark"
    assert checked(cv2.GaussianBlur(PICTURE, (0, 0), 8)).exclusion == "too_blurred"
    for fine in (PICTURE * 0.4, cv2.GaussianBlur(PICTURE, (0, 0), 1)):
        assert checked(fine.astype(np.uint8)).exclusion is None


def test_a_face_from_the_side_only() -> None:
    nose_beyond = LANDMARKS + np.float32([[0, 0], [0, 0], [30, 0], [0, 0], [0, 0]])
    assert checked(PICTURE, landmarks=nose_beyond).exclusion == "side_view"
    assert fitness.nose_offset(np.stack([LANDMARKS, nose_beyond])) == pytest.approx([0.01, 0.72], abs=0.03)
    # a tilted head is not one seen from the side
    angle = np.deg2rad(40)
    tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert fitness.nose_offset((nose_beyond @ tilt.T)[None])[0] == pytest.approx(0.72, abs=0.05)


def test_a_reason_that_is_there_stays() -> None:
    small = replace(checked(PICTURE), exclusion="face_too_small")
    frames = Frames((np.zeros_like(PICTURE),), np.zeros(1, np.int64), np.zeros(1), 1)
    assert fitness.checked(small, frames, people.detector("cpu", 64)) is small


def test_a_file_is_searched_turned_where_no_face_was_confirmed(detector) -> None:
    upside_down = np.ascontiguousarray(PICTURE[::-1, ::-1])
    assert fitness.faces_when_turned([upside_down], detector, 0.9) == 1
    assert fitness.faces_when_turned([media_factory.faceless_frame()] * 2, detector, 0.9) == 0
