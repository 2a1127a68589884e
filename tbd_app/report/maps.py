"""What is said of the maps that show where models looked: their kind, their scale, and what they do not show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tbd_app.languages import Table, say
from tbd_app.report.anatomy import Place, focus
from tbd_app.types import Explanation, FacePart, MapKind, Report

EVIDENCE_NOTE = (
    "Grad-CAM: bright areas show where the model looked, not where something was edited; all these maps share one "
    "scale."
)
ATTENTION_NOTE = (
    "Attention shows where a model looks, not why it decides, and part of it may rest on plain background. All these maps "
    "share one scale: clear is an even share or less, brightest is four times that or more."
)
QUERIES = Table(
    {
        "lips": "attention of the query for the lips",
        "skin": "attention of the query for the skin",
        "eyes": "attention of the query for the eyes",
        "nose": "attention of the query for the nose",
    }
)
KINDS = Table(
    {"grad_cam": "Grad-CAM", "rollout": "attention through all layers", "queries": "attention of queries"}
)

PLACES: Table[Place] = Table(
    {
        "left_eye": "the eye on the left",
        "right_eye": "the eye on the right",
        "nose_bridge": "the bridge of the nose",
        "nose": "the nose",
        "mouth": "the mouth",
        "chin": "the chin",
        "forehead": "the forehead",
        "hairline": "the hairline",
        "left_cheek": "the cheek on the left",
        "right_cheek": "the cheek on the right",
        "left_temple": "the temple on the left",
        "right_temple": "the temple on the right",
        "left_jaw": "the jaw on the left",
        "right_jaw": "the jaw on the right",
        "outside": "outside the face",
    }
)


def map_named(kind: MapKind, part: FacePart | None = None) -> str:
    """What a map shows, in a phrase."""
    return QUERIES[part] if part else KINDS[kind]


def map_in_time(one: Explanation) -> str:
    """How much of a clip's attention went to the frame; "" where a model has no attention over time."""
    if one.over_time is None:
        return ""
    return say("this frame has {times} times an even share of it", times=f"{one.over_time:.1f}")


def map_notes(report: Report) -> list[str]:
    """What the maps of a report show and do not show, and which models have no attention of their own."""
    kinds = set(report.maps.values())
    out = [say(ATTENTION_NOTE)] if kinds - {"grad_cam"} else []
    out += [say(EVIDENCE_NOTE)] if "grad_cam" in kinds or not kinds else []
    without = [model for model, kind in report.maps.items() if kind == "grad_cam"]
    if report.settings.get("attention") and without:
        out.append(say("No attention of its own to show, so Grad-CAM: {models}.", models=", ".join(without)))
    return out


def map_scales(kinds: Iterable[MapKind]) -> list[tuple[str, str]]:
    """What the coldest and the hottest colour of the maps of these kinds stand for, each scale once."""
    found = set(kinds)
    out = [(say("an even share"), say("four times that or more"))] if found - {"grad_cam"} else []
    if "grad_cam" in found or not found:
        out.append((say("no evidence for “fake”"), say("the strongest in this result")))
    return out


def looked(place: Place | None, kind: MapKind) -> str:
    """Where a model looked; attention rests on plain background, too, evidence there is a warning."""
    if place is None:
        return say("had no strong focus")
    if place == "outside" and kind != "grad_cam":
        return say("looked mostly outside the face")
    if place == "outside":
        return say("looked outside the face: give this score little weight")
    return say("looked mostly at {place}", place=PLACES[place])


def place_of(one: Explanation) -> Place | None:
    """The part of the face at the hottest place of a map; None where it has no focus or nobody knows the landmarks."""
    return None if one.landmarks is None else focus(one.heat, one.landmarks)


def outside_warning(shown: Sequence[Explanation]) -> str:
    """A warning where most of a person's highest scores by one model do not come from the face, else "".

    Attention rests on plain background, too; evidence there is what a score should not come from.
    """
    highest = [e for e in shown if e.role == "highest"]
    outside = sum(place_of(e) == "outside" and e.kind == "grad_cam" for e in highest)
    if 2 * outside <= len(highest):
        return ""
    if len(highest) == 1:
        return say(
            "In the picture with the highest score the model looked outside the face: give its score little weight."
        )
    return say(
        "In {n} of the {total} highest pictures the model looked outside the face: give its score little weight.",
        n=outside,
        total=len(highest),
    )


def by_model(report: Report) -> dict[tuple[int, str], list[Explanation]]:
    """The explained crops by person (their track) and model."""
    groups: dict[tuple[int, str], list[Explanation]] = {}
    for e in report.explanations:
        groups.setdefault((e.track_id, e.model), []).append(e)
    return groups
