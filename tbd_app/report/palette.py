"""The colours of people: each person has one in every view of a report, on frames, in plots, on the page and in the video."""

from __future__ import annotations

# Okabe and Ito's colours that stand out on light and dark and carry black text; safe for colour-blind eyes.
PEOPLE = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00")
UNTRACKED = "#BBBBBB"
THRESHOLD = "#64748b"  # of the line at which a model votes fake


def person(track_id: int) -> str:
    """The colour of a person, #RRGGBB; grey for a face outside every track (-1)."""
    return PEOPLE[track_id % len(PEOPLE)] if track_id >= 0 else UNTRACKED
