"""Prototypes of facial components: the right patches, on the right device, of the right tower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tbd_app.errors import WrongBackbone
from tbd_app.models import registry
from tbd_app.models.nets.dfd_fcg import PARTS, DfdFcg
from tbd_app.pipeline.crops import MEAN_FACES, for_spec
from tbd_app.types import CropRecipe
from tests.models import small
from training.faces import toy
from training.faces.open import Faces
from training.networks.components import (
    component_cells,
    load_prototypes,
    part_mean,
    prototypes_of,
    real_crops,
    real_rows,
    save_prototypes,
)

NAME = "dfd_fcg_b16"
SPEC = small.spec(NAME)
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture
def model() -> DfdFcg:
    return small.create(NAME)


@pytest.mark.parametrize("side", [2, 7, 14, 16, 24])
def test_every_part_has_patches_of_the_grid(side: int) -> None:
    cells = component_cells((side, side))
    assert tuple(cells) == PARTS
    for part in PARTS:
        assert cells[part] == sorted(set(cells[part]))
        assert cells[part]
        assert 0 <= cells[part][0] <= cells[part][-1] < side * side


@pytest.mark.parametrize("side", [7, 14, 16])
def test_parts_share_no_patch_and_lie_where_the_landmarks_are(side: int) -> None:
    cells = component_cells((side, side))
    every = [cell for part in PARTS for cell in cells[part]]
    assert len(every) == len(set(every))
    five = MEAN_FACES["lrw"].five
    mean_face = {"eyes": five[:2].mean(0), "nose": five[2], "lips": five[3:].mean(0)}
    for part, (x, y) in mean_face.items():
        rows, columns = np.divmod(cells[part], side)
        # The nose reaches from its root to its tip, so its middle is higher than the landmark.
        assert abs((columns + 0.5).mean() / side - x) < 0.06
        assert -0.16 < (rows + 0.5).mean() / side - y < 0.06


@pytest.mark.parametrize("side", [14, 16])
def test_skin_is_no_neighbour_of_another_part(side: int) -> None:
    cells = component_cells((side, side))
    others = [divmod(c, side) for part in PARTS if part != "skin" for c in cells[part]]
    assert len(cells["skin"]) >= 20
    for row, column in (divmod(c, side) for c in cells["skin"]):
        assert min(max(abs(row - r), abs(column - c)) for r, c in others) >= 2


def test_a_grid_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="not on 7 x 14"):
        component_cells((7, 14))


@pytest.mark.parametrize("device", DEVICES)
def test_patches_are_chosen_on_their_own_device(device: str) -> None:
    """An index of NumPy on CUDA patches was the reference's crash."""
    patches = torch.arange(12.0, device=device).view(1, 4, 3)
    mean = part_mean(patches, [0, 2])
    assert mean.device == patches.device
    assert mean.tolist() == [[3.0, 4.0, 5.0]]


@pytest.mark.parametrize("cells", [[], [4], [-1, 2]])
def test_cells_outside_the_patches_are_refused(cells) -> None:
    with pytest.raises(ValueError, match="cells must be some of 0 to 3"):
        part_mean(torch.zeros(1, 4, 3), cells)


def test_prototypes_are_the_mean_keys_of_every_layer(model: DfdFcg) -> None:
    x = torch.randn(3, 3, 32, 32)
    means = prototypes_of(model, [x[:2], x[2:]])  # in two batches
    assert means.shape == (2, 4, 128)
    seen: list[torch.Tensor] = []
    for block in model.blocks:
        block.ln_1.register_forward_hook(lambda _m, _i, out: seen.append(out))
    with torch.no_grad():
        model(x[:, None])
    cells = component_cells(model.grid)
    for layer, block in enumerate(model.blocks):
        weight, bias = (p.chunk(3)[1] for p in (block.attn.in_proj_weight, block.attn.in_proj_bias))
        keys = (seen[layer] @ weight.T + bias)[:, 1:]
        for n, part in enumerate(PARTS):
            torch.testing.assert_close(means[layer, n], keys[:, cells[part]].mean((0, 1)))
    with pytest.raises(ValueError, match="at least one face"):
        prototypes_of(model, [])


def test_they_come_from_real_faces_of_every_medium() -> None:
    faces = Faces(*toy.collection("train"))
    rows = real_rows(faces, 20)
    assert len(rows) == len(set(rows)) <= 20
    owners = {int(faces.bank.item[row]) for row in rows}
    assert owners == {n for n, item in enumerate(faces.items) if not item.label}
    crops = list(real_crops(faces, rows, for_spec(SPEC), batch=8))
    assert sum(map(len, crops)) == len(rows)
    assert crops[0].shape == (8, 3, 32, 32)
    with pytest.raises(SystemExit, match="no real faces"):
        real_rows(Faces(faces.bank, [replace(item, label=1) for item in faces.items]), 20)


def test_a_file_fits_its_own_tower_and_crop_only(model: DfdFcg, tmp_path) -> None:
    path = tmp_path / "prototypes.safetensors"
    with pytest.raises(SystemExit, match=r"make them with training/prepare/prototypes\.py"):
        load_prototypes(path, model, SPEC)
    prototypes = torch.randn(2, 4, 128)
    save_prototypes(path, prototypes, model, SPEC, 7)
    assert torch.equal(load_prototypes(path, model, SPEC), prototypes)
    with pytest.raises(SystemExit, match="not for this recipe"):
        load_prototypes(path, model, replace(SPEC, crop=CropRecipe("arcface", 1.3)))
    with torch.no_grad():
        model.backbone.conv1.weight += 1
    with pytest.raises(WrongBackbone, match="another copy"):
        load_prototypes(path, model, SPEC)
    other = registry.create_model("dfd_fcg_l14", **small.options("dfd_fcg_l14"))
    with pytest.raises(
        WrongBackbone, match="name is ViT-B-16-quickgelu, and the model's is ViT-L-14-quickgelu"
    ):
        load_prototypes(path, other, SPEC)
