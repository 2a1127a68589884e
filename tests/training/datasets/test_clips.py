"""Clips: which frames, what a mask says, one jitter for all, and pairs that share everything but the manipulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tbd_app.models import registry
from tbd_app.pipeline import score
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import FaceTrack, TrackQuality
from training.datasets import clips
from training.datasets.clips import (
    CLIP_SHARES,
    GENERATOR_CLIP_SHARES,
    ClipPairs,
    ClipReader,
    LabelledClips,
    choose,
)
from training.faces.open import Faces, open_faces
from training.faces.toy import TOY

SIZE = 48
PREPROCESS = dataclasses.replace(for_spec(registry.spec("effnet_b0_lstm")), size=SIZE)


@pytest.fixture(scope="module")
def faces() -> Faces:
    return open_faces(TOY)["train"]


def test_unaugmented_clips_take_the_frames_that_serving_takes() -> None:
    for n_frames in (1, 3, 10, 17, 32):
        track = FaceTrack(
            0,
            np.arange(n_frames),
            np.zeros((n_frames, 4)),
            np.zeros((n_frames, 5, 2)),
            TrackQuality(90, 9, 1),
        )
        spec = dataclasses.replace(registry.spec("effnet_b0_lstm"), clip_len=10)
        assert choose(n_frames, 10, "spread").tolist() == score.clip_rows(spec, track).tolist()


def test_drawn_frames_are_spread_in_order_and_reach_every_frame() -> None:
    rng = np.random.default_rng(1)
    draws = [choose(17, 5, "spread", rng) for _ in range(200)]
    assert all((np.diff(d) > 0).all() for d in draws)
    assert set(np.concatenate(draws)) == set(range(17))
    assert all(d[0] < 3 and d[-1] >= 13 for d in draws)  # of stretches of 3 or 4 frames


def test_consecutive_frames_follow_each_other_from_anywhere() -> None:
    rng = np.random.default_rng(1)
    draws = [choose(9, 4, "consecutive", rng) for _ in range(100)]
    assert all((np.diff(d) == 1).all() for d in draws)
    assert {int(d[0]) for d in draws} == set(range(6))
    assert choose(9, 4, "consecutive").tolist() == [2, 3, 4, 5]
    assert choose(3, 4, "consecutive").tolist() == [0, 1, 2]


def test_a_short_clip_repeats_its_last_frame_and_says_so(faces) -> None:
    reader = ClipReader(faces, PREPROCESS, 9)
    n = int(faces.media("video")[0])
    x, mask = reader.tensor(reader.crops(reader.frames(n, None), None))
    assert x.shape == (9, 3, SIZE, SIZE)
    assert mask.tolist() == [True] * 6 + [False] * 3
    assert torch.equal(x[5], x[8])
    assert not torch.equal(x[4], x[5])


def test_unaugmented_crops_are_those_of_serving(faces) -> None:
    reader = ClipReader(faces, PREPROCESS, 6)
    n = int(faces.media("video")[0])
    rows = faces.rows(n)
    served = PREPROCESS.crops(
        [faces.bank.image(r) for r in rows], faces.bank.boxes[rows], faces.bank.landmarks[rows]
    )
    assert np.array_equal(np.stack(reader.crops(reader.frames(n, None), None)), served)


def test_every_medium_comes_with_its_label(faces) -> None:
    clips = LabelledClips(ClipReader(faces, PREPROCESS, 3))
    assert clips.labels == [item.label for item in faces.items]
    still = clips.example(0, np.random.default_rng(1))
    assert still["mask"].tolist() == [True, False, False]  # a still is a clip of one frame
    assert [int(clips.example(r, np.random.default_rng(1))["y"]) for r in range(len(clips))] == clips.labels


def test_a_clip_is_cut_by_one_draw(faces) -> None:
    """One shift and zoom for all frames: what differs between frames is what differed before."""
    reader = ClipReader(faces, PREPROCESS, 3)
    still = [reader.frames(int(faces.media("video")[0]), None)[0]] * 3
    crops = reader.crops(still, np.random.default_rng(2))
    assert np.array_equal(crops[0], crops[2])
    assert not np.array_equal(crops[0], reader.crops(still, None)[0])


@pytest.mark.parametrize("source", CLIP_SHARES | GENERATOR_CLIP_SHARES)
def test_a_pair_is_a_real_and_a_fake_clip(faces, source) -> None:
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1, shares={source: 1.0})
    pair = pairs[4]
    assert pair["x"].shape == (2, 3, 3, SIZE, SIZE)
    assert pair["mask"].shape == (2, 3)
    assert pair["y"].tolist() == [0, 1]
    assert not torch.equal(pair["x"][0], pair["x"][1])


def test_the_number_and_the_seed_decide(faces) -> None:
    reader = ClipReader(faces, PREPROCESS, 3)
    one, other = ClipPairs(reader, seed=1), ClipPairs(reader, seed=1)
    other[0]
    assert torch.equal(one[5]["x"], other[5]["x"])
    assert not torch.equal(one[5]["x"], one[6]["x"])
    assert not torch.equal(one[5]["x"], ClipPairs(reader, seed=2)[5]["x"])


def test_a_fake_is_never_blended_as_if_it_were_real(faces) -> None:
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1)
    assert {faces.items[n].label for n in pairs.real} == {0}
    assert {faces.items[n].label for n in pairs.fake} == {1}


def test_both_clips_of_a_pair_are_degraded_alike(faces) -> None:
    """A pair of the same clip twice stays the same: nothing but the manipulation may tell real from fake."""

    class Twins(ClipPairs):
        def _pair(self, source, rng):
            real = self.reader.frames(int(rng.choice(self.real)), rng)
            return real, real

    twins = Twins(ClipReader(faces, PREPROCESS, 3), seed=1)
    for number in range(8):
        x = twins[number]["x"]
        assert torch.equal(x[0], x[1])


def test_an_animated_still_shows_another_face_than_the_clip_it_follows(faces) -> None:
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1, shares={"animate": 1.0})
    real, fake = pairs._pair("animate", np.random.default_rng(3))
    assert len(real) == len(fake) == 3
    assert pairs.stills
    assert all(faces.items[n].kind != "video" and not faces.items[n].label for n in pairs.stills)
    assert not np.array_equal(fake[0][0], fake[2][0])  # it moves


def test_what_moves_may_be_a_still_that_was_drawn_anew(faces, monkeypatch) -> None:
    asked, redraws = [], []
    animate = clips.animate

    def spy(*args, redraw, **more):
        redraws.append(redraw)
        return animate(*args, redraw=redraw, **more)

    class Drawn:
        def __contains__(self, row):
            return True

        def image(self, row, shape, mirror):
            asked.append((row, shape, mirror))
            return np.full((*shape, 3), 90, np.uint8)

    monkeypatch.setattr(clips, "DRAWN", 1.0)
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1, shares={"animate": 1.0}, upscaled=Drawn())
    monkeypatch.setattr(clips, "animate", spy)
    pairs._pair("animate", np.random.default_rng(3))
    ((row, shape, mirror),) = asked
    assert faces.items[int(faces.bank.item[row])].kind != "video"
    assert shape == faces.bank.image(int(row)).shape[:2]
    assert not mirror
    assert redraws == [list]  # it is drawn no second time


def test_a_reenacted_clip_is_one_of_its_own_frames_that_moves(faces) -> None:
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1, shares={"reenact": 1.0})
    for seed in range(4):
        real, fake = pairs._pair("reenact", np.random.default_rng(seed))
        assert len(fake) == len(real) == 3
        sources = {image.shape for image, *_ in real}
        assert {image.shape for image, *_ in fake} <= sources
        for (_, box, points), (_, true_box, true_points) in zip(fake, real, strict=True):
            scale = float(max(true_box[2:] - true_box[:2]))
            assert box.shape == (4,)
            assert np.abs(points.mean(0) - true_points.mean(0)).max() < 0.35 * scale


def test_a_still_can_stand_for_a_clip_in_both_classes(faces) -> None:
    pairs = ClipPairs(ClipReader(faces, PREPROCESS, 3), seed=1)
    real, fake = pairs._pair("still", np.random.default_rng(3))
    images = [image for image, *_ in real]
    assert len(real) == len(fake) == 3
    assert np.array_equal(images[0], images[1])
    shown = [faces.bank.image(int(faces.rows(n)[0])) for n in pairs.stills]
    assert any(image.shape == images[0].shape and np.array_equal(image, images[0]) for image in shown)
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(real, fake, strict=True))


def test_without_real_clips_there_are_no_pairs(faces) -> None:
    fakes = Faces(faces.bank, [dataclasses.replace(item, label=1) for item in faces.items])
    with pytest.raises(SystemExit, match="no real clips"):
        ClipPairs(ClipReader(fakes, PREPROCESS, 3), seed=1)
