"""A report as one HTML file: pictures inlined, nothing loaded from elsewhere, every string escaped."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from PIL import Image

from tbd_app.report import overlays, palette, stability, texts
from tbd_app.report.curves import in_words, lines, thresholds
from tbd_app.types import Explanation, Person, Report, Snapshot

MAX_SNAPSHOTS = 6
SNAPSHOT_SIDE = 640
PLOT = (640, 200)  # px of the timeline's view box
PLOT_MARGIN = (36, 12, 12, 28)  # left, top, right, bottom


def render(report: Report) -> str:
    """The whole page as UTF-8 text; write it to a file or serve it as it is."""
    return _template().render(
        report=report,
        texts=texts,
        stability=stability,
        headline=texts.headline(report),
        looked_at=_looked_at(report),
        people=[_person(p, report) for p in report.people],
        known_vote=texts.known_vote(report),
        plot=_plot(report),
        snapshots=[_snapshot(s, report) for s in _some(report.snapshots)],
        pairs=[_pair(e, report.media.kind) for e in report.explanations],
        warnings=report.warnings,
        command=texts.repeat_command(report),
        versions=_flat(report.versions),
        settings=_flat(report.settings),
        timings=_flat(report.timings_s),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html")


def _looked_at(report: Report) -> list[tuple[str, str]]:
    media, frames = report.media, report.frames
    kind = {"video": "video", "image": "picture", "frames": "zip of frames"}[media.kind]
    rows = [
        ("File", media.name),
        ("Kind", f"{kind}, {media.width}×{media.height}, {media.codec}"),
        ("Frames", f"{frames.decoded} of {frames.requested} asked for; {frames.with_face} with a face"),
        ("People", str(len(report.people))),
        ("SHA-256", media.sha256),
    ]
    if media.duration_s is not None:
        rows.insert(2, ("Length", f"{media.duration_s:.1f} s, {media.n_frames} frames"))
    return rows


def _person(person: Person, report: Report) -> dict[str, Any]:
    quality = person.track.quality
    return {
        "name": texts.person_name(person.track.track_id),
        "colour": palette.person(person.track.track_id),
        "caption": texts.person_caption(person),
        "label": person.verdict.label,
        "span": texts.span(person, report.media.kind),
        "thumbnail": data_uri(person.thumbnail),
        "reasons": texts.why(person, report),
        "stability": stability.sentence(person, report),
        "views": stability.rows(person, report),
        "quality": (
            f"Face {quality.median_side_px:.0f} px, seen in {len(person.track)} frames "
            f"({quality.coverage:.0%} of those looked at)"
        ),
        "scores": [
            {
                "model": s.model,
                "status": texts.STATUSES[s.status],
                "reason": texts.reason(s.reason) if s.reason else "",
                "prob": s.fake_prob,
                "vote": texts.vote(s, person.verdict.voters),
                "threshold": s.threshold,
                "error": texts.known_error(report.model(s.model).known),
                "auc": texts.known_auc(report.model(s.model).known),
            }
            for s in person.scores
        ],
    }


def _plot(report: Report) -> dict[str, Any] | None:
    """Geometry of the timeline in pixels of its view box, or None when there is nothing to draw."""
    curves = lines(report)
    if not curves or report.media.kind == "image":
        return None
    width, height = PLOT
    left, top, right, bottom = PLOT_MARGIN
    end = max(report.frames.times_s[-1], 1e-9)

    def x(time_s: float) -> float:
        return round(left + time_s / end * (width - left - right), 1)

    def y(prob: float) -> float:
        return round(top + (1 - prob) * (height - top - bottom), 1)

    return {
        "width": width,
        "height": height,
        "left": left,
        "right": width - right,
        "floor": y(0),
        "levels": [(y(v), f"{v:g}") for v in (0, 0.5, 1)],
        "thresholds": [y(v) for v in thresholds(report)],
        "ticks": [(x(end * k / 4), texts.moment(end * k / 4, report.media.kind)) for k in range(5)],
        "curves": [
            {
                "name": texts.person_name(c.track_id),
                "colour": palette.person(c.track_id),
                "runs": [" ".join(f"{x(t)},{y(p)}" for t, p in run) for run in c.runs],
                "dots": [(x(t), y(p)) for run in c.runs for t, p in run],
            }
            for c in curves
        ],
        "words": in_words(report),
    }


def _some(snapshots: tuple[Snapshot, ...]) -> list[Snapshot]:
    """At most `MAX_SNAPSHOTS`, spread over those that show a face."""
    faces = [s for s in snapshots if len(s.boxes)]
    if not faces:
        return []
    picks = np.linspace(0, len(faces) - 1, min(MAX_SNAPSHOTS, len(faces))).round().astype(int)
    return [faces[i] for i in picks]


def _snapshot(snapshot: Snapshot, report: Report) -> dict[str, str]:
    labels = {p.track.track_id: texts.person_caption(p) for p in report.people}
    when = texts.moment(snapshot.time_s, report.media.kind)
    who = ", ".join(labels[i] for i in snapshot.track_ids if i in labels)
    return {
        "image": data_uri(overlays.draw_boxes(snapshot, labels), SNAPSHOT_SIDE),
        "caption": ": ".join(filter(None, (when, who))) or "no person tracked",
    }


def _pair(explanation: Explanation, kind: str) -> dict[str, str]:
    when = texts.moment(explanation.time_s, kind)
    return {
        "crop": data_uri(explanation.crop),
        "overlay": data_uri(explanation.overlay),
        "caption": (
            f"Person {texts.person_name(explanation.track_id)}{f', {when}' if when else ''}: "
            f"{texts.ROLES[explanation.role]}, {explanation.model} scores {explanation.fake_prob:.2f}"
        ),
    }


def data_uri(image: np.ndarray, max_side: int | None = None) -> str:
    """A JPEG inside a `data:` address.

    Args:
        image: (h,w,3) uint8 RGB.
        max_side: px; larger pictures are made smaller.
    """
    picture = Image.fromarray(image)
    if max_side is not None:
        picture.thumbnail((max_side, max_side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested dicts as rows: {"packages": {"torch": "2.15"}} -> ("packages torch", "2.15")."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            rows += _flat(value, f"{name} ")
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))
    return rows
