"""A report as one HTML file: pictures inlined, nothing loaded from elsewhere, every string escaped."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tbd_app.answer import of_report
from tbd_app.languages import Table, direction, isolated, language, say, spoken, translated
from tbd_app.report import gallery, overlays, palette, provenance, quality, stability, texts
from tbd_app.report.curves import Zones, in_words, lines, marks, zones, zones_of
from tbd_app.report.inline import data_uri
from tbd_app.types import Person, Report, Snapshot

MAX_SNAPSHOTS = 6
SNAPSHOT_SIDE = 640
KINDS = Table({"video": "video", "image": "picture", "frames": "zip of frames"})
PLOT = (640, 200)  # px of the timeline's view box
LABEL_HEIGHT = 13  # px
PLOT_MARGIN = (36, 12, 64, 28)  # left, top, right, bottom


def render(report: Report) -> str:
    """The whole page as UTF-8 text; write it to a file or serve it as it is."""
    return _template().render(
        report=report,
        say=say,
        language=language(),
        direction=direction(),
        texts=texts,
        stability=stability,
        product=f"{texts.PRODUCT} {report.versions.get('tbd', '')}".strip(),
        made_at=when(report),
        answer=texts.answer_label(report),
        icon=palette.ICONS[of_report(report)],
        tone=palette.ANSWERS[of_report(report)],
        opening=texts.opening(report),
        detail=texts.meaning_detail(report),
        next_step=texts.next_step(report),
        how_reached=texts.how_reached(report),
        limits=texts.limits(report.media.kind, report),
        quote=texts.quote(report),
        looked_at=_looked_at(report),
        people=[_person(p, report) for p in quality.lasting(report)],
        brief=quality.brief(report),
        known_vote=texts.known_vote(report),
        plot=_plot(report),
        snapshots=[_snapshot(s, report) for s in _some(report.snapshots)],
        pairs=gallery.pairs(report),
        outside=gallery.warnings(report),
        warnings=[translated(warning) for warning in report.warnings],
        origin_title=provenance.title(),
        origin=provenance.lines(report),
        command=texts.repeat_command(report),
        versions=_flat(report.versions),
        settings=_flat(report.settings),
        timings=_flat(report.timings_s),
    )


def when(report: Report) -> str:
    """Date and time of the analysis for people: "2026-11-30 01:22 UTC"; "" where nobody noted it."""
    return f"{report.made_at[:10]} {report.made_at[11:16]} UTC" if report.made_at else ""


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
    kind = KINDS[media.kind]
    details = f"{media.width}×{media.height}, {media.codec}, {media.bytes / 1e6:.1f} MB"
    people = quality.lasting(report)
    seen_people = texts.counted(len(people), "person", "people") if people else say("nobody")
    rows = [
        (say("File"), media.name),
        ("SHA-256", media.sha256),
        (say("Kind"), f"{kind}{say(', ')}{isolated(details)}"),
    ]
    if media.duration_s is not None:
        rows.append((say("Length"), texts.length(media)))
    if media.kind == "image":
        sure = say("confirmed") if frames.verified else say("none confirmed")
        rows.append((say("Faces"), f"{seen_people}{say(', ')}{sure}"))
    else:
        seen = say(
            "{decoded} of {asked} asked for; {faces} with a face, {verified} with a confirmed one",
            decoded=frames.decoded,
            asked=texts.counted(frames.requested, "frame"),
            faces=frames.with_face,
            verified=frames.verified,
        )
        rows += [(say("Frames"), seen), (say("People"), seen_people)]
    return [*rows, (say("Analysed"), when(report))] if report.made_at else rows


def _person(person: Person, report: Report) -> dict[str, Any]:
    side = f"{person.track.quality.median_side_px:.0f}"
    return {
        "name": texts.person_name(person.track.track_id),
        "colour": palette.person(person.track.track_id),
        "words": texts.person_words(person, report),
        "span": texts.span(person, report.media.kind),
        "thumbnail": data_uri(person.thumbnail),
        # What is said of all is said once, below the people.
        "reasons": [
            *texts.why(person, report, without=("combined",)),
            *quality.remarked(person, report.media),
        ],
        "stability": stability.sentence(person, report),
        "views": stability.rows(person, report),
        "quality": (
            say("Face of {side} px", side=side)
            if report.media.kind == "image"
            else say(
                "Face of {side} px, seen in {frames} of the {all} that were looked at",
                side=side,
                frames=texts.counted(len(person.track), "frame"),
                all=report.frames.decoded,
            )
        ),
        "scores": [
            {
                "model": s.model,
                "status": texts.STATUSES[s.status],
                "reason": texts.reason(s.reason) if s.reason else "",
                "prob": s.fake_prob,
                "vote": texts.vote(s, person.verdict.voters),
                "bounds": str(bounds) if (bounds := zones_of(s)) else "",
                "zones": _gradient(bounds) if bounds else "none",
                "error": texts.known_error(report.model(s.model).known),
                "auc": texts.known_auc(report.model(s.model).known),
            }
            for s in person.scores
        ],
    }


def _gradient(bounds: Zones) -> str:
    """The zones as a CSS background from left to right."""
    stops = [f"{palette.ZONES[name]}66 {low:.1%} {high:.1%}" for name, low, high in bounds.parts()]
    return f"linear-gradient(90deg, {', '.join(stops)})"


def _plot(report: Report) -> dict[str, Any] | None:
    """Geometry of the timeline in pixels of its view box, or None when there is nothing to draw."""
    curves, bounds = lines(report), zones(report)
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
        "levels": [(y(v), f"{v:g}") for v in (0, 1)],
        "zones": [
            {
                "name": texts.ZONES[name],
                "colour": palette.ZONES[name],
                "y": y(high),
                "height": round(y(low) - y(high), 1),
            }
            for name, low, high in (bounds.parts() if bounds else ())
        ],
        "bounds": _bound_labels(bounds, y) if bounds else [],
        "ticks": [(x(t), texts.moment(t, report.media.kind)) for t in marks(0.0, end)],
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


def _bound_labels(bounds: Zones, y: Callable[[float], float]) -> list[tuple[float, float, str]]:
    """Height of each bound's line, of its label, and the label; labels of near bounds are moved apart."""
    low, high = y(bounds.real_below), y(bounds.threshold)
    if bounds.real_below == bounds.threshold:
        return [(high, high, f"{bounds.threshold:.2f}")]
    apart = max(0.0, LABEL_HEIGHT - (low - high)) / 2
    return [(low, low + apart, f"{bounds.real_below:.2f}"), (high, high - apart, f"{bounds.threshold:.2f}")]


def _some(snapshots: tuple[Snapshot, ...]) -> list[Snapshot]:
    """At most `MAX_SNAPSHOTS`, spread over those that show a face."""
    faces = [s for s in snapshots if len(s.boxes)]
    if not faces:
        return []
    picks = np.linspace(0, len(faces) - 1, min(MAX_SNAPSHOTS, len(faces))).round().astype(int)
    return [faces[i] for i in picks]


def _snapshot(snapshot: Snapshot, report: Report) -> dict[str, str]:
    labels = {p.track.track_id: texts.person_caption(p, report) for p in report.people}
    with spoken("en"):  # the letters that OpenCV has
        on_picture = {p.track.track_id: texts.person_caption(p, report) for p in report.people}
    when = texts.moment(snapshot.time_s, report.media.kind)
    who = say(", ").join(labels[i] for i in snapshot.track_ids if i in labels)
    return {
        "image": data_uri(overlays.draw_boxes(snapshot, on_picture), SNAPSHOT_SIDE),
        "caption": ": ".join(filter(None, (when, who))) or say("no person tracked"),
    }


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
