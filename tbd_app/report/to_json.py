"""Report JSON v1, as described by schema.json beside this file: equal reports give equal bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tbd_app.errors import TBDError
from tbd_app.known import DECIMALS
from tbd_app.types import SCHEMA_VERSION, Media, ModelScore, Person, Report, Verdict

SCHEMA_PATH = Path(__file__).with_name("schema.json")


def to_dict(report: Report) -> dict[str, Any]:
    """The report as plain dicts, lists, strings, numbers, booleans and None; floats rounded to 6 decimals.

    Pictures (thumbnails, explanations, snapshots), the file's path and its size are left out.
    """
    return _plain(
        {
            "schema_version": report.schema_version,
            "media": _media(report.media),
            "verdict": _verdict(report.verdict),
            "people": [_person(p) for p in report.people],
            "frames": {
                "requested": report.frames.requested,
                "decoded": report.frames.decoded,
                "with_face": report.frames.with_face,
                "verified": report.frames.verified,
                "times_s": report.frames.times_s,
            },
            "settings": report.settings,
            "models": [model.to_dict() for model in report.models],
            "known_performance": report.known.to_dict() if report.known else None,
            "combination": report.combination.to_dict() if report.combination else None,
            "stability": report.stability,
            "provenance": report.provenance,
            "warnings": report.warnings,
            "versions": report.versions,
            "timings_s": report.timings_s,
        }
    )


def error_to_dict(name: str, error: TBDError) -> dict[str, Any]:
    """The document of an input that was refused."""
    return _plain({"schema_version": SCHEMA_VERSION, "media": {"name": name}, "error": error.to_dict()})


def dumps(document: Report | dict[str, Any], *, indent: int | None = None) -> str:
    """JSON text, ASCII only, so that one line stays one line for every reader of JSON Lines.

    Args:
        document: a report, or what `to_dict` or `error_to_dict` made.
        indent: spaces per level; None for a single line.

    Raises:
        ValueError: a number is not finite.
    """
    plain = to_dict(document) if isinstance(document, Report) else document
    return json.dumps(plain, indent=indent, allow_nan=False)


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


def _person(person: Person) -> dict[str, Any]:
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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, str):
        # A file name that is not UTF-8 reaches Python with lone surrogates, which are not JSON.
        return value.encode("utf-8", "replace").decode()
    return value
