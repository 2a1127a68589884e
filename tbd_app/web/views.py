"""Pure functions from a Report to what the page shows of it; nothing here knows gradio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tbd_app.answer import of_person, of_report
from tbd_app.languages import say, translated
from tbd_app.report import html, provenance, quality, stability
from tbd_app.report import texts as words
from tbd_app.report.curves import zones_of
from tbd_app.report.html import when
from tbd_app.report.inline import data_uri, inside
from tbd_app.report.to_json import pretty
from tbd_app.types import Person, Report
from tbd_app.web import evidence, texts, timeline, uploads
from tbd_app.web.render import render


def result(report: Report, index: int = 0, note: str = "", *, alone: bool = True) -> str:
    """Everything about one file, as HTML; pictures travel in it, so that no face is written to the server's disk.

    Args:
        index: of the file in its run.
        note: a sentence before all else.
        alone: the run has no other file.
    """
    frames = evidence.frames(report)
    return render(
        "result.html",
        report=report,
        index=index,
        alone=alone,
        answer=of_report(report),
        opening=words.opening(report),
        detail=words.meaning_detail(report),
        next_step=words.next_step(report),
        how_reached=words.how_reached(report),
        # What holds for every result stands at the foot of the page.
        limits=words.limits(report.media.kind, report).removeprefix(say(words.LIMITS)).strip(),
        facts=list(facts(report)),
        notes=[*([note] if note else []), *map(translated, report.warnings)],
        people=[_person(p, report) for p in quality.lasting(report)],
        brief=quality.brief(report),
        quote=words.quote(report),
        downloads=downloads(report),
        timeline=timeline.of_report(report),
        frames=frames,
        shown=evidence.first_shown(report),
        galleries=evidence.galleries(report),
        mapped=next((m for s in report.snapshots for m in s.maps), None),
        origin_title=provenance.title(),
        origin=provenance.lines(report),
        sections=_sections(report),
        command=words.repeat_command(report),
    )


def facts(report: Report) -> Iterator[str]:
    """What was looked at, in short phrases."""
    counts, people = report.frames, quality.lasting(report)
    if report.media.kind == "image":
        yield words.counted(1, "picture")
    else:
        yield say("{frames} looked at", frames=words.counted(counts.decoded, "frame"))
        yield say("a face in {n}, confirmed in {verified}", n=counts.with_face, verified=counts.verified)
    yield words.counted(len(people), "person", "people") if people else say("nobody found")
    sides = [p.track.quality.median_side_px for p in people]
    if sides:
        low, high = round(min(sides)), round(max(sides))
        yield (
            say("faces of {low} px", low=low)
            if low == high
            else say("faces of {low} to {high} px", low=low, high=high)
        )


def downloads(report: Report) -> list[dict[str, str]]:
    """What can be taken along: label, file name and content as a data address; the server keeps no file for it."""
    stem = uploads.stem(report.media.name)
    out = [
        download(texts.DOWNLOAD_HTML, f"{stem}.tbd.html", "text/html", html.render(report).encode()),
        download(texts.DOWNLOAD_JSON, f"{stem}.tbd.json", "application/json", _json(report)),
    ]
    if frames := evidence.key_frames(report):
        out.append(download(texts.DOWNLOAD_FRAMES, f"{stem}.frames.zip", "application/zip", frames))
    return out


def report_files(report: Report, index: int) -> dict[str, bytes]:
    """The report as HTML and JSON, under names that no other file of the run has."""
    stem = f"{index + 1:02}-{uploads.stem(report.media.name)}"
    return {f"{stem}.tbd.html": html.render(report).encode(), f"{stem}.tbd.json": _json(report)}


def _json(report: Report) -> bytes:
    return pretty(report).encode()


def download(label: str, name: str, kind: str, content: bytes) -> dict[str, str]:
    """A file for a link that the page carries in itself: label, name and a `data:` address."""
    return {"label": label, "name": name, "href": inside(content, kind)}


def _person(person: Person, report: Report) -> dict[str, Any]:
    return {
        "name": words.person_name(person.track.track_id),
        "thumbnail": data_uri(person.thumbnail),
        "span": words.span(person, report.media.kind),
        "n_frames": len(person.track),
        "side": round(person.track.quality.median_side_px),
        "verdict": person.verdict,
        "answer": of_person(person, report),
        "reasons": words.why(person, report, without=("combined",)),  # said once, in how_reached
        "steadiness": stability.sentence(person, report),
        "views": stability.rows(person, report),
        "remarks": quality.remarked(person, report.media),
        "rows": [
            {
                "score": score,
                "architecture": report.model(score.model).architecture,
                "vote": words.vote(score, person.verdict.voters),
                "status": words.STATUSES[score.status],
                "reason": words.reason(score.reason) if score.reason else "",
                "zones": zones_of(score),
                "known_error": words.known_error(report.model(score.model).known),
            }
            for score in person.scores
        ],
    }


def _sections(report: Report) -> dict[str, dict[str, str]]:
    """File, settings, versions and times, as rows."""
    media = report.media
    file = {
        say("File"): media.name,
        say("Kind"): f"{texts.KINDS[media.kind]}{say(', ')}{media.codec}",
        say("Size"): f"{media.width} × {media.height} px, {media.bytes / 1e6:.1f} MB",
        say("Length"): words.length(media),
        "SHA-256": media.sha256,
        say("Analysed"): when(report),
    }
    return {
        texts.SECTIONS["file"]: file,
        texts.SECTIONS["settings"]: dict(_flat(report.settings)),
        texts.SECTIONS["versions"]: dict(_flat(report.versions)),
        texts.SECTIONS["seconds"]: {k: f"{seconds:.2f}" for k, seconds in report.timings_s.items()},
    }


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield (
                f"{prefix}{key}".replace("_", " "),
                ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
            )
