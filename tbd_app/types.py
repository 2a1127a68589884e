"""The things that flow through the engine, one way: Media, Frames, Faces, FaceTrack, ModelScore, Verdict, Report.

All are frozen; arrays are RGB uint8 unless a line says otherwise; boxes are xyxy in pixels of their own frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tbd_app.known import Combination, KnownPerformance, ModelInfo
from tbd_app.medium import Content as Content
from tbd_app.medium import Frames as Frames
from tbd_app.medium import Media as Media
from tbd_app.medium import MediaKind as MediaKind
from tbd_app.medium import ReaderName as ReaderName
from tbd_app.model_spec import RANDOM as RANDOM
from tbd_app.model_spec import Backbone as Backbone
from tbd_app.model_spec import Calibration as Calibration
from tbd_app.model_spec import CropRecipe as CropRecipe
from tbd_app.model_spec import ModelSpec as ModelSpec
from tbd_app.pictures import Explanation as Explanation
from tbd_app.pictures import FaceMap as FaceMap
from tbd_app.pictures import FacePart as FacePart
from tbd_app.pictures import MapKind as MapKind
from tbd_app.pictures import Snapshot as Snapshot
from tbd_app.plain import to_dict
from tbd_app.steady import Stability
from tbd_app.steady import ViewName as ViewName

Stage = Literal["media", "frames", "faces", "score", "stability", "explain"]
ScoreStatus = Literal["ok", "not_applicable", "not_installed", "failed"]
Vote = Literal["fake", "real", "abstain"]
Label = Literal["fake", "real", "uncertain", "not_applicable"]
Exclusion = Literal["face_too_small", "too_brief", "face_turned", "too_dark", "too_blurred", "side_view"]
# Why a score is absent, and what stands behind a verdict; report/texts.py has a sentence for each.
ScoreReason = Literal[Exclusion, "weights_missing", "weights_corrupt", "out_of_memory", "not_finite"]
BlindSpot = Literal[
    "blind_to_swap", "blind_to_lipsync", "blind_to_reenact", "blind_to_talking", "blind_to_t2v", "blind_to_edit",
    "blind_to_still", "blind_to_blending", "blind_to_synthesis",
]  # fmt: skip
VerdictReason = Literal[
    "no_face", "no_verified_face", "no_model_installed", "model_failed", "too_few_voters", "single_voter", "tie",
    "models_disagree", "combined", "majority_differs", "between_thresholds", "unstable", "several_people",
]  # fmt: skip
Reason = Literal[VerdictReason, ScoreReason, BlindSpot]
# Whether a C2PA manifest is there, and what a file says of its own origin; report/provenance.py has a sentence for each.
ManifestState = Literal["absent", "intact", "broken", "elsewhere", "not_read", "not_installed"]
OriginHint = Literal[
    "editor_named", "encoded_by_a_program", "edit_history", "generator_named", "said_to_be_generated"
]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces of one frame.

    Attributes:
        boxes: (N,4) float32 xyxy px.
        scores: (N,) float32 detector probability.
        landmarks: (N,5,2) float32 px: eyes, nose, mouth corners, image left first.
        verified: (N,) bool, found again by the second pass.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    verified: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class TrackQuality:
    """Median longer side of the box (px), median variance of the Laplacian at 128 px, share of sampled frames."""

    median_side_px: float
    blur: float
    coverage: float


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One person over time.

    Attributes:
        track_id: 0, 1, 2 ... by size of face times time on screen, largest first.
        positions: (K,) int64 positions in `Frames`, increasing.
        boxes: (K,4) float32.
        landmarks: (K,5,2) float32.
        quality: size, sharpness and coverage.
        exclusion: why it cannot be scored, None when it can.
        sharpest: row of its sharpest face.
    """

    track_id: int
    positions: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    quality: TrackQuality
    exclusion: Exclusion | None = None
    sharpest: int = 0

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model on one track.

    Attributes:
        reason: why the status is not ok, as a code, else None.
        fake_prob: calibrated, 0 to 1; None unless ok.
        frame_fake_prob: (K,) one value per frame of the track, for frame models, else None.
        vote: None unless ok.
        threshold: the one that was used; it votes fake at or above it.
        real_below: the one that was used; it votes real below it.
        how_to_get: the sentence with the command that brings the weights, where they are missing.
    """

    model: str
    track_id: int
    status: ScoreStatus
    reason: ScoreReason | None = None
    fake_prob: float | None = None
    vote: Vote | None = None
    threshold: float | None = None
    real_below: float | None = None
    frame_fake_prob: tuple[float, ...] | None = None
    how_to_get: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for a track or a file, with its votes and the codes of its reasons.

    Attributes:
        voters: models whose votes count, also those that could not judge; a quorum is counted over them.
    """

    label: Label
    fake_prob: float | None
    fake: int = 0
    real: int = 0
    abstain: int = 0
    reasons: tuple[Reason, ...] = ()
    voters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A track with its scores and verdict.

    Attributes:
        span_s: first and last time seen.
        times_s: (K,) times of its frames.
        thumbnail: (S,S,3) uint8 RGB, its sharpest crop; not in the JSON.
    """

    track: FaceTrack
    span_s: tuple[float, float]
    times_s: tuple[float, ...]
    verdict: Verdict
    scores: tuple[ModelScore, ...]
    thumbnail: np.ndarray


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """How many frames were asked for, decoded, showed a face, and showed one that the second pass confirmed.

    Attributes:
        size: width and height of the first frame, px; boxes are measured in it. Frames of a large video are made smaller.
        turned: where no face was confirmed, frames of a few checked ones that show one once they are turned.
    """

    requested: int
    decoded: int
    with_face: int
    verified: int
    times_s: tuple[float, ...]
    size: tuple[int, int]
    turned: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one analysis. `tbd_app.report.to_dict` is its JSON form.

    Attributes:
        models: those that were asked, in order; what a view says of a model comes from here.
        known: what the vote was measured to do, where exactly these voters were measured and all of them judged.
        combination: the one that gave the verdict of some person; None where the majority gave all of them.
        stability: what changed views of the same faces made of the answers; None where they were not asked.
        maps: of which kind the maps of each explained model are, by its name.
        made_at: when the analysis ended, ISO 8601 in UTC to the second; "" where nobody noted it.
    """

    media: Media
    verdict: Verdict
    people: tuple[Person, ...]
    frames: FrameCounts
    settings: dict[str, Any]
    warnings: tuple[str, ...]
    versions: dict[str, Any]
    timings_s: dict[str, float]
    models: tuple[ModelInfo, ...] = ()
    known: KnownPerformance | None = None
    combination: Combination | None = None
    explanations: tuple[Explanation, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    maps: dict[str, MapKind] = field(default_factory=dict)
    stability: Stability | None = None
    provenance: dict[str, Any] | None = None
    made_at: str = ""
    schema_version: int = SCHEMA_VERSION

    def model(self, name: str) -> ModelInfo:
        """What is known of a model; of one that was not asked, its name alone."""
        return next((m for m in self.models if m.name == name), ModelInfo(name, name, ""))

    def to_dict(self) -> dict[str, Any]:
        """Report JSON v1; see tbd_app/report/schema.json."""
        return to_dict(self)


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One step of an analysis.

    Attributes:
        stage: in the order of the work.
        done: finished items of the stage.
        total: items of the stage.
        fraction: share of the whole analysis, 0 to 1.
        message: a short phrase for people.
    """

    stage: Stage
    done: int
    total: int
    fraction: float
    message: str
