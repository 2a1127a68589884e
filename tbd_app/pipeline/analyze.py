"""The engine: a file in, progress events, and at the end a `Report`. Web, command line, Python and HTTP all call this."""

from __future__ import annotations

import importlib
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tbd_app.known import MEASURED_AS
from tbd_app.media import provenance, sandbox
from tbd_app.media.open import open_media
from tbd_app.models import manifest, registry
from tbd_app.names import shown
from tbd_app.pipeline import (
    explain,
    fitness,
    followed,
    made_by,
    neighbours,
    people,
    score,
    snapshots,
    stability,
    verdict,
)
from tbd_app.pipeline.crops import cut_inside
from tbd_app.pipeline.loading import Loading
from tbd_app.settings import AnalysisSettings
from tbd_app.types import (
    Faces,
    FaceTrack,
    FrameCounts,
    Frames,
    Media,
    MediaKind,
    ModelInfo,
    ModelScore,
    Person,
    ProgressEvent,
    Report,
    Stage,
    Verdict,
)

# Share of the whole at which each stage ends, for the progress bar.
STAGE_ENDS: dict[Stage, float] = {
    "media": 0.03,
    "frames": 0.2,
    "faces": 0.65,
    "score": 0.85,
    "stability": 0.92,
    "explain": 1.0,
}
THUMBNAIL_PX = 160
UNABLE: dict[str, str] = {
    "weights_missing": "its weights are not here",
    "weights_corrupt": "its weights are damaged or not the listed ones",
    "out_of_memory": "too little memory",
    "not_finite": "it gave no number",
}


def analyze(path: str | Path, settings: AnalysisSettings | None = None, **overrides: Any) -> Report:
    """Analyse one file.

    Args:
        path: a video, an image or a zip of frames.
        settings: defaults when None.
        overrides: fields of `AnalysisSettings`, when no settings are given.

    Raises:
        TBDError: the file or a setting is refused; see tbd_app/errors.py.
    """
    report: Report | None = None
    for item in analyze_events(path, settings or AnalysisSettings(**overrides)):
        if isinstance(item, Report):
            report = item
    if report is None:
        raise RuntimeError("the analysis ended without a report")
    return report


def analyze_events(
    path: str | Path,
    settings: AnalysisSettings,
    *,
    name: str | None = None,
    pictures: bool = True,
    read: tuple[Media, Frames] | None = None,
) -> Generator[ProgressEvent | Report]:
    """Analyse one file step by step; closing the generator stops the work at once.

    Args:
        path: a video, an image or a zip of frames.
        settings: what to do.
        name: the file's name for the report, when the path is a temporary one.
        pictures: make maps and frames for views; without them the report's JSON is the same.
        read: what `people.read` made of the file with the same settings, perhaps elsewhere; it is not opened again.

    Yields:
        Progress, then the report as the last item.

    Raises:
        TBDError: the file or a setting is refused.
    """
    with sandbox.start_later(), Loading() as loading:
        report = yield from _analyzed(path, settings, name, pictures, read, loading)
    yield report


def _analyzed(
    path: str | Path,
    settings: AnalysisSettings,
    name: str | None,
    pictures: bool,
    read: tuple[Media, Frames] | None,
    loading: Loading,
) -> Generator[ProgressEvent, None, Report]:
    registry.resolve(settings.models)  # refuses an unknown name before the file is touched
    device = score.pick_device(settings.device)
    clock = _Clock()
    loading.begin(settings.models, device)

    yield _event("media", 0, 1, "Looking at the file")
    media = read[0] if read else open_media(path, settings.limits)
    kind = MEASURED_AS[media.kind]
    names, voters = registry.resolve(settings.models, kind), registry.voters(settings.models, kind)
    clock.lap("media")
    yield _event("frames", 0, 1, "Reading frames")
    # Before the frames: the process that looked at the file does it, and ends with them.
    origin = provenance.of(media, settings)
    sampled = read[1] if read else people.sampled(media, settings)
    clock.lap("frames")

    found: dict[int, Faces] = {}
    yield _event("faces", 0, len(sampled), "Looking for faces")
    detector = people.detector(device, settings.min_face_px)
    for position, faces in followed.detect_iter(detector, sampled, settings.face_confidence):
        found[position] = faces
        yield _event("faces", len(found), len(sampled), "Looking for faces")
    faces_by_frame = [found[i] for i in range(len(sampled))]
    linked = people.linked(sampled, faces_by_frame, settings, device)
    seen = any(f.verified.any() for f in faces_by_frame)
    sights = neighbours.sights(sampled, linked, detector, settings.face_confidence)
    turned = 0 if seen else fitness.faces_when_turned(sampled.images, detector, settings.face_confidence)
    clock.lap("faces")

    if any(track.exclusion is None for track in linked):
        loading.wait()
    scores: list[ModelScore] = []
    parts = {model: score.Parts() for model in names}
    for i, model in enumerate(names):
        yield _event("score", i, len(names), f"Asking {model}")
        of_tracks = partial(neighbours.track_logits, parts=parts[model], seen=sights)
        scores += score.score_tracks(model, sampled, linked, device, of_tracks)
    clock.lap("score")

    combination = manifest.combination(kind)
    by_track = {t.track_id: [s for s in scores if s.track_id == t.track_id] for t in linked}
    verdicts = {name: verdict.of_track(found, voters, combination) for name, found in by_track.items()}
    steady = None
    if settings.stability:
        yield _event("stability", 0, 1, "Scoring the same faces again, slightly changed")
        steady = stability.check(
            sampled, linked, verdicts, scores, combination, parts, device, sights,
            min_face_px=settings.min_face_px,
        )  # fmt: skip
        if steady is not None:
            verdicts = {name: verdict.steadied(v, steady.of(name)) for name, v in verdicts.items()}
    clock.lap("stability")

    explained = explain.Explained()
    if settings.explain and pictures:
        yield _event("explain", 0, 1, "Drawing where the models looked")
        explained = explain.explain(sampled, linked, scores, device, sights, attention=settings.attention)
    elif settings.explain:
        said = explain.kinds_of(linked, scores, device, attention=settings.attention)
        explained = explain.Explained(kinds=said)
    clock.lap("explain")

    models = tuple(_info(name, media.kind) for name in names)
    judged = {s.model for s in scores if s.status == "ok" and s.model in voters}
    vote = None
    if judged == set(voters):  # without one of them it is another vote than the one that was measured
        vote = manifest.known_vote(voters, kind)
    blind_spots = verdict.blind_spots([m.known for m in models if m.known and m.name in judged], vote)
    persons = [_person(t, sampled, by_track[t.track_id], verdicts[t.track_id]) for t in linked]
    counts = FrameCounts(
        requested=settings.n_frames,
        decoded=len(sampled),
        with_face=sum(len(f) > 0 for f in faces_by_frame),
        verified=sum(bool(f.verified.any()) for f in faces_by_frame),
        times_s=tuple(sampled.times_s.tolist()),
        size=(sampled.images[0].shape[1], sampled.images[0].shape[0]),
        turned=turned,
    )
    shots = tuple(snapshots.of(sampled, linked, explained.maps)) if pictures else ()
    clock.lap("report")
    return Report(
        media=_named(media, name),
        verdict=verdict.of_file([p.verdict for p in persons], counts, voters, blind_spots),
        people=tuple(persons),
        frames=counts,
        settings=made_by.settings_of(settings, names),
        warnings=tuple(
            dict.fromkeys((*media.warnings, *sampled.warnings, *_nothing_judged(persons, voters)))
        ),
        versions=made_by.versions(names, device),
        timings_s=clock.laps,
        models=models,
        known=vote,
        combination=combination if any("combined" in p.verdict.reasons for p in persons) else None,
        explanations=explained.shown,
        snapshots=shots,
        maps=explained.kinds,
        stability=steady,
        made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        provenance=origin,
    )


def _event(stage: Stage, done: int, total: int, message: str) -> ProgressEvent:
    ends = list(STAGE_ENDS.values())
    i = list(STAGE_ENDS).index(stage)
    start = ends[i - 1] if i else 0.0
    return ProgressEvent(stage, done, total, start + (ends[i] - start) * done / max(total, 1), message)


def warm_up(settings: AnalysisSettings) -> None:
    """Load what an analysis needs, so that the first one need not wait for it; what is not installed is left out."""
    device = score.pick_device(settings.device)
    people.detector(device, settings.min_face_px)
    if settings.explain:
        importlib.import_module("tbd_app.pipeline.raw_cam")
    for name in registry.resolve(settings.models):
        if registry.is_installed(name):
            score.loaded(name, device)


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = now - self._last
        self._last = now


def _info(name: str, kind: MediaKind) -> ModelInfo:
    """What the report says of a model: figures of this kind of media only."""
    spec = registry.spec(name)
    return ModelInfo(name, spec.architecture, spec.licence, spec.known.get(MEASURED_AS[kind]))


def _person(
    track: FaceTrack,
    sampled: Frames,
    scores: list[ModelScore],
    answer: Verdict,
) -> Person:
    times = tuple(float(sampled.times_s[p]) for p in track.positions)
    image = sampled.images[int(track.positions[track.sharpest])]
    return Person(
        track=track,
        span_s=(times[0], times[-1]),
        times_s=times,
        verdict=answer,
        scores=tuple(scores),
        thumbnail=cut_inside(image, track.boxes[track.sharpest], 1.3, THUMBNAIL_PX),
    )


def _nothing_judged(persons: Sequence[Person], voters: Sequence[str]) -> list[str]:
    """The sentence for an analysis in which no voter could run; none where one could, or where nobody was to be judged."""
    if verdict.was_answered([p.verdict for p in persons]):
        return []
    why = {
        s.model: UNABLE[s.reason]
        for p in persons
        for s in p.scores
        if s.model in voters and s.reason in UNABLE
    }
    whose = "; ".join(f"{model}: {reason}" for model, reason in why.items())
    return [f"Nobody was judged, because no model that votes could run ({whose or 'none is listed'})."]


def _named(media: Media, name: str | None) -> Media:
    return replace(media, name=shown(name)) if name else media
