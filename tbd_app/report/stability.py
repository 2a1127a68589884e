"""What the report says of answers that were asked again in changed views of the same face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tbd_app.languages import Table, say
from tbd_app.steady import Steadiness, ViewName
from tbd_app.types import Person, Report

VIEWS: Table[ViewName] = Table(
    {
        "jpeg_50": "saved again as JPEG (quality 50)",
        "h264_crf_32": "encoded again as video (H.264, CRF 32)",
        "half_size": "at half the size",
        "mirrored": "mirrored",
        "shifted": "shifted by 2 px",
    }
)
# Of a view, in a table.
ANSWERS: Table[str] = Table(
    {"fake": "fake", "real": "real", "uncertain": "neither", "not_applicable": "none"}
)
TITLE = "Does the answer hold?"
NOTE = (
    "The same face is scored again after changes of its file that mean nothing. Each change is asked about one frame, "
    "which is compared with that frame as it was."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One view in words."""

    view: str
    answer: str
    fake_prob: float | None
    changes: bool


def title() -> str:
    """The heading over `sentence`."""
    return say(TITLE)


def note() -> str:
    """How the views are made and compared."""
    return say(NOTE)


def sentence(person: Person, report: Report) -> str:
    """How a person's answer stands: "Same answer in 4 of 5 views. Neither fake nor real: at half the size.".

    It is "" where no view was asked.
    """
    found = _of(person, report)
    if found is None:
        return ""
    undecided: list[ViewName] = [
        v.view for v in found.views if v.label != found.answer and v.view not in found.turned
    ]
    parts = [say("Same answer in {same} of {views} views.", same=found.same, views=len(found.views))]
    if found.turned:
        parts.append(say("The opposite: {views}.", views=_listed(found.turned)))
    if undecided:
        parts.append(say("Neither fake nor real: {views}.", views=_listed(undecided)))
    return " ".join(parts)


def rows(person: Person, report: Report) -> list[Row]:
    """Each view of a person; none where nothing was asked."""
    found = _of(person, report)
    if found is None:
        return []
    return [Row(VIEWS[v.view], ANSWERS[v.label], v.fake_prob, v.label != found.answer) for v in found.views]


def _of(person: Person, report: Report) -> Steadiness | None:
    return report.stability.of(person.track.track_id) if report.stability else None


def _listed(views: Sequence[ViewName]) -> str:
    return say(", ").join(VIEWS[view] for view in views)
