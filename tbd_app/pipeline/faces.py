"""Find faces in two passes: MTCNN on a reduced frame, then MTCNN again on each enlarged candidate at a fixed scale.

The second pass drops what only looked like a face, and its box and landmarks, found at full resolution, replace the first's.
Source: fact sheet B, section 5 (dual-stage face verification).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeVar

import tbd_app.lean  # noqa: F401 - before facenet_pytorch

# isort: split

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from tbd_app.pipeline import batches
from tbd_app.pipeline.crops import cut_square
from tbd_app.pipeline.parallel import each
from tbd_app.types import Faces

DETECT_SIDE_PX = 640  # longer side of the frame that pass 1 sees
SMALLEST_SEARCH_PX = 20  # MTCNN's own floor, on the reduced frame
PROPOSAL_SCORE = 0.7  # P-Net: 0.6 doubles the work and finds no further face on real clips; tuned, not tested
CANDIDATE_SCORE = 0.6  # pass 1 is generous, pass 2 decides; tuned, not tested
VERIFY_MARGIN = 1.5  # tuned, not tested
VERIFY_SIDE_PX = 160
VERIFY_MIN_PX = 48  # smaller faces are not searched for in an enlarged crop
MIN_COVER = 0.2  # of the enlarged crop's area; tuned, not tested
LEAST_PROB = 1e-7  # a score counts as at least this far from 0 and from 1
MAX_OFFSET = 0.25  # of the enlarged crop's side, between centres; tuned, not tested
FRAME_BATCH = 8
CANDIDATE_BATCH = 32
T = TypeVar("T")


class FaceDetector:
    """Two-pass MTCNN.

    Args:
        device: torch device of the detector.
        min_face_px: faces well below it are not searched for.
    """

    def __init__(self, device: str = "cpu", min_face_px: int = 64) -> None:
        self.device = torch.device(device)
        self.min_face_px = min_face_px
        self._mtcnn = MTCNN(
            keep_all=True, thresholds=[PROPOSAL_SCORE, 0.7, 0.7], device=self.device, post_process=False
        ).eval()
        # MTCNN's few wide maps are convolved and pooled in half the time with the channels innermost.
        self._mtcnn.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._lock = threading.Lock()  # the smallest face is a setting of the shared network

    def detect(self, images: Sequence[np.ndarray], confidence: float = 0.9) -> list[Faces]:
        """Faces of each picture, verified ones first, then by size, largest first.

        Args:
            images: T pictures (H,W,3) uint8 RGB of any sizes.
            confidence: least probability of a face, 0 to 1.

        Returns:
            T `Faces`; `verified` is what the second pass confirmed with at least `confidence`.
        """
        return [faces for _, faces in sorted(self.detect_iter(images, confidence))]

    def detect_iter(
        self,
        images: Sequence[np.ndarray],
        confidence: float = 0.9,
        smallest_px: Sequence[float] | None = None,
    ) -> Iterator[tuple[int, Faces]]:
        """As `detect`, but yields (position, Faces) after each small batch, so that a caller can show progress or stop.

        Args:
            images: T pictures (H,W,3) uint8 RGB of any sizes.
            confidence: least probability of a face, 0 to 1.
            smallest_px: the longer side of the smallest face that each picture is expected to show, where that is known;
                faces below half of it are not searched for.
        """
        groups: dict[tuple[int, int, int], list[int]] = {}
        for i, image in enumerate(images):
            height, width = image.shape[:2]
            spared = 0 if smallest_px is None else self._spared((height, width), smallest_px[i] / 2)
            groups.setdefault((height, width, spared), []).append(i)
        for (_, _, spared), positions in groups.items():
            for chunk in _chunks(positions, FRAME_BATCH):
                frames = [images[i] for i in chunk]
                found = self._verify(frames, self.candidates(frames, spared), confidence)
                yield from zip(chunk, found, strict=True)

    def _spared(self, size: tuple[int, int], smallest_px: float) -> int:
        """How many of the finest sizes of MTCNN's pyramid a search for faces of at least `smallest_px` can do without."""
        finest = self._finest_px(size)
        return int(math.log(max(smallest_px * _scale(size) / finest, 1.0), 1 / self._mtcnn.factor))

    def _finest_px(self, size: tuple[int, int]) -> float:
        """The smallest face that pass 1 searches for, px of the reduced frame."""
        return max(int(self.min_face_px * _scale(size)), SMALLEST_SEARCH_PX)

    def _run(self, batch: np.ndarray, min_face_px: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """MTCNN on (N,H,W,3) uint8: boxes (n,4), scores (n,), landmarks (n,5,2) per picture."""
        empty = (np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))
        if min(batch.shape[1:3]) < min_face_px:
            return [empty] * len(batch)
        # Planar memory: pooling and resizing in MTCNN are twice as fast on it as on interleaved pixels.
        planar = torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)

        def search(part: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
            # Its results are object arrays, None where nothing was found.
            boxes, scores, points = self._mtcnn.detect(part, landmarks=True)  # pyright: ignore[reportAssignmentType]
            return [
                empty
                if b is None
                else (np.asarray(b, np.float32), np.asarray(s, np.float32), np.asarray(p, np.float32))
                for b, s, p in zip(boxes, scores, points, strict=True)
            ]

        with self._lock:
            self._mtcnn.min_face_size = max(min_face_px, 1)  # pyright: ignore[reportAttributeAccessIssue]
            there = batches.on_device(planar, self.device)
            return batches.halved(search, there, lambda halves: [*chain(*halves)], self._mtcnn)

    def candidates(
        self, frames: Sequence[np.ndarray], spared: int = 0
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Pass 1 on frames of one size: boxes (n,4), scores (n,) and landmarks (n,5,2) in frame pixels.

        Args:
            frames: T pictures (H,W,3) uint8 RGB.
            spared: how many of the pyramid's finest sizes are left out; the others are the same.
        """
        height, width = frames[0].shape[:2]
        scale = _scale((height, width))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = np.stack(
            frames
            if scale == 1
            else each(lambda f: cv2.resize(f, size, interpolation=cv2.INTER_AREA), frames)
        )
        min_face_px = self._finest_px((height, width)) / self._mtcnn.factor**spared
        out = []
        for boxes, scores, points in self._run(small, min_face_px):
            keep = scores >= CANDIDATE_SCORE
            out.append((boxes[keep] / scale, scores[keep], points[keep] / scale))
        return out

    def certainty(self, crops: np.ndarray) -> np.ndarray:
        """How sure the detector is of the surest face of each crop.

        Args:
            crops: (N,S,S,3) uint8 RGB; `VERIFY_SIDE_PX` px, as pass 2 cuts them.

        Returns:
            (N,) float64 log-odds; very low where none is found.
        """
        best = [float(scores.max(initial=0)) for _, scores, _ in self._run(crops, VERIFY_MIN_PX)]
        probs = np.clip(best, LEAST_PROB, 1 - LEAST_PROB)
        return np.log(probs / (1 - probs))

    def _verify(
        self,
        frames: Sequence[np.ndarray],
        candidates: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
        confidence: float,
    ) -> list[Faces]:
        """Pass 2: each candidate is cut out, enlarged or reduced to one size and searched again."""
        owners = [frame for frame, (boxes, _, _) in zip(frames, candidates, strict=True) for _ in boxes]
        squares = [around(box) for boxes, _, _ in candidates for box in boxes]
        crops = each(_enlarged, owners, squares)
        confirmed = []
        for chunk in _chunks(list(zip(squares, crops, strict=True)), CANDIDATE_BATCH):
            found = self._run(np.stack([crop for _, crop in chunk]), VERIFY_MIN_PX)
            confirmed += [
                _agreeing(*result, square=square, confidence=confidence)
                for (square, _), result in zip(chunk, found, strict=True)
            ]
        out, at = [], 0
        for boxes, scores, points in candidates:
            out.append(_merge(boxes, scores, points, confirmed[at : at + len(boxes)], confidence))
            at += len(boxes)
        return out


def _scale(size: tuple[int, int]) -> float:
    """Of the reduced frame that pass 1 sees, from height and width."""
    return min(1.0, DETECT_SIDE_PX / max(size))


def around(box: np.ndarray) -> tuple[float, float, float]:
    """x0, y0 and side, px, of the square that pass 2 cuts around a box (4,) xyxy."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0) * VERIFY_MARGIN
    return (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side


def _enlarged(frame: np.ndarray, square: tuple[float, float, float]) -> np.ndarray:
    return cut_square(frame, *square, VERIFY_SIDE_PX)


def _chunks(items: Sequence[T], n: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), n):
        yield items[start : start + n]


def _agreeing(
    boxes: np.ndarray,
    scores: np.ndarray,
    points: np.ndarray,
    *,
    square: tuple[float, float, float],
    confidence: float,
) -> tuple[np.ndarray, float, np.ndarray] | None:
    """The face of an enlarged crop whose centre and size agree with the candidate, in frame pixels, or None."""
    x0, y0, side = square
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / VERIFY_SIDE_PX
    offset = np.hypot(*(centres - 0.5).T)
    cover = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / VERIFY_SIDE_PX**2
    good = np.flatnonzero((scores >= confidence) & (offset <= MAX_OFFSET) & (cover >= MIN_COVER))
    if not len(good):
        return None
    best = good[np.argmin(offset[good])]
    scale = side / VERIFY_SIDE_PX
    origin = np.array([x0, y0], np.float32)
    box = boxes[best].reshape(2, 2) * scale + origin
    return box.reshape(4), float(scores[best]), points[best] * scale + origin


def _merge(
    boxes: np.ndarray,
    scores: np.ndarray,
    points: np.ndarray,
    confirmed: list[tuple[np.ndarray, float, np.ndarray] | None],
    confidence: float,
) -> Faces:
    """Candidates with their confirmed geometry; doubles (IoU > 0.5) and weak unconfirmed ones leave."""
    rows = []
    for box, score, point, better in zip(boxes, scores, points, confirmed, strict=True):
        if better is not None:
            rows.append((*better, True))
        elif score >= confidence:
            rows.append((box, float(score), point, False))
    rows.sort(key=lambda r: (r[3], float(np.prod(r[0][2:] - r[0][:2]))), reverse=True)
    kept: list[tuple[np.ndarray, float, np.ndarray, bool]] = []
    for row in rows:
        if all(iou(row[0], other[0]) <= 0.5 for other in kept):
            kept.append(row)
    return Faces(
        boxes=np.array([r[0] for r in kept], np.float32).reshape(-1, 4),
        scores=np.array([r[1] for r in kept], np.float32),
        landmarks=np.array([r[2] for r in kept], np.float32).reshape(-1, 5, 2),
        verified=np.array([r[3] for r in kept], bool),
    )


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two xyxy boxes."""
    corner = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = float(np.prod(np.maximum(corner, 0)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inter
    return inter / union if union > 0 else 0.0
