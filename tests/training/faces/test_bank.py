"""The bank of faces: built by the serving code from real files, its geometry in place, and cached."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tbd_app.pipeline.faces import FaceDetector, iou
from tests.media_factory import portrait_clip, portrait_image
from tests.training.faces.test_index import CROP, write_index
from tests.training.toy_faces import astronaut, face
from training.faces import bank as bank_room
from training.faces.bank import FaceBank
from training.faces.index import Item, read_index

N_FRAMES = 3


def write_collection(root: Path, split: str = "train") -> Path:
    """A clip, a picture, a crop and a file that is no picture, with their index."""
    portrait_clip(root / "clip.mp4", n_frames=20)
    portrait_image(root / "picture.png", size=(480, 360))
    subject = face(vary=False)
    Image.fromarray(subject.image).save(root / "crop.png")
    (root / "broken.jpg").write_text("not a picture", encoding="utf-8")
    blank = CROP | {"face_box": "", "landmarks": "", "split": split}
    crop = {"face_box": subject.box, "landmarks": subject.landmarks.ravel()}
    return write_index(
        root,
        blank | {"path": "clip.mp4", "kind": "video", "identity": "clip"},
        blank | {"path": "broken.jpg", "kind": "image", "identity": "broken"},
        blank | {"path": "picture.png", "kind": "image", "identity": "picture"},
        blank | {"path": "crop.png"} | {k: " ".join(map(str, v)) for k, v in crop.items()},
    )


@pytest.fixture(scope="module")
def items(tmp_path_factory) -> list[Item]:
    return read_index(write_collection(tmp_path_factory.mktemp("collection")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def bank(items, cache) -> FaceBank:
    return bank_room.load_or_build(items, cache, n_frames=N_FRAMES)


def test_every_readable_file_has_its_rows(bank) -> None:
    assert bank.item.tolist() == [0] * N_FRAMES + [2, 3]
    assert bank.position.tolist() == [*range(N_FRAMES), 0, 0]
    assert len(bank) == N_FRAMES + 2
    assert (bank.boxes.dtype, bank.landmarks.dtype) == (np.float32, np.float32)
    assert bank.landmarks.shape == (len(bank), 5, 2)


def test_boxes_and_landmarks_land_on_the_face_again(bank) -> None:
    images = [bank.image(row) for row in range(len(bank))]
    for row, found in enumerate(FaceDetector(min_face_px=bank_room.MIN_FACE_PX).detect(images)):
        assert found.verified[0]
        assert iou(bank.boxes[row], found.boxes[0]) > 0.75
        eyes = np.linalg.norm(bank.landmarks[row, 1] - bank.landmarks[row, 0])
        assert np.abs(bank.landmarks[row] - found.landmarks[0]).max() < 0.15 * eyes


def test_a_crop_keeps_its_pixels_box_and_landmarks(bank) -> None:
    subject = face(vary=False)
    np.testing.assert_array_equal(bank.image(len(bank) - 1), subject.image)
    np.testing.assert_allclose(bank.boxes[-1], subject.box, rtol=1e-5)
    np.testing.assert_allclose(bank.landmarks[-1], subject.landmarks, rtol=1e-5)


def test_faces_keep_their_surroundings(bank) -> None:
    """Enough for the widest crop of training around the middle of the box, where the picture allows it."""
    for row in range(len(bank) - 1):
        side = max(bank.boxes[row, 2:] - bank.boxes[row, :2])
        assert max(bank.image(row).shape[:2]) > 1.5 * side


def test_the_same_bank_is_not_built_twice(bank, items, cache, monkeypatch) -> None:
    monkeypatch.setattr(bank_room, "build", _forbidden)
    again = bank_room.load_or_build(items, cache, n_frames=N_FRAMES)
    for name in set(FaceBank.__slots__) - {"blob"}:
        np.testing.assert_array_equal(getattr(again, name), getattr(bank, name))
    assert all(np.array_equal(again.encoded(row), bank.encoded(row)) for row in range(len(bank)))


def test_a_copy_of_a_bank_for_another_process_holds_no_pictures(bank) -> None:
    copied = pickle.dumps(bank)
    assert len(copied) < 4000 < len(bank.blob)
    assert np.array_equal(pickle.loads(copied).image(1), bank.image(1))  # noqa: S301 - made here


@pytest.mark.parametrize("change", [{"n_frames": N_FRAMES + 1}, {"n_items": 2}])
def test_another_bank_is_built_anew(bank, items, cache, monkeypatch, change) -> None:
    monkeypatch.setattr(bank_room, "build", _forbidden)
    with pytest.raises(AssertionError, match="built"):
        bank_room.load_or_build(
            items[: change.get("n_items")], cache, n_frames=change.get("n_frames", N_FRAMES)
        )


def _forbidden(*_, **__):
    raise AssertionError("built")


def test_nothing_half_written_stays(bank, cache) -> None:
    assert [p.suffixes for p in cache.iterdir()] == [[".npz"]]


def test_media_without_faces_are_refused(items) -> None:
    with pytest.raises(SystemExit, match="No face"):
        bank_room.build([items[1]], n_frames=1)


@pytest.mark.parametrize(
    "box", [(180, 66, 267, 175), (-20, -30, 60, 90), (460, 420, 530, 520), (10, 10, 500, 500)]
)
def test_a_wide_cut_can_be_traced_back(box) -> None:
    """A point of the picture, moved by origin and scale, shows the same colour in the cut."""
    box = np.array(box, np.float32)
    image = np.repeat(np.mgrid[:512, :512].sum(0)[..., None] // 4, 3, axis=2).astype(np.uint8)
    wide, origin, scale = bank_room.cut_wide(image, box)
    assert max(wide.shape[:2]) <= bank_room.MAX_SIDE_PX
    x, y = np.clip((box[:2] + box[2:]) / 2, 0, 511).astype(int)
    u, v = np.minimum((np.array([x, y]) - origin) * scale, np.array(wide.shape[1::-1]) - 1).astype(int)
    assert abs(int(wide[v, u, 0]) - int(image[y, x, 0])) <= 2


def test_a_small_face_is_not_enlarged() -> None:
    wide, _, scale = bank_room.cut_wide(astronaut(), np.array([180, 66, 267, 175], np.float32))
    assert scale == 1
    assert max(wide.shape[:2]) == pytest.approx(1.8 * 109, abs=2)
