"""Faces beside their maps, with captions and warnings, for the HTML report."""

from __future__ import annotations

from tbd_app.languages import say
from tbd_app.report import maps, texts
from tbd_app.report.inline import data_uri
from tbd_app.types import Explanation, Report


def pairs(report: Report) -> list[dict[str, str]]:
    """Every explained crop, as it was and under its map, in words: who, when, which score, where the model looked."""
    return [_pair(e, report) for e in report.explanations]


def warnings(report: Report) -> list[str]:
    """A sentence for each person and model whose highest scores mostly do not come from the face."""
    return [
        f"{_person(track_id)}{say(', ')}{model}: {warning}"
        for (track_id, model), group in maps.by_model(report).items()
        if (warning := maps.outside_warning(group))
    ]


def _person(track_id: int) -> str:
    return say("Person {name}", name=texts.person_name(track_id))


def _pair(explanation: Explanation, report: Report) -> dict[str, str]:
    when = texts.moment(explanation.time_s, report.media.kind)
    who = say(", ").join(filter(None, (_person(explanation.track_id), when)))
    # A model of clips has one score for all frames, which is no frame's.
    of_frames = any(
        s.frame_fake_prob
        for p in report.people
        for s in p.scores
        if (p.track.track_id, s.model) == (explanation.track_id, explanation.model)
    )
    score = say(
        "frame score {score} of {model}" if of_frames else "clip score {score} of {model}",
        score=f"{explanation.fake_prob:.2f}",
        model=explanation.model,
    )
    role = "" if report.media.kind == "image" else f"{texts.ROLES[explanation.role]}{say(', ')}"
    return {
        "crop": data_uri(explanation.crop),
        "overlay": data_uri(explanation.overlay),
        "alt": say("{who}, with the map of {model}", who=who, model=explanation.model),
        "caption": f"{who}: {role}{score}{say(', ')}{_map_words(explanation)}",
    }


def _map_words(one: Explanation) -> str:
    """What a map shows, which of Grad-CAM is said once for all, and where it is strongest."""
    kind = "" if one.kind == "grad_cam" else texts.map_named(one.kind, one.part)
    looked = maps.looked(maps.place_of(one), one.kind)
    return say(", ").join(filter(None, (kind, looked, texts.map_in_time(one))))
