"""What a data set is before any face is cut: a list of `Medium`, one per video, picture or folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np


@dataclass(frozen=True, slots=True)
class KnownFace:
    """A face whose place in every picture of a medium is known, so that nothing is detected.

    Attributes:
        box: x0, y0, x1, y1.
        landmarks: x, y of eyes, nose and mouth corners, image left first; None when unknown.
        relative: in shares of the picture's width and height, else in px.
    """

    box: tuple[float, ...]
    landmarks: tuple[float, ...] | None = None
    relative: bool = True

    def at(self, width: int, height: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Box (4,) and landmarks (5,2) or None, float32 px, in a picture of this size."""
        unit = np.array([width, height] if self.relative else [1, 1], np.float32)
        box = (np.array(self.box, np.float32).reshape(2, 2) * unit).reshape(4)
        if self.landmarks is None:
            return box, None
        return box, np.array(self.landmarks, np.float32).reshape(5, 2) * unit


@dataclass(frozen=True, slots=True)
class Medium:
    """One video, one picture, or one folder of the pictures of a clip.

    Attributes:
        root: folder of the data set.
        file: below `root`, with "/".
        dataset: short name, "ffpp".
        method: what made a fake; empty for real media.
        video_id: name within the data set; frames and compressions of one video share it.
        target_id: whose scene or portrait it is; empty when nobody knows.
        source_id: whose face was put in; that of `target_id` for real media, empty when nobody knows.
        label: 0 real, 1 fake.
        split: "train", "val" or "test"; empty when the data set has none.
        compression: "c23" and the like; empty when there is only one.
        mask: file below `root` that shows in white what was changed, a clip or picture; empty when there is none.
        face: of media that are face crops already.
        family: of a fake, where its data set names it and the method does not say it.
    """

    root: Path
    file: str
    dataset: str
    video_id: str
    label: int
    split: str
    method: str = ""
    target_id: str = ""
    source_id: str = ""
    compression: str = ""
    mask: str = ""
    face: KnownFace | None = None
    family: str = ""

    def __post_init__(self) -> None:
        # Faces are stored under this name, and it may come from a downloaded list.
        for name in (self.file, self.mask):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise SystemExit(f"{self.dataset}: {name!r} leads out of the data set's folder.")

    @property
    def path(self) -> Path:
        return self.root / self.file

    def people(self) -> set[str]:
        """Everybody known to be in it; the medium itself when nobody is."""
        return {self.source_id, self.target_id} - {""} or {f"{self.dataset}/{self.file}"}
