"""The things that flow through the engine, one way: Media, Frames, Faces, FaceTrack, ModelScore, Verdict, Report.

All are frozen; arrays are RGB uint8 unless a line says otherwise; boxes are xyxy in pixels of their own frame.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tbd_app.known import Combination, KnownPerformance, MeasuredKind, ModelInfo

MediaKind = Literal["video", "image", "frames"]
ReaderName = Literal["video", "image", "zip", "other"]
Stage = Literal["media", "frames", "faces", "score", "explain"]
ScoreStatus = Literal["ok", "not_applicable", "not_installed", "failed"]
Vote = Literal["fake", "real", "abstain"]
Label = Literal["fake", "real", "uncertain", "not_applicable"]
Exclusion = Literal["face_too_small", "too_brief"]
# Why a score is absent, and what stands behind a verdict; report/texts.py has a sentence for each.
ScoreReason = Literal[Exclusion, "weights_missing", "weights_corrupt", "out_of_memory", "not_finite"]
BlindSpot = Literal[
    "blind_to_swap", "blind_to_lipsync", "blind_to_reenact", "blind_to_talking", "blind_to_t2v", "blind_to_edit",
    "blind_to_still", "blind_to_blending", "blind_to_synthesis",
]  # fmt: skip
VerdictReason = Literal[
    "no_face", "no_verified_face", "no_model_installed", "model_failed", "too_few_voters", "single_voter", "tie",
    "models_disagree", "combined", "majority_differs", "between_thresholds", "several_people",
]  # fmt: skip
Reason = Literal[VerdictReason, ScoreReason, BlindSpot]
SCHEMA_VERSION = 1
RANDOM = "random"  # in place of the tag of public weights: the seeded random ones of tests and toys


@dataclass(frozen=True, slots=True)
class Content:
    """What a file was recognised as, once, from its first bytes.

    Attributes:
        reader: "video" for FFmpeg, "image" for Pillow, "zip", or "other" for what cannot be read.
        format: FFmpeg's demuxer, Pillow's format, "zip", or a phrase that names what else it is ("" unknown).
        index: where the frames lie, as the reader's `probe` wrote it down for its `decode`; "" where it wrote nothing.
    """

    reader: ReaderName
    format: str
    index: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Media:
    """One input file, looked at but not decoded.

    Attributes:
        path: where it lies; never shown or stored.
        name: the file's own name, for people.
        kind: found by content.
        sha256: hex digest of the file.
        width: px, after rotation; of the first frame for a zip of mixed sizes.
        fps: average frames a second, None for images and zips.
        duration_s: None for images and zips.
        n_frames: frames that exist (counted, not taken from the header), 1 for an image.
        codec: FFmpeg's or Pillow's lower-case name.
        content: how it is read.
        rotation_deg: clockwise turn already applied to width and height (0, 90, 180, 270).
        warnings: sentences for the report.
    """

    path: Path
    name: str
    kind: MediaKind
    sha256: str
    bytes: int
    width: int
    height: int
    fps: float | None
    duration_s: float | None
    n_frames: int
    codec: str
    content: Content
    rotation_deg: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames sampled uniformly over the whole timeline, in order.

    Attributes:
        images: T arrays (H,W,3) uint8 RGB, upright; sizes may differ for a zip.
        indices: (T,) int64 frame numbers in the media.
        times_s: (T,) float64 presentation times; the index itself for a zip, 0 for an image.
        requested: how many were asked for.
        warnings: sentences for the report.
    """

    images: tuple[np.ndarray, ...]
    indices: np.ndarray
    times_s: np.ndarray
    requested: int
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


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
    """

    track_id: int
    positions: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    quality: TrackQuality
    exclusion: Exclusion | None = None

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How a face is cut for a model.

    Attributes:
        kind: "square" is a square of `margin` times the longer side of the box; "arcface" and "lrw" turn, scale and
            shift the face until its landmarks meet those of a mean face (see tbd_app/pipeline/crops.py).
        margin: side of the crop over the face; for "lrw" over the tight crop of that mean face.
    """

    kind: Literal["square", "arcface", "lrw"] = "square"
    margin: float = 1.3


@dataclass(frozen=True, slots=True)
class Backbone:
    """A public network that a model stands on and whose checkpoints leave it out; they hold what was trained.

    Attributes:
        name: open_clip's architecture, such as "ViT-B-16-quickgelu".
        tag: its public weights, such as "openai", or `RANDOM`.
        activation: "quick_gelu" or "gelu": weights of one are wrong in the other.
        repo: the hub's repository of the public weights; empty where there is none.
        sha256: of the tensors that stayed frozen; empty until a checkpoint is written.
    """

    name: str
    tag: str
    activation: str
    repo: str = ""
    sha256: str = ""

    @property
    def file(self) -> str:
        """Its bare file name in a weights folder."""
        return f"{self.name}.{self.tag}.safetensors"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen on validation media for one checkpoint; header, manifest, its schema and the card list these fields.

    Attributes:
        threshold: votes fake at or above it (calibrated fake_prob).
        few_frames_threshold: in place of `threshold` for tracks of a few frames, whose mean varies more; None for the same.
        real_below: votes real below it, abstains between; never above `threshold`.
        few_frames_real_below: in place of `real_below` for tracks of a few frames; None for the same.
        temperature: divides the logit.
        softened_share: share of what a frame model says of the same crop at half its size that is taken off its logit:
            `logit(x) - softened_share * logit(half_size(x))`.
    """

    threshold: float = 0.5
    few_frames_threshold: float | None = None
    real_below: float = 0.5
    few_frames_real_below: float | None = None
    temperature: float = 1.0
    softened_share: float = 0.0

    def bounds(self, *, few_frames: bool) -> tuple[float, float]:
        """Below what is voted real, and from what fake, for a track of many or of few frames."""
        real_below, threshold = self.real_below, self.threshold
        if few_frames:
            real_below = real_below if self.few_frames_real_below is None else self.few_frames_real_below
            threshold = threshold if self.few_frames_threshold is None else self.few_frames_threshold
        return real_below, threshold

    def to_dict(self) -> dict[str, float]:
        """The numbers that are set, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that a model needs besides its weights; it travels with the weights and overrides the registered default.

    Attributes:
        task: "frame" scores single crops and averages; "clip" scores a sequence.
        input_size: side of the square input, px.
        clip_len: frames a clip model sees, 1 for frame models.
        calibration: bounds, temperature and the like, chosen on validation media.
        n_trainable: parameters that training changes, where that is not all of them.
        backbone: of a model whose checkpoints hold only the trained part.
        metrics: measured figures, as written by training/evaluate.py.
        known: those that a report shows, by kind of media.
    """

    name: str
    task: Literal["frame", "clip"]
    architecture: str
    input_size: int
    clip_len: int = 1
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop: CropRecipe = CropRecipe()
    calibration: Calibration = Calibration()
    default_voter: bool = False
    n_params: int = 0
    n_trainable: int | None = None
    backbone: Backbone | None = None
    licence: str = ""
    paper: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    known: dict[MeasuredKind, KnownPerformance] = field(default_factory=dict)


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
class Explanation:
    """Where a model looked in one crop; held in memory for views, never in the JSON.

    Attributes:
        crop: (S,S,3) uint8 RGB.
        heat: (S,S) float32 in [0,1] on one scale for the whole report.
        overlay: (S,S,3) uint8 RGB, crop with the heat drawn over it.
        role: "highest" or "lowest" frame of the track.
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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A sampled frame made small for display, with its faces; held in memory only.

    Attributes:
        image: (h,w,3) uint8 RGB, 960 px at most on the longer side.
        boxes: (N,4) float32 in pixels of `image`.
        track_ids: (N,) int, -1 for a face outside every track.
    """

    position: int
    time_s: float
    image: np.ndarray
    boxes: np.ndarray
    track_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """How many frames were asked for, decoded, showed a face, and showed one that the second pass confirmed.

    Attributes:
        size: width and height of the first frame, px; boxes are measured in it. Frames of a large video are made smaller.
    """

    requested: int
    decoded: int
    with_face: int
    verified: int
    times_s: tuple[float, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one analysis. `tbd_app.report.to_dict` is its JSON form.

    Attributes:
        models: those that were asked, in order; what a view says of a model comes from here.
        known: what the vote was measured to do, where exactly these voters were measured and all of them judged.
        combination: the one that gave the verdict of some person; None where the majority gave all of them.
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
    stability: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION

    def model(self, name: str) -> ModelInfo:
        """What is known of a model; of one that was not asked, its name alone."""
        return next((m for m in self.models if m.name == name), ModelInfo(name, name, ""))

    def to_dict(self) -> dict[str, Any]:
        """Report JSON v1; see tbd_app/report/schema.json."""
        from tbd_app.report.to_json import to_dict

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
