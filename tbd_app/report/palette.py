"""The colours of people: each person has one in every view of a report, on frames, in plots, on the page and in the video."""

from __future__ import annotations

from typing import Literal

from tbd_app.answer import Answer

Zone = Literal["real", "between", "fake"]

# Okabe and Ito's colours that stand out on light and dark and carry black text; safe for colour-blind eyes.
PEOPLE = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00")
UNTRACKED = "#BBBBBB"
# Of answers, as a thin edge beside the word, never alone. "No signs" is grey: it is no clearance, and nothing here is green.
ANSWERS: dict[Answer, str] = {
    "suspicious": "#B42318",
    "disagree": "#93540A",
    "cannot_tell": "#93540A",
    "no_signs": "#667085",
    "cannot_judge": "#667085",
}
ICONS: dict[Answer, str] = {
    "suspicious": "▲",
    "disagree": "⇄",
    "cannot_tell": "?",
    "no_signs": "○",
    "cannot_judge": "–",
}
# Of the three zones of a score: below the lower bound, between, from the upper one. Drawn faintly behind bars and curves.
ZONES: dict[Zone, str] = {"real": "#98A2B3", "between": "#F5C451", "fake": "#D1483B"}


def person(track_id: int) -> str:
    """The colour of a person, #RRGGBB; grey for a face outside every track (-1)."""
    return PEOPLE[track_id % len(PEOPLE)] if track_id >= 0 else UNTRACKED
