"""Reports made by hand, for tests of whatever renders one: no engine, no torch, no decoding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from skimage.data import astronaut

from tbd_app.known import MEASURED_AS, Combination, KnownPerformance, Measured
from tbd_app.types import (
    Content,
    Explanation,
    FaceMap,
    FaceTrack,
    FrameCounts,
    Label,
    Media,
    MediaKind,
    ModelInfo,
    ModelScore,
    Person,
    Reason,
    Report,
    Snapshot,
    TrackQuality,
    Verdict,
)

FACE_BOX = np.array([170, 60, 275, 205], np.float32)  # of the astronaut's face, xyxy px
MODELS = ("effnetv2_b0_frame", "effnet_b0_image", "effnet_b0_lstm")
ABSENT = "swin_tiny_mean"
THRESHOLD, REAL_BELOW = 0.62, 0.5
# Of no model that there is: a view that shows them has them from the report.
KNOWN = {
    "video": KnownPerformance(
        "made clips", 40, 50, flagged_real=Measured(0.05, 0.01, 0.12), auc=Measured(0.91, 0.86, 0.95)
    ),
    "image": KnownPerformance("made pictures", 534, flagged_real=Measured(0.0487, 0.0334, 0.0704)),
}
# A fake has one model that does not vote, an uncertain one models that disagree.
_MEANS = {"fake": (0.93, 0.81, 0.55), "real": (0.08, 0.17, 0.31), "uncertain": (0.71, 0.55, 0.24)}
_REASONS: dict[Label, tuple[Reason, ...]] = {"fake": (), "real": (), "uncertain": ("models_disagree",)}


def make_report(
    *,
    label: Label = "fake",
    n_people: int = 2,
    n_frames: int = 12,
    kind: MediaKind = "video",
    name: str = "interview.mp4",
    explain: bool = True,
    reasons: tuple[Reason, ...] | None = None,
    warnings: tuple[str, ...] = (),
) -> Report:
    """A report with a given label.

    Args:
        label: of the file. For "fake" only the first person is fake; for "not_applicable" there is nobody.
        n_people: scored people; each follows two thirds of the frames, the second starts later.
        n_frames: sampled frames, one every half second for a video.
        kind: of the media; an image has one frame.
        explain: add the highest and the lowest crop of every person.
        reasons: codes of the file's verdict, instead of those that go with the label.
    """
    n_frames = 1 if kind == "image" else n_frames
    n_people = 0 if label == "not_applicable" else n_people
    times_s = tuple({"video": 0.5, "frames": 1.0, "image": 0.0}[kind] * i for i in range(n_frames))
    people = tuple(
        _person(i, label if i == 0 or label != "fake" else "real", times_s) for i in range(n_people)
    )
    return Report(
        media=_media(kind, name, n_frames),
        verdict=_file_verdict(label, people, reasons),
        people=people,
        frames=FrameCounts(
            requested=32,
            decoded=n_frames,
            with_face=n_frames if people else 0,
            verified=n_frames - 1 if people and n_frames > 1 else len(people[:1]),
            times_s=times_s,
            size=(512, 512),
        ),
        settings={
            "n_frames": 32,
            "face_confidence": 0.9,
            "asked": [*MODELS, ABSENT],
            "models": [*MODELS, ABSENT],
            "explain": explain,
            "attention": False,
            "stability": False,
            "min_face_px": 64,
            "min_track_share": 0.25,
        },
        warnings=warnings,
        versions={
            "tbd": "0.1.0",
            "python": "3.11.7",
            "device": "cpu",
            "precision": "float32",
            "packages": {"torch": "2.15.0"},
            "weights_sha256": {MODELS[0]: "cd" * 32},
        },
        models=tuple(_info(name, kind) for name in (*MODELS, ABSENT)),
        timings_s={"frames": 0.31, "faces": 1.42, "score": 0.87},
        explanations=tuple(e for p in people for e in _explanations(p)) if explain else (),
        snapshots=tuple(_snapshot(i, t, people) for i, t in enumerate(times_s)),
        maps={MODELS[0]: "grad_cam"} if explain and people else {},
        made_at="2026-11-30T01:22:03Z",
    )


def with_combination(report: Report, fake_prob: float, *, differs: bool = False) -> Report:
    """The report as it is where a combination gave the verdict of every person: this score, with bounds .4 and .55."""
    by = Combination(dict.fromkeys((*MODELS, ABSENT), (-0.5, 2.0)), 4.0, 0.5, -0.25, 0.55, 0.4)
    codes: tuple[Reason, ...] = ("combined", "majority_differs") if differs else ("combined",)

    def combined(verdict: Verdict) -> Verdict:
        return replace(verdict, fake_prob=fake_prob, reasons=(*verdict.reasons, *codes))

    people = tuple(replace(p, verdict=combined(p.verdict)) for p in report.people)
    return replace(report, people=people, verdict=combined(report.verdict), combination=by)


def with_known_vote(report: Report, **changes: Any) -> Report:
    """The report as it is where the vote was measured: 9 of 27 fakes found, 12 called real, 0 of 19 reals flagged."""
    known = KnownPerformance(
        "made clips",
        19,
        27,
        flagged_real=Measured(0.0, 0.0, 0.1682),
        found_fake=Measured(0.3333, 0.1864, 0.5218),
        called_real_fake=Measured(0.4444, 0.2759, 0.6269),
    )
    return replace(report, known=replace(known, **changes))


def _info(name: str, kind: MediaKind) -> ModelInfo:
    known = KNOWN[MEASURED_AS[kind]] if name == MODELS[0] else None
    return ModelInfo(name, f"Architecture of {name}", "research use", known)


def _media(kind: MediaKind, name: str, n_frames: int) -> Media:
    video = kind == "video"
    return Media(
        path=Path("/nowhere") / name,
        name=name,
        kind=kind,
        sha256="ab" * 32,
        bytes=1_234_567,
        width=512,
        height=512,
        fps=25.0 if video else None,
        duration_s=n_frames / 2 if video else None,
        n_frames=n_frames * 12 if video else n_frames,
        codec={"video": "h264", "frames": "png", "image": "jpeg"}[kind],
        content={
            "video": Content("video", "mov"),
            "frames": Content("zip", "zip"),
            "image": Content("image", "JPEG"),
        }[kind],
    )


def _file_verdict(label: Label, people: tuple[Person, ...], reasons: tuple[Reason, ...] | None) -> Verdict:
    if not people:
        return Verdict("not_applicable", None, reasons=reasons or ("no_face",), voters=(*MODELS, ABSENT))
    decisive = next((p.verdict for p in people if p.verdict.label == label), people[0].verdict)
    codes = reasons if reasons is not None else _REASONS[label]
    if reasons is None and len(people) > 1:
        codes = (*codes, "several_people")
    return Verdict(
        label=label,
        fake_prob=max(p.verdict.fake_prob or 0.0 for p in people),
        fake=decisive.fake,
        real=decisive.real,
        abstain=decisive.abstain,
        reasons=codes,
        voters=(*MODELS, ABSENT),
    )


def _person(track_id: int, label: Label, times_s: tuple[float, ...]) -> Person:
    length = max(1, len(times_s) * 2 // 3)
    start = min(track_id * 2, len(times_s) - length)
    positions = np.arange(start, start + length)
    boxes = np.tile(FACE_BOX + [130 * track_id, 8 * track_id] * 2, (length, 1)).astype(np.float32)
    landmarks = np.tile(
        np.array([[200, 115], [245, 115], [222, 140], [205, 165], [242, 165]], np.float32), (length, 1, 1)
    )
    span = tuple(times_s[start : start + length])
    scores = tuple(_score(m, track_id, mean, length) for m, mean in zip(MODELS, _MEANS[label], strict=True))
    votes = [s.vote for s in scores]
    return Person(
        track=FaceTrack(
            track_id=track_id,
            positions=positions,
            boxes=boxes,
            landmarks=landmarks,
            quality=TrackQuality(median_side_px=145.0, blur=310.0, coverage=length / len(times_s)),
        ),
        span_s=(span[0], span[-1]),
        times_s=span,
        verdict=Verdict(
            label=label,
            fake_prob=float(np.mean([s.fake_prob for s in scores])),
            fake=votes.count("fake"),
            real=votes.count("real"),
            abstain=votes.count("abstain"),
            reasons=_REASONS[label],
            voters=(*MODELS, ABSENT),
        ),
        scores=(*scores, _absent(track_id)),
        thumbnail=_crop(track_id),
    )


def _score(model: str, track_id: int, mean: float, length: int) -> ModelScore:
    wave = mean + 0.06 * np.sin(np.arange(length) + track_id)
    frame_model = not model.endswith("_lstm")
    return ModelScore(
        model=model,
        track_id=track_id,
        status="ok",
        fake_prob=mean,
        vote="fake" if mean >= THRESHOLD else "real" if mean < REAL_BELOW else "abstain",
        threshold=THRESHOLD,
        real_below=REAL_BELOW,
        frame_fake_prob=tuple(float(v) for v in np.clip(wave, 0, 1)) if frame_model else None,
    )


def _absent(track_id: int) -> ModelScore:
    return ModelScore(model=ABSENT, track_id=track_id, status="not_installed", reason="weights_missing")


def _crop(track_id: int) -> np.ndarray:
    """(160,160,3) uint8 RGB around the face, tinted so that people can be told apart."""
    crop = astronaut()[52:212, 142:302].copy()
    if track_id:
        crop[..., track_id % 3] //= 2
    return crop


def _explanations(person: Person) -> tuple[Explanation, ...]:
    frame_probs = person.scores[0].frame_fake_prob or (0.5,)
    out = []
    for role, k in (("highest", int(np.argmax(frame_probs))), ("lowest", int(np.argmin(frame_probs)))):
        crop = _crop(person.track.track_id)
        y, x = np.mgrid[-1:1:160j, -1:1:160j]
        heat = np.exp(-4 * (x**2 + (y - 0.2) ** 2)).astype(np.float32) * np.float32(frame_probs[k])
        overlay = crop * (1 - heat[..., None]) + np.array([255, 160, 0]) * heat[..., None]
        out.append(
            Explanation(
                track_id=person.track.track_id,
                model=person.scores[0].model,
                position=int(person.track.positions[k]),
                time_s=person.times_s[k],
                fake_prob=frame_probs[k],
                role=role,
                crop=crop,
                heat=heat,
                overlay=overlay.astype(np.uint8),
                landmarks=person.track.landmarks[k] - np.array([142, 52], np.float32),
            )
        )
    return tuple(out)


def _snapshot(position: int, time_s: float, people: tuple[Person, ...]) -> Snapshot:
    present = [(p, np.flatnonzero(p.track.positions == position)) for p in people]
    here = [(p.track.track_id, p.track.boxes[k[0]]) for p, k in present if len(k)]
    maps = tuple(
        FaceMap(
            p.track.track_id,
            MODELS[0],
            position,
            p.track.boxes[k[0]],
            np.full((8, 8), 0.5, np.float32),
            p.track.landmarks[k[0]],
        )
        for p, k in present
        if len(k)
    )
    return Snapshot(
        position=position,
        time_s=time_s,
        image=astronaut(),
        boxes=np.array([b for _, b in here], np.float32).reshape(-1, 4),
        track_ids=tuple(i for i, _ in here),
        maps=maps,
    )
