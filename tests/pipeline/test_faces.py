"""The two passes of real MTCNN on real pictures: what is a face, where it is, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from facenet_pytorch import MTCNN
from skimage import data

from tbd_app.media.open import open_media
from tbd_app.media.sample import sample
from tbd_app.pipeline.faces import FaceDetector, iou
from tbd_app.settings import Limits
from tbd_app.types import Faces
from tests import media_factory

ASTRONAUT = data.astronaut()
FACE = np.array([180, 63, 267, 174], np.float32)  # as MTCNN alone sees it at full size
CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def one(detector: FaceDetector, image: np.ndarray, confidence: float = 0.9) -> Faces:
    return detector.detect([image], confidence)[0]


def scaled(factor: float) -> np.ndarray:
    return cv2.resize(ASTRONAUT, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("factor", [0.8, 1, 2, 3.75])
def test_a_face_is_found_at_any_size_of_picture(detector, factor) -> None:
    faces = one(detector, scaled(factor))
    assert faces.verified.tolist() == [True]
    assert iou(faces.boxes[0], FACE * factor) > 0.8
    assert faces.scores[0] >= 0.9


@pytest.mark.parametrize("light", [0.3, 0.6, 1.6])
def test_a_face_is_found_in_dim_and_glaring_light(detector, light) -> None:
    faces = one(detector, np.clip(ASTRONAUT * light, 0, 255).astype(np.uint8))
    assert faces.verified.tolist() == [True]
    assert iou(faces.boxes[0], FACE) > 0.8


def test_the_landmarks_are_eyes_nose_and_mouth_image_left_first(detector) -> None:
    faces = one(detector, ASTRONAUT)
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks[0]
    x0, y0, x1, y1 = faces.boxes[0]
    assert (faces.landmarks[0] > (x0, y0)).all()
    assert (faces.landmarks[0] < (x1, y1)).all()
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_the_answer_is_float32_in_the_promised_shapes(detector) -> None:
    for faces, n in ((one(detector, ASTRONAUT), 1), (one(detector, media_factory.faceless_frame()), 0)):
        assert (faces.boxes.shape, faces.boxes.dtype) == ((n, 4), np.float32)
        assert (faces.scores.shape, faces.scores.dtype) == ((n,), np.float32)
        assert (faces.landmarks.shape, faces.landmarks.dtype) == ((n, 5, 2), np.float32)
        assert (faces.verified.shape, faces.verified.dtype) == ((n,), bool)


def test_what_is_wanted_surer_than_the_detector_can_be_is_not_verified(detector) -> None:
    assert one(detector, ASTRONAUT, 0.5).verified.any()
    assert not one(detector, ASTRONAUT, 0.999999).verified.any()


def test_two_people_in_one_picture(detector) -> None:
    faces = one(detector, np.concatenate([ASTRONAUT, ASTRONAUT[:, ::-1]], axis=1))
    assert faces.verified.tolist() == [True, True]
    left, right = faces.boxes[np.argsort(faces.boxes[:, 0])]
    assert iou(left, FACE) > 0.7
    mirrored = np.array([1024 - FACE[2], FACE[1], 1024 - FACE[0], FACE[3]])
    assert iou(right, mirrored) > 0.7


def test_the_larger_face_comes_first_and_nobody_comes_twice(detector) -> None:
    small = np.zeros((512, 410, 3), np.uint8)
    small[:410] = scaled(0.8)[:, :410]
    faces = one(detector, np.concatenate([small, ASTRONAUT], axis=1))
    assert faces.verified.tolist() == [True, True]
    areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    assert areas[0] > areas[1]
    assert iou(*faces.boxes) == 0


@pytest.mark.parametrize("picture", ["noise", "stripes", "chess board", "waves", "grey", "cat", "coffee"])
def test_what_is_no_face_is_not_verified(detector, picture) -> None:
    stripes = np.zeros((480, 640, 3), np.uint8)
    stripes[:, ::20] = 255
    board = np.kron(np.indices((24, 32)).sum(0) % 2, np.full((20, 20), 255))
    image = {
        "noise": lambda: np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8),
        "stripes": lambda: stripes,
        "chess board": lambda: board[..., None].repeat(3, 2).astype(np.uint8),
        "waves": lambda: media_factory.faceless_frame(3, (640, 480)),
        "grey": lambda: np.full((480, 640, 3), 128, np.uint8),
        "cat": data.chelsea,
        "coffee": data.coffee,
    }[picture]()
    assert not one(detector, image, 0.5).verified.any()


def test_mixed_sizes_in_one_call_keep_their_places(detector) -> None:
    pictures = [
        scaled(0.8),
        media_factory.faceless_frame(),
        ASTRONAUT,
        np.zeros((1, 1, 3), np.uint8),
        scaled(0.8),
        scaled(2),
    ]
    found = detector.detect(pictures)
    assert [int(f.verified.sum()) for f in found] == [1, 0, 1, 0, 1, 1]
    for faces, factor in zip((found[0], found[2], found[4], found[5]), (0.8, 1, 0.8, 2), strict=True):
        assert iou(faces.boxes[0], FACE * factor) > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (19, 19), (64, 64), (65, 4000)])
def test_tiny_and_thin_pictures_have_no_face(detector, shape) -> None:
    assert len(one(detector, np.full((*shape, 3), 99, np.uint8))) == 0


def test_a_picture_that_is_all_face_does_not_trip_the_second_pass(detector) -> None:
    x0, y0, x1, y1 = FACE.astype(int)
    close = cv2.resize(ASTRONAUT[y0:y1, x0:x1], (400, 500))
    for faces in detector.detect([close, close[:300], close[:, :220]], 0.5):
        assert np.isfinite(faces.boxes).all()
    assert len(detector.detect([], 0.9)) == 0


def test_progress_is_told_in_small_batches_and_covers_every_picture_once(detector) -> None:
    pictures = [media_factory.faceless_frame(i, (160, 120)) for i in range(20)]
    results = detector.detect_iter(pictures)
    first, _ = next(results)
    assert sorted([first, *(i for i, _ in results)]) == list(range(20))


def test_a_face_in_a_batch_is_the_face_alone(detector) -> None:
    pictures = [media_factory.portrait_frame(i) for i in range(4)]
    together = detector.detect(pictures)
    for picture, faces in zip(pictures, together, strict=True):
        alone = one(detector, picture)
        np.testing.assert_allclose(faces.boxes, alone.boxes, atol=0.5)
        np.testing.assert_array_equal(faces.verified, alone.verified)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 4, 4), (1, 1, 2, 2), 1 / 16),
        ((1, 1, 1, 1), (1, 1, 1, 1), 0),
    ],
)
def test_intersection_over_union(a, b, expected) -> None:
    assert iou(np.array(a, np.float32), np.array(b, np.float32)) == pytest.approx(expected)


@pytest.mark.shared
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the clips of ../shared/data are not here")
def test_no_large_face_of_real_clips_is_lost_against_mtcnn_on_full_frames(detector) -> None:
    everything = MTCNN(keep_all=True)
    limits = Limits()
    found = total = 0
    clips = sorted((CLIPS / "real").iterdir())
    for path in clips[:: max(len(clips) // 10, 1)]:
        images = sample(open_media(path, limits), 8, limits).images[1::5]
        for image, ours in zip(images, detector.detect(images), strict=True):
            boxes, scores = everything.detect(image)
            if boxes is None:
                continue
            wide = (boxes[:, 2:] - boxes[:, :2]).max(axis=1) >= 64
            for box in boxes[wide & (scores >= 0.9)]:
                total += 1
                found += any(iou(box, other) > 0.4 for other in ours.boxes)
    assert total >= 15
    assert found / total >= 0.98
