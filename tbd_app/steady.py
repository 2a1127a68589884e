"""How verdicts stand when the same faces are scored again in changed views, as reports carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tbd_app.types import Label

# How the file of a face may be changed before the face is scored again; pipeline/views.py does it.
ViewName = Literal["jpeg_50", "h264_crf_32", "half_size", "mirrored", "shifted"]


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """What the vote makes of a person in one view.

    Attributes:
        fake_prob: of the vote.
        scores: fake_prob of each voter that judged, by model.
    """

    view: ViewName
    label: Label
    fake_prob: float | None
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Steadiness:
    """A person's answer and those of its views.

    Attributes:
        answer: "fake" or "real", before the views were asked.
    """

    track_id: int
    answer: Label
    views: tuple[ViewAnswer, ...]

    @property
    def same(self) -> int:
        """How many views give the same answer."""
        return sum(view.label == self.answer for view in self.views)

    @property
    def turned(self) -> tuple[ViewName, ...]:
        """Views that give the opposite answer; one that gives none is not among them."""
        opposite = {"fake": "real", "real": "fake"}.get(self.answer)
        return tuple(view.view for view in self.views if view.label == opposite)

    @property
    def summary(self) -> str:
        """The count in words: "same answer in 5 of 5 views"."""
        return f"same answer in {self.same} of {len(self.views)} views"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "track_id": self.track_id,
            "answer": self.answer,
            "same": self.same,
            "n_views": len(self.views),
            "unstable": bool(self.turned),
            "summary": self.summary,
            "views": [
                {
                    "view": view.view,
                    "label": view.label,
                    "fake_prob": view.fake_prob,
                    "changes": view.label != self.answer,
                    "scores": view.scores,
                }
                for view in self.views
            ],
        }


@dataclass(frozen=True, slots=True)
class Stability:
    """The people whose verdict was an answer; an uncertain one has none that could turn."""

    people: tuple[Steadiness, ...] = ()

    def of(self, track_id: int) -> Steadiness | None:
        """That of one person, None where no view was asked."""
        return next((p for p in self.people if p.track_id == track_id), None)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"people": [p.to_dict() for p in self.people]}
