"""Is the answer the same when the file is changed in ways that mean nothing? The same faces, scored again in `VIEWS`.

Each view is asked about one frame of each person, another one for each view, spread over the timeline: the least that five
views can cost, and as much as the scoring itself of a clip model that sees five frames. One frame says less than all of them,
so its own score is not held against the answer: it is compared with the same frame as it was, and what the view changed there
is taken to be what it changes in every frame. A frame model's logits all move by that much, and so do the features of a clip
model's frames; averages, calibration and bounds stay those of the verdict. A clip model that does not read frame by frame is
asked about its whole clip in each view; of several clips of neighbouring frames another one is asked about in each view, and
all move by what the view changes there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tbd_app.known import Combination
from tbd_app.medium import Runs
from tbd_app.models import registry
from tbd_app.models.nets.base import Detector, reduced
from tbd_app.pipeline import batches, neighbours, score, verdict
from tbd_app.pipeline.crops import Preprocess, for_spec
from tbd_app.pipeline.score import Parts
from tbd_app.pipeline.views import VIEWS, Face, part
from tbd_app.steady import Stability, Steadiness, ViewAnswer, ViewName
from tbd_app.types import FaceTrack, Frames, ModelScore, ModelSpec, Verdict

# Views in which a face is as soft as it was, so that the softened share stays as it is.
AS_SOFT: tuple[ViewName, ...] = ("mirrored", "shifted")
Logits = dict[tuple[int, ViewName], np.ndarray]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A view of a person, asked about the frame at `place` among those that a model sees, which is `row` of the track."""

    track: FaceTrack
    view: ViewName
    place: int
    row: int

    @property
    def key(self) -> tuple[int, ViewName]:
        return self.track.track_id, self.view


def views_of(track: FaceTrack, min_face_px: int) -> list[ViewName]:
    """Views that are asked about a person: in a file of half the size, a small face would not be judged at all."""
    small = track.quality.median_side_px / 2 < min_face_px
    return [view for view in VIEWS if not (view == "half_size" and small)]


def check(
    frames: Frames,
    tracks: Sequence[FaceTrack],
    verdicts: Mapping[int, Verdict],
    scores: Sequence[ModelScore],
    combination: Combination | None,
    parts: Mapping[str, Parts],
    device: str,
    seen: neighbours.Sights | None = None,
    *,
    min_face_px: int,
) -> Stability | None:
    """What the views make of each person whose verdict is an answer; None where the machine has too little memory.

    Args:
        frames: the sampled frames.
        tracks: of these frames.
        verdicts: by track_id, before the views are asked.
        scores: behind them, of every model asked.
        combination: behind them.
        parts: of what the scores were made, by model; what is missing is computed again.
        device: "cpu" or "cuda".
        seen: of the tracks, for models on runs of frames.
        min_face_px: faces with a smaller median side are not judged.
    """
    decided = [t for t in tracks if is_answer(verdicts[t.track_id])]
    voters = {name for t in decided for name in verdicts[t.track_id].voters}
    judging = [s for s in scores if s.status == "ok" and s.model in voters]
    logits: dict[str, Logits] = {}
    try:
        for name in dict.fromkeys(s.model for s in judging):
            mine = [t for t in decided if any((s.model, s.track_id) == (name, t.track_id) for s in judging)]
            logits[name] = view_logits(
                name, frames, mine, device, parts.get(name), seen, min_face_px=min_face_px
            )
    except torch.OutOfMemoryError:
        return None
    return of_logits(decided, verdicts, scores, combination, logits)


def is_answer(verdict: Verdict) -> bool:
    """Whether there is an answer that a view could turn."""
    return verdict.label in ("fake", "real")


def of_logits(
    tracks: Sequence[FaceTrack],
    verdicts: Mapping[int, Verdict],
    scores: Sequence[ModelScore],
    combination: Combination | None,
    logits: Mapping[str, Logits],
) -> Stability:
    """What the views come to by the rules of the verdict; a view that lacks a number of a model that judged is left out.

    Args:
        tracks: those that were asked; a verdict that is no answer is passed over.
        verdicts: by track_id, before the views were asked.
        scores: behind them, of every model asked.
        combination: behind them.
        logits: of each model that judged, as `view_logits` gives them.
    """
    people = []
    for track in tracks:
        before = verdicts[track.track_id]
        asked = [s for s in scores if s.track_id == track.track_id and s.model in before.voters]
        found = (_answer(view, track, asked, before, combination, logits) for view in VIEWS)
        views = tuple(answer for answer in found if answer is not None)
        if views and is_answer(before):
            people.append(Steadiness(track.track_id, before.label, views))
    return Stability(tuple(people))


def _answer(
    view: ViewName,
    track: FaceTrack,
    asked: Sequence[ModelScore],
    before: Verdict,
    combination: Combination | None,
    logits: Mapping[str, Logits],
) -> ViewAnswer | None:
    now = []
    for s in asked:
        if s.status == "ok":
            found = logits[s.model].get((track.track_id, view))
            if found is None or not np.isfinite(found).all():
                return None
            s = score.judged(registry.spec(s.model), track, found)
        now.append(s)
    answer = verdict.of_track(now, before.voters, combination)
    by_model = {s.model: s.fake_prob for s in now if s.status == "ok" and s.fake_prob is not None}
    return ViewAnswer(view, answer.label, answer.fake_prob, by_model)


def view_logits(
    name: str,
    frames: Frames,
    tracks: Sequence[FaceTrack],
    device: str,
    parts: Parts | None = None,
    seen: neighbours.Sights | None = None,
    *,
    min_face_px: int,
) -> Logits:
    """Fake-minus-real logits of one model by track_id and view, as many as served the verdict.

    (K,) float64 of a frame model, (1,) of a clip model, (C,) of one on runs of frames, one a clip.

    Raises:
        torch.OutOfMemoryError: there is too little memory.
    """
    spec, model = registry.spec(name), score.loaded(name, device)
    known = parts if parts is not None else Parts()
    asked: list[tuple[FaceTrack, ViewName]] = [(t, view) for t in tracks for view in views_of(t, min_face_px)]
    if not asked:
        return {}
    eyes = _Eyes(model, spec, for_spec(spec), frames, device)
    if (runs := neighbours.asked(spec)) is not None:
        own = known.own
        if any(t.track_id not in own for t in tracks):
            own = neighbours.track_logits(model, spec, frames, tracks, device, seen=seen)
        return eyes.of_runs(asked, runs, (seen or {}).get(runs, ()), own)
    missing = [t for t in tracks if t.track_id not in known.own and t.track_id not in known.features]
    if missing and (spec.task == "frame" or model.frame_by_frame):
        score.track_logits(model, spec, frames, missing, device, known)
    if spec.task == "frame":
        return eyes.of_frames(asked, known)
    return eyes.of_features(asked, known) if model.frame_by_frame else eyes.of_clips(asked)


def spread(view: ViewName, n: int) -> int:
    """Which of n frames a view is asked about: the middles of equal parts of the timeline, one part a view."""
    return (2 * list(VIEWS).index(view) + 1) * n // (2 * len(VIEWS))


def _asked(track: FaceTrack, view: ViewName, rows: np.ndarray) -> _Asked:
    place = spread(view, len(rows))
    return _Asked(track, view, place, int(rows[place]))


@dataclass(frozen=True, slots=True)
class _Eyes:
    """One model and the frames that it is asked about."""

    model: Detector
    spec: ModelSpec
    preprocess: Preprocess
    frames: Frames
    device: str

    def of_frames(self, views: Sequence[tuple[FaceTrack, ViewName]], parts: Parts) -> Logits:
        """(K,) logits of a frame model for each view."""
        share = self.spec.calibration.softened_share
        asked = [_asked(track, view, score.softened_rows(len(track))) for track, view in views]
        x = self.tensor(asked)
        own = score.forward(self.model, x)
        moved = own - [parts.own[a.track.track_id][a.row] for a in asked]
        softer = [n for n, a in enumerate(asked) if a.view not in AS_SOFT]
        if share and softer:
            soft = score.forward(self.model, reduced(x[softer]))
            before = [parts.softened[asked[n].track.track_id][asked[n].place] for n in softer]
            moved[softer] -= share * (soft - before)
        out: Logits = {}
        for a, step in zip(asked, moved, strict=True):
            served = parts.own[a.track.track_id]
            served = served - share * parts.softened[a.track.track_id].mean() if share else served
            out[a.key] = served + step
        return out

    def of_features(self, views: Sequence[tuple[FaceTrack, ViewName]], parts: Parts) -> Logits:
        """(1,) logit of a clip model that reads frame by frame, for each view."""
        asked = [_asked(track, view, score.clip_rows(self.spec, track)) for track, view in views]
        found: list[Tensor] = []
        for part_of_x in self.tensor(asked).split(batches.at_once(self.model, self.device)):
            found += score.run(self.model.frame_features, part_of_x)
        out: Logits = {}
        for a, now in zip(asked, found, strict=True):
            before = parts.features[a.track.track_id]
            out[a.key] = score.of_features(self.model, (before + (now - before[a.place]))[None])
        return out

    def of_clips(self, views: Sequence[tuple[FaceTrack, ViewName]]) -> Logits:
        """(1,) logit of any other clip model, which sees its whole clip in each view."""
        out: Logits = {}
        for track, view in views:
            rows = score.clip_rows(self.spec, track).tolist()
            asked = [_Asked(track, view, place, row) for place, row in enumerate(rows)]
            out[track.track_id, view] = score.forward(self.model, self.tensor(asked)[None])
        return out

    def of_runs(
        self,
        views: Sequence[tuple[FaceTrack, ViewName]],
        runs: Runs,
        sights: Sequence[neighbours.Sight],
        own: Mapping[int, np.ndarray],
    ) -> Logits:
        """(C,) logits of a model on runs of frames: one of the C clips is seen in each view, and all move as it does."""
        out: Logits = {}
        for track, view in views:
            clips = neighbours.clips_of(runs, self.frames, track, sights)
            clip = spread(view, len(clips))
            frames, person = clips[clip]
            (now,) = replace(self, frames=frames).of_clips([(person, view)]).values()
            out[track.track_id, view] = own[track.track_id] + (now - own[track.track_id][clip])
        return out

    def tensor(self, asked: Sequence[_Asked]) -> Tensor:
        """(N,3,S,S) of what the model sees in each view."""
        faces = [VIEWS[a.view](self.face(a.track, a.row), self.preprocess) for a in asked]
        crops = self.preprocess.crops(
            [f.image for f in faces],
            np.stack([f.box for f in faces]),
            np.stack([f.landmarks for f in faces]),
        )
        return self.preprocess.tensor(crops, self.device)

    def face(self, track: FaceTrack, row: int) -> Face:
        """A face as it is, in the part of its frame that matters."""
        image = self.frames.images[int(track.positions[row])]
        return part(Face(image, track.boxes[row], track.landmarks[row]), self.preprocess)
