"""Training pairs: reproducible by their number, labelled right, geometry kept through mirroring."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.toy_faces import Face, bank_of, face, item
from training.datasets import pairs as room
from training.datasets.pairs import PairDataset
from training.datasets.shares import PAIR_SHARES, shares_of
from training.fakes import makers
from training.fakes.generators import Generator
from training.fakes.selfblend import REGIONS

PREPROCESS = replace(for_spec(registry.spec("effnetv2_b0_frame")), size=64)
RED, BLUE = (220, 30, 30), (30, 30, 220)


def stills(n: int = 4) -> PairDataset:
    return dataset([face(k) for k in range(n)], [item(k) for k in range(n)])


def dataset(faces: list[Face], items: list, *, seed: int = 0, length: int = 50, **options) -> PairDataset:
    return PairDataset(bank_of(faces), items, PREPROCESS, length=length, seed=seed, **options)


def plain(colour: tuple[int, int, int], side: int = 160) -> Face:
    """A face of one colour: where it ends up can be seen."""
    return Face(np.full((side, side, 3), colour, np.uint8), *_geometry(side))


def _geometry(side: int) -> tuple[np.ndarray, np.ndarray]:
    subject = face(vary=False)
    scale = side / len(subject.image)
    return subject.box * scale, subject.landmarks * scale


def test_a_pair_is_a_real_and_a_fake_as_the_model_takes_them() -> None:
    x, y, changed = stills()[0]
    assert (x.shape, x.dtype) == ((2, 3, 64, 64), torch.float32)
    assert y.dtype == torch.int64
    assert not torch.equal(x[0], x[1])
    assert (changed.shape, changed.dtype) == ((2, 28, 28), torch.float32)
    assert changed[0].max() == 0
    assert 0 <= changed[1].min() <= changed[1].max() <= 1


def test_a_second_real_stands_for_some_fakes_whose_trace_may_be_gone(monkeypatch) -> None:
    asked = []
    degrade = room.degrade
    monkeypatch.setattr(
        room, "degrade", lambda p, rng, gentle: asked.append(gentle) or degrade(p, rng, gentle=gentle)
    )
    pairs = stills()
    labels = [tuple(pairs[n][1].tolist()) for n in range(120)]
    strong = [label for label, gentle in zip(labels, asked, strict=True) if not gentle]
    assert {label for label, gentle in zip(labels, asked, strict=True) if gentle} == {(0, 1)}
    assert set(strong) == {(0, 0), (0, 1)}
    assert 0.3 < strong.count((0, 0)) / len(strong) < 0.7
    hidden = labels.index((0, 0))
    assert pairs[hidden][2].max() == 0  # nothing was changed
    quiet = dataset([face(k) for k in range(4)], [item(k) for k in range(4)], augment=False)
    assert {tuple(quiet[n][1].tolist()) for n in range(10)} == {(0, 1)}


def test_what_was_changed_is_told_where_it_is_known() -> None:
    faces, items = [face(k) for k in range(3)], [item(0), item(1, "image"), item(2, "image", 1, "StyleGAN2")]
    blends, made = (
        dataset(faces, items, augment=False, sources=[source])[0]
        for source in ("blend_still", "generated_still")
    )
    x, _, changed = blends
    differs = (x[0] - x[1]).abs().sum(0)[None]
    inside = torch.nn.functional.interpolate(changed[1][None, None], x.shape[-2:])[0] > 0.5
    assert differs[inside].mean() > 3 * differs[~inside].mean()
    assert (made[2][1] == -1).all()


def test_the_number_and_the_seed_decide_whatever_came_before() -> None:
    forwards = [stills()[n][0] for n in range(6)]
    again = stills()
    backwards = [again[n][0] for n in reversed(range(6))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(forwards[0], forwards[1])
    other_seed = dataset([face(k) for k in range(4)], [item(k) for k in range(4)], seed=1)
    assert not torch.equal(forwards[0], other_seed[0][0])


def test_a_longer_data_set_begins_like_a_shorter_one() -> None:
    """So a run can be made longer, or resumed, and see the same pairs."""
    faces, items = [face(k) for k in range(3)], [item(k) for k in range(3)]
    short, long = (dataset(faces, items, length=n) for n in (5, 500))
    assert (len(short), len(long)) == (5, 500)
    torch.testing.assert_close(short[4][0], long[4][0], rtol=0, atol=0)


def test_validation_walks_through_the_faces_in_order_and_leaves_them_as_they_are(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(makers, "self_blend", _spy(seen))
    monkeypatch.setattr(room, "degrade", _forbidden)
    colours = [(40 * k + 20, 90, 200 - 30 * k) for k in range(4)]
    faces, items = [plain(c) for c in colours], [item(k) for k in range(4)]
    blends = dataset(faces, items, augment=False, sources=["blend_still"])
    for number in range(8):
        blends[number]
    assert [tuple(image[0, 0]) for image, _ in seen] == colours * 2


def _forbidden(*_):
    raise AssertionError("validation pictures are not degraded")


def _spy(seen: list):
    """`self_blend` that notes the pictures and landmarks it was given."""
    original = makers.self_blend

    def spy(image, landmarks, rng):
        seen.append((image.copy(), landmarks.copy()))
        return original(image, landmarks, rng)

    return spy


def test_mirrored_landmarks_stay_on_their_points_and_in_their_order(monkeypatch) -> None:
    """Dots mark the five points; after mirroring the dot under the first landmark is the other eye's."""
    seen = []
    monkeypatch.setattr(makers, "self_blend", _spy(seen))
    colours = np.array([(250, 0, 0), (0, 250, 0), (250, 250, 250), (0, 0, 250), (250, 250, 0)], np.uint8)
    subject = plain((0, 0, 0))
    for point, colour in zip(subject.landmarks, colours, strict=True):
        centre = tuple(round(float(v)) for v in point)
        cv2.circle(subject.image, centre, 5, tuple(int(c) for c in colour), -1)
    blends = dataset([subject], [item()])
    for number in range(20):
        blends[number]
    orders = Counter()
    for image, points in seen:
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
        under = [image[round(float(y)), round(float(x))].astype(int) for x, y in points]
        orders[tuple(int(np.abs(colours - u).sum(1).argmin()) for u in under)] += 1
        assert all(np.abs(colours - u).sum(1).min() == 0 for u in under)
    assert set(orders) == {(0, 1, 2, 3, 4), (1, 0, 2, 4, 3)}
    assert min(orders.values()) >= 4


PSEUDO = ["swap_still", "swap_clip", "resynth_still", "resynth_clip", "redraw_still", "redraw_clip"]


def one_generator() -> list[Generator]:
    """With the same random weights whatever ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [Generator(architecture="bilinear", width=4).eval().requires_grad_(False)]


GENERATORS = one_generator()


@pytest.mark.parametrize("source", PSEUDO)
def test_a_pseudo_fake_shows_what_its_real_shows_and_differs_from_it(source) -> None:
    faces, items = [face(k) for k in range(4)], [item(k, ["crop", "video"][k % 2]) for k in range(4)]
    made = dataset(faces, items, augment=False, sources=[source], generators=GENERATORS)
    for number in range(6):
        real, fake = made.pictures(np.random.default_rng(number), number)
        gap = np.abs(real.astype(int) - fake.astype(int))
        assert gap.max() >= 4
        assert gap.mean() < 40
        assert real.shape == fake.shape == (made.preprocess.size, made.preprocess.size, 3)


def test_a_self_blend_tells_which_part_it_is() -> None:
    blends = dataset([face(1)], [item()], augment=False, sources=["blend_still"])
    regions = Counter(blends.made(np.random.default_rng(n), n).region for n in range(40))
    assert set(regions) <= set(REGIONS)
    assert regions["face"] > 20
    assert blends.made(np.random.default_rng(0), 0).where.shape == (room.WHERE_CELLS, room.WHERE_CELLS)


def is_red(picture: np.ndarray) -> bool:
    return picture[..., 0].mean() > picture[..., 2].mean()


def test_reals_come_first_and_fakes_second() -> None:
    items = [item(0, "image", 0), item(1, "image", 1, "StyleGAN2")]
    mixed = dataset([plain(RED), plain(BLUE)], items, augment=False, sources=["generated_still"])
    for number in range(5):
        real, fake = mixed.pictures(np.random.default_rng(number), number)
        assert is_red(real)
        assert not is_red(fake)


def test_a_fake_is_never_blended_as_if_it_were_real(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(makers, "self_blend", _spy(seen))
    items = [item(k, kind, label) for k, (kind, label) in enumerate(
        [("crop", 0), ("video", 0), ("video", 1), ("image", 0), ("image", 1)]
    )]  # fmt: skip
    mixed = dataset([plain(BLUE if i.label else RED) for i in items], items)
    for number in range(60):
        mixed[number]
    assert len(seen) > 20
    assert all(is_red(image) for image, _ in seen)


def drawn_kinds(items: list) -> PairDataset:
    return dataset([plain(RED) for _ in items], items, generators=GENERATORS)


def test_sources_without_media_give_their_share_to_the_others() -> None:
    only_stills = drawn_kinds([item(0), item(1)])
    made_of_stills = ["blend_still", "mouth_still", "swap_still", "resynth_still", "redraw_still"]
    assert only_stills.sources == made_of_stills
    shares = np.array([PAIR_SHARES[s] for s in made_of_stills])
    np.testing.assert_allclose(only_stills.shares, shares / shares.sum())
    both = drawn_kinds([item(0), item(1), item(2, "video")])
    assert set(both.sources) == set(shares_of(GENERATORS)) - {"generated_still"}
    assert both.shares.sum() == pytest.approx(1)
    only_stills[0]
    both[0]


def test_without_generators_nothing_is_redrawn() -> None:
    assert dataset([face(0), face(1)], [item(0), item(1)]).sources == [
        "blend_still",
        "mouth_still",
        "swap_still",
        "resynth_still",
    ]
    assert set(PAIR_SHARES) - set(shares_of(GENERATORS)) == {"upscale_still", "upscale_clip"}


def test_with_all_media_the_shares_are_those_written_down() -> None:
    kinds = [("crop", 0), ("video", 0), ("video", 1), ("image", 0), ("image", 1)]
    whole = drawn_kinds([item(k, *kind) for k, kind in enumerate(kinds)])
    given = shares_of(GENERATORS)  # nothing was drawn by networks of super-resolution: see test_upscale.py
    total = sum(given.values())
    assert dict(zip(whole.sources, whole.shares, strict=True)) == pytest.approx(
        {source: share / total for source, share in given.items()}
    )
    assert sum(PAIR_SHARES.values()) == pytest.approx(1)


def test_fakes_alone_make_no_pairs() -> None:
    with pytest.raises(SystemExit, match="no real faces"):
        drawn_kinds([item(0, "video", 1), item(1, "image", 1)])


def test_a_long_clip_counts_once(monkeypatch) -> None:
    """Twenty frames of one clip and one of another: each clip is drawn as often."""
    seen = []
    monkeypatch.setattr(makers, "self_blend", _spy(seen))
    faces = [*[plain(RED, 64)] * 20, plain(BLUE, 64)]
    items = [item(0, "video"), item(1, "video")]
    clips = PairDataset(
        bank_of(faces, [0] * 20 + [1]), items, PREPROCESS, length=80, seed=0, sources=["blend_clip"]
    )
    for number in range(80):
        clips[number]
    assert 25 < sum(is_red(image) for image, _ in seen) < 55
