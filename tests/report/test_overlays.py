"""Boxes land where the faces are, and drawing changes nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageColor

from tbd_app.report import overlays, palette
from tbd_app.types import Snapshot
from tests.report_factory import FACE_BOX, make_report


def snapshot_of(*boxes: tuple[float, ...], ids: tuple[int, ...], side: int = 512) -> Snapshot:
    image = np.zeros((side, side, 3), np.uint8)
    return Snapshot(0, 0.0, image, np.array(boxes, np.float32).reshape(-1, 4), ids)


def coloured(image: np.ndarray, track_id: int) -> np.ndarray:
    """(h,w) bool: pixels in the colour of a person."""
    return (image == ImageColor.getrgb(palette.person(track_id))).all(axis=-1)


def test_the_box_follows_the_face() -> None:
    drawn = overlays.draw_boxes(make_report().snapshots[0])
    x0, y0, x1, y1 = FACE_BOX.astype(int)
    mask = coloured(drawn, 0)
    assert mask[y0 + 5 : y1 - 5, x0].all()
    assert mask[y0 + 5 : y1 - 5, x1].all()
    assert not mask[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10].any()


def test_the_snapshot_itself_stays_clean() -> None:
    snapshot = make_report().snapshots[0]
    before = snapshot.image.copy()
    overlays.draw_boxes(snapshot)
    assert (snapshot.image == before).all()


def test_people_have_their_own_colours_and_strangers_are_grey() -> None:
    drawn = overlays.draw_boxes(snapshot_of((20, 60, 90, 130), (200, 60, 290, 130), ids=(1, -1)))
    assert coloured(drawn, 1)[:, :150].any()
    assert coloured(drawn, -1)[:, 150:].any()
    assert not coloured(drawn, 0).any()


@pytest.mark.parametrize(
    "box", [(-40, -40, 30, 30), (480, 480, 600, 600), (0, 0, 512, 512), (300, 300, 200, 200)]
)
def test_boxes_that_leave_the_picture_are_drawn_as_far_as_they_go(box) -> None:
    drawn = overlays.draw_boxes(snapshot_of(box, ids=(0,)), {0: "A: strong signs"})
    assert drawn.shape == (512, 512, 3)
    assert coloured(drawn, 0).any()


def test_labels_replace_the_letter() -> None:
    snapshot = snapshot_of((100, 100, 200, 200), ids=(0,))
    short, long = (coloured(overlays.draw_boxes(snapshot, {0: t}), 0).sum() for t in ("A", "A: strong signs"))
    assert long > short
    assert (overlays.draw_boxes(snapshot, {0: "A"}) == overlays.draw_boxes(snapshot)).all()


def test_no_faces_no_change() -> None:
    snapshot = replace(make_report().snapshots[0], boxes=np.zeros((0, 4), np.float32), track_ids=())
    assert (overlays.draw_boxes(snapshot) == snapshot.image).all()
