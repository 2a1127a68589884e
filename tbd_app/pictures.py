"""What views show as pictures: faces with their maps, frames with their boxes; held in memory, never in the JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

# Evidence for "fake"; attention through all layers of a model; attention of learned queries. report/maps.py has the words.
MapKind = Literal["grad_cam", "rollout", "queries"]
FacePart = Literal["lips", "skin", "eyes", "nose"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a model looked in one crop.

    Attributes:
        crop: (h,w,3) uint8 RGB, as the model saw it, less what was mirrored at the picture's border.
        heat: (h,w) float32 in [0,1], on one scale for all maps of this kind in a report.
        overlay: (h,w,3) uint8 RGB, crop with the heat drawn over it.
        role: among the "highest" or the "lowest" frames of the track.
        landmarks: (5,2) float32 px of the crop, as in `Faces`; None where nobody knows them.
        kind: what the map shows.
        part: of the face, for which a query stands; None for other kinds.
        over_time: how much of a clip's attention went to this frame, as a multiple of an even share; None where a model has
            no attention over time.
    """

    track_id: int
    model: str
    position: int
    time_s: float
    fake_prob: float
    role: Literal["highest", "lowest"]
    crop: np.ndarray
    heat: np.ndarray
    overlay: np.ndarray
    landmarks: np.ndarray | None = None
    kind: MapKind = "grad_cam"
    part: FacePart | None = None
    over_time: float | None = None


@dataclass(frozen=True, slots=True)
class FaceMap:
    """Where a model looked in one frame.

    Attributes:
        xyxy: (4,) float32 px of the frame that the map covers.
        heat: (h,w) float32 in [0,1], on the scale of the report's explanations.
        landmarks: (5,2) float32 px of the frame.
        kind: what the map shows.
    """

    track_id: int
    model: str
    position: int
    xyxy: np.ndarray
    heat: np.ndarray
    landmarks: np.ndarray
    kind: MapKind = "grad_cam"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A sampled frame made small for display, with its faces.

    Attributes:
        image: (h,w,3) uint8 RGB, 800 px at most on the longer side.
        boxes: (N,4) float32 in pixels of `image`.
        track_ids: (N,) int, -1 for a face outside every track.
        maps: of the people in it, their places in pixels of `image`.
    """

    position: int
    time_s: float
    image: np.ndarray
    boxes: np.ndarray
    track_ids: tuple[int, ...]
    maps: tuple[FaceMap, ...] = ()
