"""Pure functions from a Report to what the page's components show; nothing here knows gradio."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tbd_app.catalogue import ModelRow
from tbd_app.errors import TBDError
from tbd_app.report import texts as words
from tbd_app.report.html import data_uri
from tbd_app.report.overlays import draw_boxes
from tbd_app.report.to_json import dumps
from tbd_app.types import Explanation, Person, ProgressEvent, Report
from tbd_app.web import texts
from tbd_app.web.plot import Timeline

# Shape and word carry the meaning; colour only repeats it.
ICONS = {"fake": "▲", "real": "✓", "uncertain": "?", "not_applicable": "–", "abstain": "◆"}
KINDS = {"video": "Video", "image": "Picture", "frames": "Zip of frames"}
_FRAME_SIDE = 640
_NO_FOCUS = 0.25  # share of the report's colour scale under which a map is called empty

_templates = Environment(
    loader=PackageLoader("tbd_app.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def waiting() -> str:
    """Before the first event, as HTML."""
    return _render("status.html", kind="busy", text=texts.WAITING, percent=0)


def progress(event: ProgressEvent) -> str:
    """A bar with its message, as HTML."""
    return _render("status.html", kind="busy", text=event.message, percent=round(100 * event.fraction))


def notice(text: str) -> str:
    """A calm line, as HTML."""
    return _render("status.html", kind="done", text=text)


def failure(error: TBDError) -> str:
    """What went wrong and what to do, as HTML."""
    return _render("status.html", kind="failed", text=error.message, code=error.code)


def unexpected() -> str:
    """The message for an error that nobody foresaw; its trace is in the server's log only."""
    return _render("status.html", kind="failed", text=texts.UNEXPECTED, code="internal_error")


def summary(report: Report, note: str = "") -> str:
    """Headline, what was looked at, and each person with a table of the models, as HTML.

    Args:
        note: which of several files this is.
    """
    return _render(
        "summary.html",
        report=report,
        headline=words.headline(report),
        facts=list(facts(report)),
        notes=[note, *report.warnings] if note else report.warnings,
        people=[_person(p, report) for p in report.people],
        known_vote=words.known_vote(report),
    )


def facts(report: Report) -> Iterator[str]:
    """What was looked at, in short phrases."""
    counts, people = report.frames, len(report.people)
    if report.media.kind == "image":
        yield "1 picture"
    else:
        yield f"{counts.decoded} frames looked at"
        yield f"a face in {counts.with_face}, confirmed in {counts.verified}"
    yield "nobody found" if not people else "1 person" if people == 1 else f"{people} people"
    sides = [p.track.quality.median_side_px for p in report.people]
    if sides:
        low, high = round(min(sides)), round(max(sides))
        yield f"faces of {low} px" if low == high else f"faces of {low} to {high} px"


def timeline_text(shown: Timeline) -> str:
    """The timeline in words, as HTML."""
    return _render("timeline.html", sentences=shown.sentences)


def evidence(report: Report) -> str:
    """Where the models looked, and the frames with their faces, as HTML with the pictures inside.

    Pictures travel in the page itself, so that no face is ever written to the server's disk.
    """
    kind = report.media.kind
    pairs = [
        {
            "crop": data_uri(e.crop),
            "overlay": data_uri(e.overlay),
            "who": f"Person {words.person_name(e.track_id)}",
            "caption": pair_caption(e, kind),
        }
        for e in report.explanations
    ]
    frames = [
        {
            "image": data_uri(draw_boxes(s), _FRAME_SIDE),
            "caption": f"{words.moment(s.time_s, kind)} {_names(s.track_ids)}".strip(),
        }
        for s in report.snapshots
    ]
    return _render("evidence.html", pairs=pairs, frames=frames, heat_note=words.HEAT_NOTE)


def pair_caption(shown: Explanation, kind: str) -> str:
    """A Grad-CAM pair in words."""
    when = words.moment(shown.time_s, kind)
    what = words.ROLES[shown.role].capitalize() if kind != "image" else "Score"
    what += f" ({when})" if when else ""
    return f"{what}: {shown.fake_prob:.2f}. {shown.model} {focus(shown.heat)}."


def focus(heat: np.ndarray) -> str:
    """Where in the crop a model looked, in words.

    Args:
        heat: (S,S) in [0,1] on the report's scale.
    """
    if heat.max() < _NO_FOCUS:
        return texts.NO_FOCUS
    row, column = (
        int(3 * i / n) for i, n in zip(np.unravel_index(heat.argmax(), heat.shape), heat.shape, strict=True)
    )
    vertical, horizontal = ("upper", "middle", "lower")[row], ("left", "centre", "right")[column]
    return (
        "looked mostly at the centre"
        if (row, column) == (1, 1)
        else f"looked mostly at the {vertical} {horizontal}"
    )


def details(report: Report) -> str:
    """File, settings, versions and times, as HTML."""
    media = report.media
    file = {
        "file": media.name,
        "kind": f"{KINDS[media.kind]}, {media.codec}",
        "size": f"{media.width} × {media.height} px, {media.bytes / 1e6:.1f} MB",
        "length": f"{media.duration_s:.1f} s, {media.n_frames} frames"
        if media.duration_s
        else f"{media.n_frames} frames",
        "SHA-256": media.sha256,
    }
    sections = {
        "Input": file,
        "Settings": dict(_flat(report.settings)),
        "Versions": dict(_flat(report.versions)),
        "Seconds": {stage: f"{seconds:.2f}" for stage, seconds in report.timings_s.items()},
    }
    return _render("details.html", sections=sections, command=words.repeat_command(report))


def download(report: Report) -> str:
    """A link that holds the report JSON, as HTML; the server keeps no file for it."""
    stem = re.sub(r"[^\w-]+", "_", Path(report.media.name).stem)[:60].strip("_")
    data = base64.b64encode((dumps(report) + "\n").encode()).decode()
    return _render("download.html", data=data, name=f"{stem or 'report'}.tbd.json", label=texts.DOWNLOAD)


def model_choices(models: Iterable[ModelRow]) -> list[tuple[str, str]]:
    """Label and name of every model, those without weights marked."""
    return [(texts.model_choice(m.architecture, m.installed), m.name) for m in models]


def footer(models: Sequence[ModelRow]) -> str:
    """What a result means and what happens to a file, as HTML; always visible."""
    voters = [m.name for m in models if m.default_voter]
    ensemble = texts.ensemble(voters, sum(m.installed for m in models), len(models))
    return _render("footer.html", limits=words.LIMITS, ensemble=ensemble, privacy=texts.PRIVACY)


def header() -> str:
    """The page's name and its question, as HTML."""
    return _render("header.html", title=texts.TITLE, tagline=texts.TAGLINE)


def _render(template: str, **values: Any) -> str:
    return _templates.get_template(template).render(words=words, icons=ICONS, **values)


def _person(person: Person, report: Report) -> dict[str, Any]:
    return {
        "name": words.person_name(person.track.track_id),
        "thumbnail": data_uri(person.thumbnail),
        "span": words.span(person, report.media.kind),
        "n_frames": len(person.track),
        "side": round(person.track.quality.median_side_px),
        "verdict": person.verdict,
        "reasons": words.why(person, report),
        "rows": [
            {
                "score": score,
                "architecture": report.model(score.model).architecture,
                "vote": words.vote(score, person.verdict.voters),
                "status": words.STATUSES[score.status],
                "reason": words.reason(score.reason) if score.reason else "",
                "known_error": words.known_error(report.model(score.model).known),
            }
            for score in person.scores
        ],
    }


def _names(track_ids: Iterable[int]) -> str:
    return ", ".join(words.person_name(i) for i in sorted(track_ids) if i >= 0) or "no face"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield (
                f"{prefix}{key}".replace("_", " "),
                ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
            )
