"""Reading cut faces: shards and folders alike, rows, tracks and the bank."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.toy_faces import face
from training.collect.cut import CutFace, CutMedium
from training.collect.medium import Medium
from training.collect.store import FaceWriter
from training.datasets.pairs import PairDataset
from training.faces.shards import FaceStore, Track, listed
from training.faces.stream import faces_in, shards_of

FACE = face(vary=False)


def cut_face(track_id: int, frame: int, *, share: float | None = None, landmarks: bool = True) -> CutFace:
    """A face whose first pixel tells its track and frame."""
    image = face(frame + 10 * track_id).image.copy()
    image[:8, :8] = (40 * track_id, 20 * frame, 0)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1])
    points = FACE.landmarks.astype(np.float32) if landmarks else None
    return CutFace(track_id, frame, frame / 25, jpeg.tobytes(), FACE.box.astype(np.float32), points, share)


def cut_medium(shares: tuple[float | None, ...] = (None,), frames: int = 3, **options) -> CutMedium:
    """One track for each mask share; frames of all tracks, as a detector finds them."""
    faces = [cut_face(t, f, share=s, **options) for t, s in enumerate(shares) for f in range(frames)]
    return CutMedium(tuple(faces), fps=25.0, n_frames=99)


def medium(file: str, label: int = 0, split: str = "train") -> Medium:
    method = "Deepfakes" if label else ""
    return Medium(
        Path(), file, "toy", file.split(".")[0], label, split, method=method, target_id=f"toy:{file}"
    )


@pytest.fixture(scope="module", params=["shards", "folders"])
def store(request, tmp_path_factory) -> FaceStore:
    root = tmp_path_factory.mktemp(request.param)
    with FaceWriter(root, request.param, faces_per_shard=5) as writer:
        writer.add(medium("real.mp4"), cut_medium((None, None)))
        writer.add(medium("swap.mp4", 1), cut_medium((0.01, 0.7)))
        writer.add(medium("nomask.mp4", 1), cut_medium((None, None)))
        writer.add(medium("nothing.mp4", 1), cut_medium((0.0, 0.02)))
        writer.add(medium("val.png", 0, "val"), cut_medium(frames=1))
        writer.add(medium("crops", 0, "val"), cut_medium(frames=2, landmarks=False))
    return FaceStore(root)


def test_rows_give_their_pictures(store) -> None:
    assert len(store) == 4 * 6 + 1 + 2
    for row in range(len(store)):
        corner = store.image(row)[2, 2]
        place = store.table.loc[row, ["track_id", "frame"]]
        assert corner[:2].tolist() == pytest.approx([40 * place["track_id"], 20 * place["frame"]], abs=12)
    assert store.image(0).dtype == np.uint8


def test_boxes_and_landmarks_come_back(store) -> None:
    assert store.box(3) == pytest.approx(FACE.box, abs=0.01)
    assert store.landmarks(3) == pytest.approx(FACE.landmarks, abs=0.01)
    assert store.landmarks(len(store) - 1) is None


def names(tracks: list[Track], store: FaceStore) -> list[tuple[str, int]]:
    return [(t.video_id, int(store.table.at[t.rows[0], "track_id"])) for t in tracks]


def test_only_tracks_whose_label_holds_train(store) -> None:
    assert names(store.tracks("train"), store) == [("real", 0), ("real", 1), ("swap", 1), ("nomask", 0)]


def test_everybody_is_there_for_an_evaluation(store) -> None:
    everybody = names(store.tracks("train", everybody=True), store)
    assert everybody == [(v, t) for v in ("real", "swap", "nomask", "nothing") for t in (0, 1)]


def test_tracks_know_their_medium_and_go_by_time(store) -> None:
    swap = store.tracks("train")[2]
    assert (swap.label, swap.split, swap.dataset, swap.method) == (1, "train", "toy", "Deepfakes")
    assert store.table.loc[swap.rows, "frame"].tolist() == [0, 1, 2]
    assert len(store.tracks()) == 6


def test_the_bank_serves_the_recipes(store) -> None:
    bank, items = store.bank("train")
    assert [(i.label, i.kind, i.generator, i.split) for i in items] == [
        *[(0, "video", "", "train")] * 2,  # two people of one clip, which a clip model must not mix
        *[(1, "video", "Deepfakes", "train")] * 2,
    ]
    assert bank.item.tolist() == [n for n in range(4) for _ in range(3)]
    assert bank.position.tolist() == [0, 1, 2] * 4
    assert all(np.array_equal(bank.image(row), store.image(row)) for row in (0, 4))
    assert len(pickle.dumps(bank)) < 6000 < len(bank.blob)
    preprocess = dataclasses.replace(for_spec(registry.spec("effnetv2_b0_frame")), size=48)
    pairs = PairDataset(bank, items, preprocess, length=4, seed=1, augment=False)
    pictures, labels, _ = pairs[0]
    assert pictures.shape == (2, 3, 48, 48)
    assert torch.equal(labels, torch.tensor([0, 1]))


def test_what_is_listed_is_what_the_bank_has(store) -> None:
    bank, items = store.bank("train")
    assert listed(store.root, "train") == (items, len(bank))
    assert listed(store.root, "val")[1] == 1
    with pytest.raises(SystemExit, match="no faces with landmarks in test"):
        listed(store.root, "test")


def test_a_store_of_one_split_has_its_faces_alone(store) -> None:
    val = FaceStore(store.root, ["val"])
    assert len(val) == 3
    assert np.array_equal(val.bank("val")[0].image(0), store.bank("val")[0].image(0))


def test_a_stream_of_the_shards_gives_the_faces_of_the_bank(store) -> None:
    if not (store.root / "shards").is_dir():
        with pytest.raises(SystemExit, match="holds no shards"):
            shards_of(str(store.root))
        return
    shards = shards_of(str(store.root / "shards"))
    assert len(shards) == 5
    assert shards_of(f"{store.root}/shards/{{000000..000004}}.tar") == shards
    for split in ("train", "val"):
        bank, items = store.bank(split)
        found = list(faces_in(shards, split))
        assert len(found) == len(bank)
        for row, one in enumerate(found):
            assert np.array_equal(one.image(), bank.image(row))
            assert one.label == items[bank.item[row]].label
            np.testing.assert_allclose(one.box, bank.boxes[row])
            np.testing.assert_allclose(one.landmarks, bank.landmarks[row])


def test_faces_without_landmarks_are_not_in_the_bank(store) -> None:
    bank, items = store.bank("val")
    assert (len(bank), len(items)) == (1, 1)


def test_a_bank_of_nothing_is_refused(store) -> None:
    with pytest.raises(SystemExit, match="no faces with landmarks in test"):
        store.bank("test")


def test_a_folder_that_was_not_extracted_is_refused(tmp_path) -> None:
    with pytest.raises(
        SystemExit, match=r"index\.parquet is missing: make it with training/extract_faces\.py"
    ):
        FaceStore(tmp_path)


def test_an_index_without_its_columns_is_refused(store, tmp_path) -> None:
    table = pq.read_table(store.root / "index.parquet").drop_columns(["box", "offset"])
    pq.write_table(table, tmp_path / "index.parquet")
    with pytest.raises(SystemExit, match=r"lacks the columns \['box', 'offset'\]"):
        FaceStore(tmp_path)
