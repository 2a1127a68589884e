"""Clips of neighbouring frames for the models that were trained on them: where they lie, whose faces they show, their logits.

A model on spread frames is not touched by any of this: it keeps the frames that it always had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tbd_app.errors import InputError
from tbd_app.media.packets import planned
from tbd_app.media.runs import sample_runs
from tbd_app.medium import Runs
from tbd_app.models.nets.base import Detector
from tbd_app.pipeline import score, tracks
from tbd_app.pipeline.faces import FaceDetector, iou
from tbd_app.settings import Limits
from tbd_app.types import FaceTrack, Frames, Media, ModelSpec

MAX_APART = 2.0  # sampled frames between a run and the person's nearest one; tuned, not tested
FINER = 1.9  # steps of a run, in gaps between the frames at hand, from which on frames are chosen by time; below, neighbours
MAX_MOVE = 0.8  # of the face's side, from where it should be; tuned, not tested


@dataclass(frozen=True, slots=True)
class Sight:
    """One run, and each person that is seen in it as a track of its frames, by track_id."""

    frames: Frames
    people: Mapping[int, FaceTrack]


Sights = Mapping[Runs, Sequence[Sight]]


def asked(spec: ModelSpec) -> Runs | None:
    """The runs that a model asks for; None for one that sees spread frames."""
    at = spec.frames_at
    if spec.task != "clip" or at.kind == "spread":
        return None
    return Runs(spec.clip_len, at.step_s, at.clips)


def with_runs(media: Media, frames: Frames, specs: Sequence[ModelSpec], limits: Limits) -> Frames:
    """The sampled frames, with the runs that these models ask for; the same object where none does.

    Runs that cannot be decoded are left out with a sentence, because the frames that every model shares are there.
    """
    wanted = dict.fromkeys(runs for spec in specs if (runs := asked(spec)))
    if not wanted:
        return frames
    found: dict[Runs, tuple[Frames, ...]] = {}
    warnings = list(frames.warnings)
    for runs in wanted:
        try:
            found[runs] = sample_runs(media, runs, limits)
        except InputError as error:
            warnings.append(f"Neighbouring frames could not be read: {error.message}")
    return replace(frames, runs=found, warnings=tuple(warnings))


def sights(
    frames: Frames, people: Sequence[FaceTrack], detector: FaceDetector, face_confidence: float
) -> dict[Runs, list[Sight]]:
    """Who is seen in the runs of `frames`, of those who can be scored."""
    usable = [t for t in people if t.exclusion is None]
    if not usable:
        return {}
    out: dict[Runs, list[Sight]] = {}
    for runs, found in frames.runs.items():
        out[runs] = []
        for run in found:
            faces = detector.detect(run.images, face_confidence)
            chains = tracks.link(run, faces, min_face_px=0, min_share=0.0)
            out[runs].append(Sight(run, _matched(frames, usable, run, chains)))
    return out


def _matched(
    frames: Frames, people: Sequence[FaceTrack], run: Frames, chains: Sequence[FaceTrack]
) -> dict[int, FaceTrack]:
    """Each person's track in a run, best pairs first, each once."""
    pairs = sorted(
        ((near, n, c) for n, person in enumerate(people) for c, chain in enumerate(chains)
         if (near := _nearness(frames, person, run, chain)) > 0),
        reverse=True,
    )  # fmt: skip
    out: dict[int, FaceTrack] = {}
    taken: set[int] = set()
    for _, n, c in pairs:
        name = people[n].track_id
        if name not in out and c not in taken:
            out[name] = replace(chains[c], track_id=name)
            taken.add(c)
    return out


def _nearness(frames: Frames, person: FaceTrack, run: Frames, chain: FaceTrack) -> float:
    """1 + IoU of a face with where the person should be at that moment, up to 1 beside it, 0 elsewhere."""
    times = frames.times_s[person.positions]
    middle = len(chain) // 2
    now = float(run.times_s[chain.positions[middle]])
    step_s = float(np.median(np.diff(frames.times_s))) if len(frames) > 1 else np.inf
    if np.abs(times - now).min() > MAX_APART * step_s:
        return 0.0
    # A run of many frames may have been made smaller to fit into memory.
    scale = run.images[0].shape[1] / frames.images[0].shape[1]
    box = np.array([np.interp(now, times, person.boxes[:, k]) for k in range(4)]) * scale
    face = chain.boxes[middle]
    if (overlap := iou(box, face)) > 0:
        return 1.0 + overlap
    move = float(np.hypot(*((box[:2] + box[2:] - face[:2] - face[2:]) / 2))) / max(box[2:] - box[:2])
    return max(1.0 - move / MAX_MOVE, 0.0)


def clips_of(
    runs: Runs, frames: Frames, track: FaceTrack, seen: Sequence[Sight] = ()
) -> list[tuple[Frames, FaceTrack]]:
    """The clips of a person, each with the frames that its positions count in.

    Where no run shows the person, and for media without a timeline or faces cut beforehand, the frames at hand are taken as
    near to each other as the model asks, or as they lie where that is further.
    """
    found = [(s.frames, s.people[track.track_id]) for s in seen if track.track_id in s.people]
    return found or [(frames, _rows(track, rows)) for rows in _among(frames, track, runs)]


def _among(frames: Frames, track: FaceTrack, runs: Runs) -> list[np.ndarray]:
    times = frames.times_s[track.positions].astype(float)
    gaps = np.diff(times)
    seconds = len(gaps) and (gaps > 0).all() and (times != frames.indices[track.positions]).any()
    if not seconds or runs.step_s < FINER * float(np.median(gaps)):
        times, runs = np.arange(len(track), dtype=float), replace(runs, step_s=0.0)
    return planned(times, runs)


def _rows(track: FaceTrack, rows: np.ndarray) -> FaceTrack:
    return replace(
        track, positions=track.positions[rows], boxes=track.boxes[rows], landmarks=track.landmarks[rows]
    )


def track_logits(
    model: Detector,
    spec: ModelSpec,
    frames: Frames,
    people: Sequence[FaceTrack],
    device: str,
    parts: score.Parts | None = None,
    *,
    seen: Sights | None = None,
) -> dict[int, np.ndarray]:
    """`score.track_logits`, of the clips that the model asks for: (C,) float64 of a model on runs, one value a clip.

    Args:
        parts: is filled with what they are made of.
        seen: of these people.
    """
    runs = asked(spec)
    if runs is None:
        return score.track_logits(model, spec, frames, people, device, parts)
    out = {}
    for track in people:
        clips = clips_of(runs, frames, track, (seen or {}).get(runs, ()))
        found = [score.track_logits(model, spec, f, [t], device)[track.track_id] for f, t in clips]
        out[track.track_id] = np.concatenate(found)
    if parts is not None:
        parts.own.update(out)
    return out
