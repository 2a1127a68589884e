"""Verdicts worked out again from a report's JSON and from nothing else, by rules written a second time.

The rules are those of "Vote", "Combination" and "Stability" in docs/architecture.md.
"""

from __future__ import annotations

import math
from typing import Any

ANSWERS = {
    "fake": "suspicious",
    "uncertain": "cannot_tell",
    "real": "no_signs",
    "not_applicable": "cannot_judge",
}
Json = dict[str, Any]
KEPT = ("single_voter", "models_disagree")  # reasons of the majority that hold under a combination, too


def of_person(person: Json, document: Json) -> Json:
    """The verdict of a person of a report, with the keys of the report's: what the scores come to, unless a view turns it."""
    found = _by_scores(person, document["combination"])
    if _turned(person, found, document):
        return found | {"label": "uncertain", "reasons": [*found["reasons"], "unstable"]}
    return found


def _turned(person: Json, found: Json, document: Json) -> bool:
    """Whether a view of a person comes to the opposite; all that the report says of the views is checked on the way."""
    asked = [
        p for p in (document["stability"] or {"people": []})["people"] if p["track_id"] == person["track_id"]
    ]
    if not asked:
        return False
    (entry,) = asked
    labels = []
    for view in entry["views"]:
        scores = [s | {"fake_prob": view["scores"].get(s["model"], s["fake_prob"])} for s in person["scores"]]
        again = _by_scores(person | {"scores": scores}, document["combination"])
        assert (again["label"], again["label"] != found["label"]) == (view["label"], view["changes"])
        assert abs(again["fake_prob"] - view["fake_prob"]) < 2e-6
        labels.append(again["label"])
    opposite = {"fake": "real", "real": "fake"}[found["label"]]
    assert (entry["answer"], entry["n_views"]) == (found["label"], len(labels))
    assert (entry["same"], entry["unstable"]) == (labels.count(found["label"]), opposite in labels)
    return opposite in labels


def _by_scores(person: Json, combination: Json | None) -> Json:
    voters = person["verdict"]["voters"]
    asked = [s for s in person["scores"] if s["model"] in voters]
    judged = [s for s in asked if s["status"] == "ok"]
    votes = [_vote(s) for s in judged]
    counts = {name: votes.count(name) for name in ("fake", "real", "abstain")}
    prob = sum(s["fake_prob"] for s in judged) / len(judged) if judged else None
    label, reasons = _answer(asked, votes, counts)
    if combination and sorted(voters) == sorted(combination["reals"]) == sorted(s["model"] for s in judged):
        prob = _by_rarity(judged, combination)
        label, reasons = _combined(prob, combination, label, [r for r in reasons if r in KEPT])
    return {"label": label, "fake_prob": prob, "votes": counts, "reasons": reasons, "voters": voters}


def of_file(document: Json) -> Json:
    """The verdict of the file, from verdicts of its people that are worked out again too."""
    voters = document["verdict"]["voters"]
    people = [of_person(p, document) for p in document["people"]]
    judged = [v for v in people if v["label"] != "not_applicable"]
    if not judged:
        reasons = list(dict.fromkeys(code for v in people for code in v["reasons"]))
        frames = document["frames"]
        lacking = "no_verified_face" if frames["with_face"] else "no_face"
        lacking = "face_turned" if frames["turned"] else lacking
        none = {"fake": 0, "real": 0, "abstain": 0}
        return {
            "label": "not_applicable",
            "fake_prob": None,
            "votes": none,
            "reasons": reasons or [lacking],
            "voters": voters,
        }
    judged += [
        v | {"label": "uncertain"}
        for v in people
        if {"model_failed", "no_model_installed"} & set(v["reasons"])
    ]
    worst_first = ("fake", "uncertain", "real")
    label = next(name for name in worst_first if any(v["label"] == name for v in judged))
    decisive = max((v for v in judged if v["label"] == label), key=lambda v: v["fake_prob"] or 0)
    probs = [v["fake_prob"] for v in judged if v["fake_prob"] is not None]
    reasons = [*decisive["reasons"], *(["several_people"] if len(judged) > 1 else [])]
    if label == "real":
        reasons += _blind_spots(document)
    return decisive | {"fake_prob": max(probs, default=None), "reasons": reasons, "voters": voters}


def answer_about_person(person: Json, document: Json) -> str:
    """The answer for people about one person: the label in another word, or "disagree"."""
    label = of_person(person, document)["label"]
    known = {m["name"]: m["known_performance"] for m in document["models"]}
    sides = {"fake": set(), "real": set()}
    for score in person["scores"]:
        if score["model"] in person["verdict"]["voters"] and score["vote"] in sides:
            sides[score["vote"]].add(
                not (figures := known[score["model"]]) or not figures["blind_to"] or bool(figures["sees"])
            )
    split = True in sides["fake"] and (True in sides["real"] or (sides["real"] and label != "fake"))
    return "disagree" if split and label != "not_applicable" else ANSWERS[label]


def answer_about_file(document: Json) -> str:
    """The most urgent answer about people who could be judged."""
    answers = {answer_about_person(p, document) for p in document["people"]} - {"cannot_judge"}
    order = ("suspicious", "disagree", "cannot_tell", "no_signs")
    return next((name for name in order if name in answers), "cannot_judge")


def _vote(score: Json) -> str:
    if score["fake_prob"] >= score["threshold"]:
        return "fake"
    return "real" if score["fake_prob"] < score["real_below"] else "abstain"


def _answer(asked: list[Json], votes: list[str], counts: dict[str, int]) -> tuple[str, list[str]]:
    statuses = [s["status"] for s in asked]
    if not votes:
        if "failed" in statuses:
            return "not_applicable", ["model_failed"]
        if statuses and set(statuses) == {"not_applicable"}:
            return "not_applicable", list(dict.fromkeys(s["reason"] for s in asked))
        return "not_applicable", ["no_model_installed"]
    if len(votes) == 1 and len(asked) > 1:
        return "uncertain", ["too_few_voters"]
    reasons = ["single_voter"] if len(asked) == 1 else []
    reasons += ["models_disagree"] if counts["fake"] and counts["real"] else []
    for label in ("fake", "real"):
        if counts[label] > len(votes) / 2:
            return label, reasons
    tied = counts["fake"] == counts["real"] > 0
    return "uncertain", [*reasons, "tie" if tied else "between_thresholds"]


def _by_rarity(judged: list[Json], combination: Json) -> float:
    """Odds and one in n, where the app has logarithms."""
    one_in = []
    for score in judged:
        prob = sorted((0.0001, score["fake_prob"], 0.9999))[1]
        median, top = combination["reals"][score["model"]]
        one_in.append(1 + 19.0 ** ((math.log(prob / (1 - prob)) - median) / (top - median)))
    joined = sum(math.log(n) ** combination["power"] for n in one_in) ** (1 / combination["power"])
    odds = math.exp(combination["bias"] + combination["gain"] * joined)
    return round(odds / (1 + odds), 6)


def _combined(prob: float, combination: Json, majority: str, kept: list[str]) -> tuple[str, list[str]]:
    label = _vote(combination | {"fake_prob": prob}).replace("abstain", "uncertain")
    differs = ["majority_differs"] if label != majority else []
    between = ["between_thresholds"] if label == "uncertain" else []
    return label, [*kept, "combined", *differs, *between]


def _blind_spots(document: Json) -> list[str]:
    voters = document["verdict"]["voters"]
    judged = {s["model"] for p in document["people"] for s in p["scores"] if s["status"] == "ok"}
    alone = [m["known_performance"] for m in document["models"] if m["name"] in judged & set(voters)]
    whole = document["known_performance"]
    measured = [whole] if whole else [known for known in alone if known]
    seen = [family for known in measured for family in known["sees"]]
    blind = [family for known in measured for family in known["blind_to"] if family not in seen]
    return [f"blind_to_{family}" for family in dict.fromkeys(blind)]
