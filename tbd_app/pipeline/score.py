"""Run the models over the tracks: crops of all tracks together in batches, bfloat16 where the machine has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from tbd_app.errors import DeviceMissing, WeightsCorrupt, WeightsMissing
from tbd_app.models import registry
from tbd_app.models.nets.base import Detector, reduced
from tbd_app.models.nets.sharing import share
from tbd_app.models.nets.tower import ClipDetector
from tbd_app.pipeline import batches, verdict
from tbd_app.pipeline.crops import for_spec
from tbd_app.types import FaceTrack, Frames, ModelScore, ModelSpec, ScoreReason, ScoreStatus

FEW_FRAMES = 8
SOFTENED_EVERY = 4  # frames of a track for one that is seen a second time, without its finest detail
TOWER_FRAMES = 8  # of a track that a frame model on a tower scores: each costs much, more give nothing
LogitsOf = Callable[[Detector, ModelSpec, Frames, Sequence[FaceTrack], str], dict[int, np.ndarray]]
# Grad-CAM hangs hooks on a loaded model, so one pass at a time may use it.
MODEL_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the logits of tracks were made of, by track_id, for who scores some of the same faces again.

    Attributes:
        own: (K,) float64 logits of a frame model, before the softened share is taken off (see `scored_rows`), or (C,) of a
            clip model on runs of frames, one a clip.
        softened: (J,) float64 logits of the frames `softened_rows` without their finest detail, where a share is.
        features: (T,C) of a clip model that reads frame by frame.
    """

    own: dict[int, np.ndarray] = field(default_factory=dict)
    softened: dict[int, np.ndarray] = field(default_factory=dict)
    features: dict[int, Tensor] = field(default_factory=dict)


def pick_device(wanted: str) -> str:
    """The device, "cuda" or "cpu", for a setting of "auto", "cuda" or "cpu"; "auto" takes CUDA when it is there.

    Raises:
        DeviceMissing: "cuda" is wanted and not there.
    """
    if wanted == "cpu":
        return wanted
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        raise DeviceMissing("There is no GPU that PyTorch can use here; take the device cpu or auto.")
    return "cuda" if present else "cpu"


def has_bf16(device: str) -> bool:
    """Whether bfloat16 is native and so pays off."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@lru_cache(maxsize=8)
def loaded(name: str, device: str) -> Detector:
    """A model with its weights, kept in memory.

    Raises:
        WeightsMissing: they are not on this machine.
        WeightsCorrupt: they are not what the manifest says.
    """
    model = served(registry.load(name, device, shared=True), device)
    return share(model) if isinstance(model, ClipDetector) else model


def served(model: Detector, device: str) -> Detector:
    """A model in the memory layout and the precision in which it is served, changed in place."""
    if isinstance(model, ClipDetector) and has_bf16(device):
        model.hold(torch.bfloat16)  # first: its numbers are hashed once, where they lie
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval()


def score_tracks(
    name: str,
    frames: Frames,
    tracks: Sequence[FaceTrack],
    device: str = "cpu",
    logits_of: LogitsOf | None = None,
) -> list[ModelScore]:
    """One model on every track.

    Args:
        name: registered model.
        frames: the sampled frames.
        tracks: excluded ones are answered with `not_applicable` and their reason.
        device: "cpu" or "cuda".
        logits_of: in place of `track_logits`, for who has them already.

    Returns:
        One score per track, in their order.
    """
    spec = registry.spec(name)
    usable = [t for t in tracks if t.exclusion is None]
    logits: dict[int, np.ndarray] = {}
    failure: tuple[ScoreStatus, ScoreReason] | None = None
    try:
        if usable:
            model = loaded(name, device)
            logits = (logits_of or track_logits)(model, spec, frames, usable, device)
    except WeightsMissing:
        failure = ("not_installed", "weights_missing")
    except WeightsCorrupt:
        failure = ("failed", "weights_corrupt")
    except torch.OutOfMemoryError:
        failure = ("failed", "out_of_memory")
    out = []
    for track in tracks:
        if track.exclusion:
            out.append(ModelScore(name, track.track_id, "not_applicable", track.exclusion))
        elif failure:
            lacking = registry.how_to_get(name) if failure[0] == "not_installed" else None
            out.append(ModelScore(name, track.track_id, *failure, how_to_get=lacking))
        elif not np.isfinite(logits[track.track_id]).all():
            out.append(ModelScore(name, track.track_id, "failed", "not_finite"))
        else:
            out.append(judged(spec, track, logits[track.track_id]))
    return out


def track_logits(
    model: Detector,
    spec: ModelSpec,
    frames: Frames,
    tracks: Sequence[FaceTrack],
    device: str,
    parts: Parts | None = None,
) -> dict[int, np.ndarray]:
    """Fake-minus-real logits by track_id: (K,) float64 of a frame model, (1,) of a clip model.

    Args:
        parts: is filled with what they are made of.
    """
    pick = _clip_logits if spec.task == "clip" else _frame_logits
    return pick(model, spec, frames, tracks, device, Parts() if parts is None else parts)


def bounds_for(spec: ModelSpec, n_frames: int) -> tuple[float, float]:
    """Below what is voted real, and from what fake, for a face seen in so many frames: few may have bounds of their own."""
    return spec.calibration.bounds(few_frames=n_frames < FEW_FRAMES)


def judged(spec: ModelSpec, track: FaceTrack, logits: np.ndarray) -> ModelScore:
    """Calibrate logits (K,) of a frame model or (1,) of a clip model, average the probabilities and vote."""
    # Rounded before the vote, so that what is shown is what was compared.
    probs = np.round(1 / (1 + np.exp(-logits / spec.calibration.temperature)), 6)
    fake_prob = round(float(probs.mean()), 6)
    real_below, threshold = bounds_for(spec, len(track))
    return ModelScore(
        model=spec.name,
        track_id=track.track_id,
        status="ok",
        fake_prob=fake_prob,
        vote=verdict.vote(fake_prob, threshold, real_below),
        threshold=threshold,
        real_below=real_below,
        frame_fake_prob=tuple(float(p) for p in probs) if spec.task == "frame" else None,
    )


def _frame_logits(
    model: Detector, spec: ModelSpec, frames: Frames, tracks: Sequence[FaceTrack], device: str, parts: Parts
) -> dict[int, np.ndarray]:
    """Fake-minus-real logit of every frame of every track: track_id -> (K,) float64.

    Of frames that are not scored (`scored_rows`) they lie on the line between their neighbours'.
    """
    rows = [scored_rows(model, len(t)) for t in tracks]
    scored = _logits_of_rows(model, spec, frames, tracks, rows, device)
    for t, mine in zip(tracks, rows, strict=True):
        parts.own[t.track_id] = np.interp(np.arange(len(t)), mine, scored[t.track_id])
    if not (share := spec.calibration.softened_share):
        return {t.track_id: parts.own[t.track_id] for t in tracks}
    # How soft a face is changes little within a track, so a few frames say it for all.
    rows = [softened_rows(len(t)) for t in tracks]
    parts.softened.update(_logits_of_rows(model, spec, frames, tracks, rows, device, soften=reduced))
    names = [t.track_id for t in tracks]
    return {name: parts.own[name] - share * parts.softened[name].mean() for name in names}


def _logits_of_rows(
    model: Detector,
    spec: ModelSpec,
    frames: Frames,
    tracks: Sequence[FaceTrack],
    rows: Sequence[np.ndarray],
    device: str,
    *,
    soften: Callable[[Tensor], Tensor] = lambda x: x,
) -> dict[int, np.ndarray]:
    """What the model says of these rows of each track, all tracks together in batches."""
    places = [
        (frames.images[p], box, points)
        for t, r in zip(tracks, rows, strict=True)
        for p, box, points in zip(t.positions[r], t.boxes[r], t.landmarks[r], strict=True)
    ]
    preprocess = for_spec(spec)
    parts: list[Tensor] = []
    while places:
        n = batches.at_once(model, device)
        images, boxes, landmarks = zip(*places[:n], strict=True)
        x = preprocess.tensor(preprocess.crops(images, np.stack(boxes), np.stack(landmarks)), device)
        parts.append(_logits(model, soften(x)))
        del places[:n]
    ends = np.cumsum([len(r) for r in rows])[:-1]
    # Fetched when all are asked for: a GPU works while the next crops are cut.
    split = np.split(_difference(torch.cat(parts)), ends)
    return {t.track_id: part for t, part in zip(tracks, split, strict=True)}


def scored_rows(model: Detector, n: int) -> np.ndarray:
    """Rows of a track of n frames that a frame model scores: all, or of a model on a tower at most `TOWER_FRAMES`.

    Those of `softened_rows` are among them, as far as their number allows.
    """
    step = 1
    while isinstance(model, ClipDetector) and n > step * TOWER_FRAMES:
        step *= 2
    return np.arange(min((SOFTENED_EVERY // 2) % step, n - 1), n, step)


def softened_rows(n: int) -> np.ndarray:
    """Rows of a track of n frames that are seen a second time, without their finest detail."""
    return np.arange(min(SOFTENED_EVERY // 2, n - 1), n, SOFTENED_EVERY)


def _clip_logits(
    model: Detector, spec: ModelSpec, frames: Frames, tracks: Sequence[FaceTrack], device: str, parts: Parts
) -> dict[int, np.ndarray]:
    """Fake-minus-real logit of each track's clip: track_id -> (1,) float64."""
    out = {}
    for track in tracks:
        x = for_spec(spec).tensor(clip_crops(spec, frames, track), device)
        if model.frame_by_frame:
            features = parts.features[track.track_id] = run(model.frame_features, x)
            out[track.track_id] = of_features(model, features[None])
        else:
            out[track.track_id] = forward(model, x[None])
    return out


def of_features(model: Detector, features: Tensor) -> np.ndarray:
    """Fake-minus-real logits (B,) float64 of clips (B,T,C) whose frames were read before."""
    return _difference(run(model.from_features, features))


def clip_rows(spec: ModelSpec, track: FaceTrack) -> np.ndarray:
    """Rows of a track that a clip model sees: at most `clip_len`, spread evenly."""
    return np.unique(np.rint(np.linspace(0, len(track) - 1, spec.clip_len)).astype(int))


def clip_crops(spec: ModelSpec, frames: Frames, track: FaceTrack) -> np.ndarray:
    """(T,S,S,3) uint8 RGB crops of a track for a clip model."""
    rows = clip_rows(spec, track)
    images = [frames.images[int(p)] for p in track.positions[rows]]
    return for_spec(spec).crops(images, track.boxes[rows], track.landmarks[rows])


def of_pictures(model: Detector, spec: ModelSpec, x: Tensor) -> np.ndarray:
    """Logits (N,) float64 of pictures (N,3,S,S), or clips (N,T,3,S,S) for a clip model, each served on its own."""
    own, share = forward(model, x), spec.calibration.softened_share
    return own - share * forward(model, reduced(x)) if share else own


def forward(model: Detector, x: Tensor) -> np.ndarray:
    """Fake-minus-real logits (B,) float64 of normalised pictures (B,3,S,S) or clips (B,T,3,S,S), in batches."""
    return _difference(torch.cat([_logits(model, p) for p in x.split(batches.at_once(model, x.device))]))


def _logits(model: Detector, x: Tensor) -> Tensor:
    """(B,2), still on the device."""
    return run(model, x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x)


def run(part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A model, or a method of one, in the precision in which it is served."""
    kind = x.device.type
    with MODEL_LOCK, torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=has_bf16(kind)):
        return batches.ask(part, x)


def _difference(logits: Tensor) -> np.ndarray:
    logits = logits.float()
    return (logits[:, 1] - logits[:, 0]).double().cpu().numpy()
