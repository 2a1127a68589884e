"""A report as plain data, as report/schema.json describes it: dicts, lists, strings, numbers, booleans and None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tbd_app import answer
from tbd_app.known import DECIMALS

if TYPE_CHECKING:
    from tbd_app.medium import Media
    from tbd_app.types import ModelScore, Person, Report, Verdict


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain dicts, lists, strings, numbers, booleans and None; floats rounded to 6 decimals.

    Pictures (thumbnails, explanations, snapshots), the file's path and its size are left out.
    """
    return plain(
        {
            "schema_version": report.schema_version,
            "media": _media(report.media),
            "made_at": report.made_at,
            "verdict": _verdict(report.verdict),
            "answer": answer.of_report(report),
            "people": [_person(p, report) for p in report.people],
            "frames": {
                "requested": report.frames.requested,
                "decoded": report.frames.decoded,
                "with_face": report.frames.with_face,
                "verified": report.frames.verified,
                "turned": report.frames.turned,
                "times_s": report.frames.times_s,
            },
            "settings": report.settings,
            "models": [model.to_dict() for model in report.models],
            "known_performance": report.known.to_report() if report.known else None,
            "combination": report.combination.to_dict() if report.combination else None,
            "stability": report.stability.to_dict() if report.stability else None,
            "provenance": report.provenance,
            "maps": report.maps,
            "warnings": report.warnings,
            "versions": report.versions,
            "timings_s": report.timings_s,
        }
    )


def _media(media: Media) -> dict[str, Any]:
    return {
        "name": media.name,
        "kind": media.kind,
        "sha256": media.sha256,
        "width": media.width,
        "height": media.height,
        "fps": media.fps,
        "duration_s": media.duration_s,
        "n_frames": media.n_frames,
        "codec": media.codec,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "label": verdict.label,
        "fake_prob": verdict.fake_prob,
        "votes": {"fake": verdict.fake, "real": verdict.real, "abstain": verdict.abstain},
        "reasons": verdict.reasons,
        "voters": verdict.voters,
    }


def _person(person: Person, report: Report) -> dict[str, Any]:
    quality = person.track.quality
    return {
        "track_id": person.track.track_id,
        "span_s": person.span_s,
        "n_frames": len(person.track),
        "median_face_px": quality.median_side_px,
        "frame_positions": person.track.positions,
        "times_s": person.times_s,
        "quality": {
            "median_side_px": quality.median_side_px,
            "blur": quality.blur,
            "coverage": quality.coverage,
        },
        "verdict": _verdict(person.verdict),
        "answer": answer.of_person(person, report),
        "scores": [_score(s) for s in person.scores],
    }


def _score(score: ModelScore) -> dict[str, Any]:
    lacking = {"how_to_get": score.how_to_get} if score.how_to_get else {}
    return {
        "model": score.model,
        "status": score.status,
        "reason": score.reason,
        "fake_prob": score.fake_prob,
        "vote": score.vote,
        "threshold": score.threshold,
        "real_below": score.real_below,
        "frame_fake_prob": score.frame_fake_prob,
        **lacking,
    }


def plain(value: Any) -> Any:
    """Any nesting of what reports hold as dicts, lists, strings, numbers, booleans and None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, str):
        # A file name that is not UTF-8 reaches Python with lone surrogates, which are not JSON.
        return value.encode("utf-8", "replace").decode()
    return value
