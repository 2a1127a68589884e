"""Faces drawn anew by networks of super-resolution: what a network gives back, what is stored, what pairs make of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tbd_app.models import registry
from tbd_app.pipeline.crops import for_spec
from tests.training.toy_faces import bank_of, face, item
from training.datasets.pairs import PairDataset
from training.datasets.shares import PAIR_SHARES, shares_of
from training.faces.open import Faces
from training.fakes import upscale
from training.fakes.upscale import NETWORKS, Network, Upscaled, Upscaler, draw_anew, even_sharpness
from training.prepare import upscale_faces

TWICE = """7767517
2 2
Input in 0 1 in
Interp up 1 1 in out 0=2 1=2.0 2=2.0
"""


@pytest.fixture
def twice(tmp_path) -> Path:
    """A network of ncnn that enlarges by bilinear interpolation."""
    param = tmp_path / "twice.param"
    param.write_text(TWICE)
    param.with_suffix(".bin").write_bytes(b"")
    return param


@pytest.fixture
def drawn(tmp_path, twice, monkeypatch) -> tuple[Faces, Path]:
    """Three stills and a fake, and what the command drew of them."""
    faces = Faces(
        bank_of([face(k) for k in range(4)]), [*(item(k) for k in range(3)), item(3, "image", 1, "StyleGAN2")]
    )
    monkeypatch.setattr(upscale_faces, "open_faces", lambda *_, **__: {"train": faces})
    monkeypatch.setattr(upscale_faces, "NETWORKS", (Network("none", "models/twice", 2, 1.0),))
    monkeypatch.setattr(upscale_faces, "find_param", lambda _: twice)
    monkeypatch.setattr(upscale_faces, "PART", 2)
    out = tmp_path / "upscaled"
    upscale_faces.main(upscale_faces.Config(out=out, threads=1))
    return faces, out


def detail(x: np.ndarray) -> float:
    x = x.astype(np.float32)
    return float((x - cv2.blur(x, (3, 3))).std())


def test_a_network_enlarges_and_keeps_place_and_colour(twice) -> None:
    image = face(0).image[:60, :80]
    made = Upscaler(twice, 2)(image)
    assert (made.shape, made.dtype) == ((120, 160, 3), np.float32)
    back = cv2.resize(made, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.abs(back[5:-5, 5:-5] - image[5:-5, 5:-5]).mean() < 4


def test_a_network_that_loses_its_edges_is_centred(tmp_path) -> None:
    """As those without padding do: here 3 px of each side are cut away behind the enlargement."""
    param = tmp_path / "cropped.param"
    param.write_text(
        "7767517\n3 3\nInput in 0 1 in\nInterp up 1 1 in big 0=2 1=2.0 2=2.0\n"
        "Crop cut 1 1 big out -23309=2,3,3 -23310=2,-3,-3 -23311=2,1,2\n"
    )
    param.with_suffix(".bin").write_bytes(b"")
    image = face(0).image[:60, :80]
    made = Upscaler(param, 2)(image)
    assert made.shape == (120, 160, 3)
    back = cv2.resize(made, (80, 60), interpolation=cv2.INTER_AREA)
    assert np.abs(back[5:-5, 5:-5] - image[5:-5, 5:-5]).mean() < 4


def test_a_file_that_is_no_network_is_told(tmp_path) -> None:
    param = tmp_path / "wrong.param"
    param.write_text("nothing")
    with pytest.raises(SystemExit, match=r"wrong\.param"):
        Upscaler(param, 2)


def test_a_missing_package_is_told() -> None:
    with pytest.raises(SystemExit, match="requirements-generators"):
        upscale.find_param(Network("no_such_package", "models/x", 2, 1.0))


def test_weights_are_found_below_a_package_that_is_not_imported(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "made_up_networks" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "x2.param").write_text(TWICE)
    monkeypatch.syspath_prepend(tmp_path)
    found = upscale.find_param(Network("made_up_networks", "models/x2", 2, 1.0))
    assert found == folder / "x2.param"
    with pytest.raises(SystemExit, match="models/x3"):
        upscale.find_param(Network("made_up_networks", "models/x3", 3, 1.0))


def test_networks_have_names_of_their_own_and_shares() -> None:
    assert len({n.name for n in NETWORKS}) == len(NETWORKS)
    assert all(n.share > 0 and n.scale in (2, 3, 4) for n in NETWORKS)


def test_a_drawn_picture_keeps_size_and_low_frequencies(twice) -> None:
    image = face(1).image
    for seed in range(4):
        made = draw_anew(image, Upscaler(twice, 2), np.random.default_rng(seed))
        assert made.shape == image.shape
        assert detail(made) < detail(image)  # half of the pixels are gone
        coarse = [cv2.resize(x, (8, 8), interpolation=cv2.INTER_AREA).astype(int) for x in (made, image)]
        assert np.abs(coarse[0] - coarse[1]).mean() < 2


def test_sharpness_tells_nothing() -> None:
    real = face(0).image
    made = cv2.GaussianBlur(real, (0, 0), 0.8)
    softened = 0
    for seed in range(20):
        x, y = even_sharpness(real, made, np.random.default_rng(seed))
        assert 0.7 < detail(y) / detail(x) < 1.4
        softened += not np.array_equal(x, real)
    assert 3 < softened < 17


def test_the_command_draws_real_faces_only_and_keeps_what_is_there(drawn) -> None:
    faces, out = drawn
    parts = sorted(out.glob("part-*.npz"))
    assert [p.name for p in parts] == ["part-0000.npz", "part-0001.npz"]
    upscaled = Upscaled(out, faces.bank)
    assert [row in upscaled for row in range(4)] == [True, True, True, False]
    before = parts[0].stat().st_mtime_ns
    parts[1].unlink()
    upscale_faces.main(upscale_faces.Config(out=out, threads=1))
    assert parts[0].stat().st_mtime_ns == before
    again = Upscaled(out, faces.bank)
    np.testing.assert_array_equal(again.blob, upscaled.blob)


def test_what_was_drawn_of_other_faces_is_refused(drawn, tmp_path) -> None:
    _, out = drawn
    with pytest.raises(SystemExit, match="other faces"):
        Upscaled(out, bank_of([face(7)]))
    with pytest.raises(SystemExit, match="holds no drawn faces"):
        Upscaled(tmp_path, bank_of([face(7)]))


def test_pairs_are_made_of_a_face_and_what_was_drawn_of_it(drawn) -> None:
    faces, out = drawn
    upscaled = Upscaled(out, faces.bank)
    preprocess = for_spec(registry.spec("effnetv2_b0_frame"))
    pairs = PairDataset(
        faces.bank,
        faces.items,
        preprocess,
        length=12,
        seed=0,
        augment=False,
        sources=["upscale_still"],
        upscaled=upscaled,
    )
    for number in range(12):
        real, fake = pairs.pictures(np.random.default_rng(number), number)
        assert not np.array_equal(real, fake)
        # Mirrored and scaled alike: they are the same face in the same place.
        assert np.corrcoef(real.ravel(), fake.ravel())[0, 1] > 0.97


def test_without_drawn_faces_their_share_goes_to_the_others(drawn) -> None:
    faces, out = drawn
    missing = {"redraw_still", "redraw_clip", "upscale_still", "upscale_clip"}
    assert set(PAIR_SHARES) - set(shares_of()) == missing
    assert {"upscale_still", "upscale_clip"} <= set(shares_of((), Upscaled(out, faces.bank)))
