"""From one medium to its faces: masks, crops that come as they are, and files that are missing."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.media_factory import encode, portrait_clip, portrait_frame
from tests.training.toy_faces import astronaut, face
from training.collect.cut import CutSettings, cut
from training.collect.medium import KnownFace, Medium

CUT = CutSettings(frames=3)


def two_people(i: int) -> np.ndarray:
    """A frame with the portrait twice, side by side."""
    one = portrait_frame(i, (240, 240))
    return np.concatenate([one, one[:, ::-1]], axis=1)


def test_a_mask_tells_whose_face_is_fake(tmp_path) -> None:
    encode(tmp_path / "clip.mp4", (two_people(i) for i in range(6)))
    mask = np.zeros((240, 480, 3), np.uint8)
    mask[60:180, 300:420] = 255
    encode(tmp_path / "mask.mp4", [mask] * 6)
    result = cut(Medium(tmp_path, "clip.mp4", "toy", "v", 1, "test", mask="mask.mp4"), CUT)
    shares = {t: [f.mask_share for f in result.faces if f.track_id == t] for t in (0, 1)}
    (changed, untouched) = sorted(shares.values(), reverse=True)
    assert min(changed) > 0.5
    assert max(untouched) < 0.05


def test_a_mask_that_cannot_be_read_fails_its_medium(tmp_path) -> None:
    portrait_clip(tmp_path / "clip.mp4", n_frames=4)
    result = cut(Medium(tmp_path, "clip.mp4", "toy", "v", 1, "test", mask="mask.mp4"), CUT)
    assert result.faces == ()
    assert "mask.mp4" in result.failure


def test_crops_are_taken_as_they_are_where_the_detector_finds_nothing(tmp_path) -> None:
    (tmp_path / "sequence").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)  # nothing a detector would find
    for n in (2, 10, 1):
        Image.fromarray(noise).save(tmp_path / "sequence" / f"{n}.png")
    known = KnownFace((0.1, 0.1, 0.9, 0.9))
    result = cut(Medium(tmp_path, "sequence", "toy", "v", 0, "train", face=known), CUT)
    assert (result.n_frames, result.fps, [f.frame for f in result.faces]) == (3, None, [0, 1, 2])
    first = result.faces[0]
    assert first.box.tolist() == pytest.approx([6.4, 6.4, 57.6, 57.6])
    assert first.landmarks is None
    assert cv2.imdecode(np.frombuffer(first.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (64, 64, 3)


@pytest.mark.parametrize("wanted", [True, False])
def test_landmarks_of_crops_are_searched_for(tmp_path, wanted) -> None:
    subject = face(vary=False)
    Image.fromarray(subject.image).save(tmp_path / "a.png")
    known = KnownFace(tuple((subject.box + 4).tolist()), relative=False)
    settings = dataclasses.replace(CUT, find_landmarks=wanted)
    (cut_face,) = cut(Medium(tmp_path, "a.png", "toy", "v", 0, "train", face=known), settings).faces
    assert cut_face.box.tolist() == pytest.approx(known.box)
    if wanted:
        assert cut_face.landmarks == pytest.approx(subject.landmarks, abs=5)
    else:
        assert cut_face.landmarks is None


def test_a_picture_with_a_known_face_keeps_its_landmarks(tmp_path) -> None:
    Image.fromarray(astronaut()).save(tmp_path / "a.png")
    points = tuple(range(150, 160))
    known = KnownFace((180, 66, 267, 174), tuple(map(float, points)), relative=False)
    (face,) = cut(Medium(tmp_path, "a.png", "toy", "v", 0, "train", face=known), CUT).faces
    origin = np.array([180, 66]) - face.box[:2]
    assert face.landmarks + origin == pytest.approx(np.array(points).reshape(5, 2), abs=1e-3)


def test_missing_files_fail_alone(tmp_path) -> None:
    for known in (None, KnownFace((0, 0, 1, 1))):
        assert (
            "There is no file 'a.mp4'"
            in cut(Medium(tmp_path, "a.mp4", "toy", "v", 0, "test", face=known), CUT).failure
        )
