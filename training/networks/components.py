"""Which patches of an aligned face show its parts, and what CLIP says there: the prototypes of DFD-FCG.

The "lrw" crop puts every face in the same place, so the patches of a part are constants of the grid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tbd_app.models.nets.dfd_fcg import PARTS, DfdFcg, attend
from tbd_app.models.tensors import must_stand_on
from tbd_app.pipeline.crops import Preprocess
from tbd_app.types import ModelSpec
from training.faces.open import Faces

Cell = tuple[int, int]  # row, column


def _block(rows: Sequence[int], columns: Sequence[int]) -> list[Cell]:
    return [(row, column) for row in rows for column in columns]


# Patches of the parts by the side of the grid: 7 is ViT-B/32's, 14 ViT-B/16's, 16 ViT-L/14's.
_CELLS: dict[int, dict[str, list[Cell]]] = {
    7: {
        "lips": _block([5], [2, 3, 4]),
        "skin": [*_block([3, 4], [1, 5]), *_block([1], [2, 3, 4])],
        "eyes": _block([2], [1, 2, 4, 5]),
        "nose": [(2, 3), (3, 3), (4, 3)],
    },
    14: {
        "lips": [*_block([9, 11], [5, 6, 7, 8]), *_block([10], [4, 5, 6, 7, 8])],
        "eyes": _block([4], [3, 4, 5, 8, 9, 10]),
        "nose": [*_block([5, 6, 7], [6]), *_block([8], [5, 6, 7])],
    },
    16: {
        "lips": _block([10, 11, 12, 13], [5, 6, 7, 8, 9, 10]),
        "eyes": _block([4, 5], [3, 4, 5, 9, 10, 11]),
        "nose": [*_block([5, 6, 7, 8], [7]), *_block([9], [6, 7, 8])],
    },
}
# Outline of the mean face in the crop, in shares of its side; forehead and chin leave it.
_OUTLINE = np.array(
    [(0.17, 0.0), (0.80, 0.0), (0.82, 0.33), (0.80, 0.57), (0.75, 0.77), (0.63, 0.95), (0.34, 0.95), (0.22, 0.77),
     (0.17, 0.57), (0.15, 0.33)],
    np.float32,
)  # fmt: skip


def component_cells(grid: tuple[int, int]) -> dict[str, list[int]]:
    """Patches of each of `PARTS`, as places in the row of all patches; other grids borrow the cells of 14 x 14.

    Raises:
        ValueError: the grid is not square.
    """
    rows, columns = grid
    if rows != columns:
        raise ValueError(f"parts of a face are known on square grids, not on {rows} x {columns}")
    known = _CELLS.get(rows) or {
        part: [(r * rows // 14, c * rows // 14) for r, c in cells] for part, cells in _with_skin(14).items()
    }
    cells = known if "skin" in known else _with_skin(rows)
    return {part: sorted({r * columns + c for r, c in cells[part]}) for part in PARTS}


def _with_skin(side: int) -> dict[str, list[Cell]]:
    """The cells of a grid with its skin: inside the outline, and no neighbour of another part."""
    parts = _CELLS[side]
    others = [cell for cells in parts.values() for cell in cells]
    skin = [
        (r, c)
        for r, c in _block(range(side), range(side))
        if cv2.pointPolygonTest(_OUTLINE, ((c + 0.5) / side, (r + 0.5) / side), False) > 0
        and min(max(abs(r - row), abs(c - column)) for row, column in others) > 1
    ]
    return parts | {"skin": skin}


def part_mean(patches: Tensor, cells: Sequence[int]) -> Tensor:
    """Mean over some patches: (N,P,d) -> (N,d), on the device of the patches.

    Raises:
        ValueError: there are no cells, or one is none of the patches.
    """
    if not cells or not 0 <= min(cells) <= max(cells) < patches.shape[1]:
        raise ValueError(f"cells must be some of 0 to {patches.shape[1] - 1}, not {list(cells)}")
    index = torch.tensor(cells, dtype=torch.long, device=patches.device)
    return patches.index_select(1, index).mean(dim=1)


@torch.no_grad()
def prototypes_of(model: DfdFcg, batches: Iterable[Tensor]) -> Tensor:
    """What the keys of every layer are like at each part, over real faces.

    Args:
        model: whose tower and grid count.
        batches: crops (N,3,S,S), aligned and normalised.

    Returns:
        (L,4,d) float32, in the order of `PARTS`.

    Raises:
        ValueError: there are no crops.
    """
    model.eval()
    cells = component_cells(model.grid)
    total, count = torch.zeros_like(model.queries()), 0
    for x in batches:
        tokens = model.embed(x.to(total.device))
        count += len(x)
        for layer, block in enumerate(model.blocks):
            tokens, _, keys, _ = attend(block, tokens)
            keys = keys[:, 1:].flatten(-2)
            total[layer] += torch.stack([part_mean(keys, cells[part]).sum(0) for part in PARTS])
    if not count:
        raise ValueError("prototypes need at least one face")
    return total / count


def real_rows(faces: Faces, n_faces: int) -> list[int]:
    """Rows of up to `n_faces` faces, as many of each real medium as that takes.

    Raises:
        SystemExit: there are none.
    """
    media = [int(n) for n in faces.media() if not faces.items[int(n)].label]
    if not media:
        raise SystemExit("The split holds no real faces to make prototypes from.")
    each = -(-n_faces // len(media))
    rows = []
    for own in map(faces.rows, media):
        rows += own[np.unique(np.rint(np.linspace(0, len(own) - 1, each)).astype(int))].tolist()
    return rows[:n_faces]


def real_crops(
    faces: Faces, rows: Sequence[int], preprocess: Preprocess, batch: int = 16
) -> Iterator[Tensor]:
    """Crops of faces, (N,3,S,S) normalised, a batch at a time."""
    bank = faces.bank
    for start in range(0, len(rows), batch):
        part = list(rows[start : start + batch])
        images = [bank.image(row) for row in part]
        yield preprocess.tensor(preprocess.crops(images, bank.boxes[part], bank.landmarks[part]))


def save_prototypes(path: Path, prototypes: Tensor, model: DfdFcg, spec: ModelSpec, n_faces: int) -> None:
    """Write prototypes with what they belong to: parts, tower, crop."""
    header = {
        "parts": list(PARTS),
        "backbone": asdict(model.standing_on()),
        "crop": asdict(spec.crop),
        "input_size": spec.input_size,
        "faces": n_faces,
    }
    save_file({"prototypes": prototypes.cpu().contiguous()}, path, metadata={"tbd": json.dumps(header)})


def load_prototypes(path: Path, model: DfdFcg, spec: ModelSpec) -> Tensor:
    """Prototypes (L,4,d) that were made with this tower and crop.

    Raises:
        SystemExit: no such file, or one for another crop.
        WrongBackbone: they were made with another tower.
    """
    if not path.is_file():
        raise SystemExit(f"There are no prototypes at {path}: make them with training/prepare/prototypes.py.")
    with safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {}).get("tbd", "{}"))
        must_stand_on(header.get("backbone"), model.standing_on(), path.name)
        if (header["parts"], header["crop"]) != (list(PARTS), asdict(spec.crop)):
            raise SystemExit(
                f"{path.name} is for {header['crop']} and {header['parts']}, not for this recipe."
            )
        return file.get_tensor("prototypes")
