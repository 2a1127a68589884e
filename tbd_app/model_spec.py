"""What a model is besides its weights: how faces are cut for it, what it stands on, what was calibrated."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tbd_app.known import MEASURED_KINDS, KnownPerformance, MeasuredKind

RANDOM = "random"  # in place of the tag of public weights: the seeded random ones of tests and toys


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How a face is cut for a model.

    Attributes:
        kind: "square" is a square of `margin` times the longer side of the box; "arcface", "lrw" and "lower" turn,
            scale and shift the face until its landmarks meet those of a mean face (see tbd_app/pipeline/crops.py);
            "lower" shows mouth, chin and cheeks.
        margin: side of the crop over the face; for "lrw" and "lower" over the tight crop of that mean face.
    """

    kind: Literal["square", "arcface", "lrw", "lower"] = "square"
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
class FramesAt:
    """Where the frames of a clip model's clips lie on the timeline, in training and so in serving.

    Attributes:
        kind: "spread" evenly over all of it, as one clip; "consecutive" in runs of frames that follow each other.
        step_s: seconds between the frames of a run; 0 takes the file's frames one after the other.
        clips: runs at most for a track, whose probabilities are averaged.
    """

    kind: Literal["spread", "consecutive"] = "spread"
    step_s: float = 0.0
    clips: int = 1

    def in_header(self) -> dict[str, Any]:
        """The entry of a checkpoint's header; none for spread frames, of which older headers say nothing."""
        return {} if self == FramesAt() else {"frames_at": asdict(self)}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that a model needs besides its weights; it travels with the weights and overrides the registered default.

    Attributes:
        task: "frame" scores single crops and averages; "clip" scores a sequence.
        input_size: side of the square input, px.
        clip_len: frames a clip model sees, 1 for frame models.
        frames_at: where they lie on the timeline.
        calibration: bounds, temperature and the like, chosen on validation media.
        options: keyword arguments with which the architecture is built, where they are not its defaults.
        default_voter: whether it votes where nobody names models.
        votes_on: the kinds of media on which a default voter does.
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
    frames_at: FramesAt = FramesAt()
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop: CropRecipe = CropRecipe()
    calibration: Calibration = Calibration()
    options: dict[str, Any] = field(default_factory=dict)
    default_voter: bool = False
    votes_on: tuple[MeasuredKind, ...] = MEASURED_KINDS
    n_params: int = 0
    n_trainable: int | None = None
    backbone: Backbone | None = None
    licence: str = ""
    paper: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    known: dict[MeasuredKind, KnownPerformance] = field(default_factory=dict)
