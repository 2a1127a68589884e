"""Generators: five different ones that learn, keep a picture's size, come back from disk; one is never trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.toy_faces import bank_of, face, item
from training import train_generators
from training.engine.config import load_preset
from training.faces.open import Faces
from training.fakes.generators import (
    ARCHITECTURES,
    HELD_OUT,
    Generator,
    Quantised,
    Redraw,
    load_generators,
    redraw,
    save_generator,
)  # fmt: skip
from training.train_generators import Config, Pieces, loss_of, psnr


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_generator_learns_to_reproduce(architecture) -> None:
    torch.manual_seed(0)
    generator = Generator(architecture=architecture, width=8)
    faces = Faces(bank_of([face(k) for k in range(2)]), [item(k) for k in range(2)])
    pieces = Pieces(faces, 32, seed=0)
    x = torch.stack([pieces[k] for k in range(4)])
    before = psnr(generator, x)
    optimizer = torch.optim.Adam(generator.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        generator.train()
        loss_of(generator, x)["loss"].backward()
        optimizer.step()
    assert all(p.grad is not None for p in generator.parameters())
    assert psnr(generator, x) > before + 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_size_comes_back(architecture) -> None:
    x = torch.zeros(1, 3, 21, 34)
    assert Generator(architecture=architecture, width=4).eval()(x).shape == x.shape


def test_architectures_are_different() -> None:
    counts = {sum(p.numel() for p in Generator(architecture=a, width=8).parameters()) for a in ARCHITECTURES}
    assert len(counts) == len(ARCHITECTURES) == 5


@pytest.mark.parametrize("wrong", [{"architecture": "gan"}, {"architecture": "vq", "width": 6}])
def test_wrong_requests_are_told(wrong) -> None:
    with pytest.raises(ValueError, match=r"gan|width"):
        Generator(**wrong)


def test_codes_are_what_is_nearest_and_follow_the_data() -> None:
    torch.manual_seed(0)
    quantised = Quantised(2)
    x = torch.randn(2, 2, 16, 16, requires_grad=True)
    before = float((quantised(x) - x).detach().square().mean())
    for _ in range(20):
        out = quantised(x)
    assert float((out - x).detach().square().mean()) < before
    out.sum().backward()
    np.testing.assert_allclose(x.grad, 1)  # straight through
    quantised.eval()
    codes = quantised.codes.clone()
    nearest = (out[0, :, 0, 0].detach() - codes).square().sum(1).min()
    quantised(x)
    assert torch.equal(codes, quantised.codes)
    assert float(nearest) < 0.1


def test_generators_come_back_and_the_held_out_one_is_only_for_val(tmp_path: Path) -> None:
    for architecture in ("vq", HELD_OUT):
        (tmp_path / architecture).mkdir()
        made = Generator(architecture=architecture, width=4).eval()
        save_generator(made, tmp_path / architecture / "generator.safetensors")
        (back,) = load_generators(tmp_path, "val" if architecture == HELD_OUT else "train")
        x = torch.rand(1, 3, 16, 16)
        assert back.architecture == architecture
        torch.testing.assert_close(back(x), made(x))
    with pytest.raises(SystemExit, match="train_generators"):
        load_generators(tmp_path / "none", "train")


def test_a_redrawn_picture_keeps_its_low_frequencies() -> None:
    """Even an untrained generator cannot change the light."""
    torch.manual_seed(0)
    images = [face(k).image[:60, :52] for k in range(2)]
    for made, image in zip(
        redraw(images, Generator(architecture="nearest", width=4).eval()), images, strict=True
    ):
        assert (made.shape, made.dtype) == (image.shape, np.uint8)
        assert (made != image).any()
        assert np.abs(made.mean((0, 1)) - image.mean((0, 1))).max() < 6


def test_each_generator_draws_some_pictures_at_grids_of_its_own() -> None:
    torch.manual_seed(0)
    sizes = []
    generators = [Generator(architecture=name, width=4).eval() for name in ("nearest", "bilinear")]
    for generator in generators:
        generator.register_forward_pre_hook(
            lambda g, given: sizes.append((g.architecture, *given[0].shape[2:]))
        )
    image, draw = face(1).image[:60, :52], Redraw(generators)
    made = [draw(image, np.random.default_rng(seed)) for seed in range(40)]
    assert {architecture for architecture, *_ in sizes} == {"nearest", "bilinear"}
    heights = [height for _, height, _ in sizes]
    assert 10 < heights.count(60) < 30
    assert len(set(heights)) > 8
    for picture in made:
        assert (picture.shape, picture.dtype) == (image.shape, np.uint8)
        assert (picture != image).any()
        assert np.abs(picture.mean((0, 1)) - image.mean((0, 1))).max() < 6


def test_the_script_runs_to_its_end(tmp_path: Path) -> None:
    config = load_preset(Config, train_generators.SCRIPT, "toy")
    train_generators.main(replace(config, out=tmp_path, architectures=("shuffle", "vq")))
    for name in ("shuffle", "vq"):
        assert (tmp_path / name / "metrics.csv").read_text().count("\n") == 2
    assert [g.architecture for g in load_generators(tmp_path, "train")] == ["vq"]
