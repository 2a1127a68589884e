"""Votes become verdicts by pure rules, stated once.

A model votes fake at or above its threshold and real below its lower one; between them it abstains. A track takes the strict
majority of the voters that could judge it; where two or more voters are meant to judge, fewer than two are too few. Where a
combination was fitted for exactly these voters and all of them judged, it gives the verdict in place of the majority, and the
votes are still counted. Of real media one in n scores at least as high as a model did; fake_prob = sigmoid(bias + gain * norm
of ln n over the models), held against bounds of its own. So a model that sees nothing does not outvote one that does.
A verdict of fake or real becomes uncertain (`unstable`) where the same faces in any of their views, judged by the same rules,
come to the opposite; a view that comes to neither turns nothing.
A file is fake when any judged person is fake, real when all are real, else uncertain. No face is not "real": it is
not_applicable, and so is a person whom no voter could judge because none could run; beside people who were judged, such a
person is uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from tbd_app.known import DECIMALS, Combination, KnownPerformance
from tbd_app.steady import Steadiness
from tbd_app.types import BlindSpot, FrameCounts, Label, ModelScore, Reason, Verdict, Vote

QUORUM = 2
EDGE = 1e-4  # a score counts as at least this far from 0 and from 1, whose logits are infinite
UNABLE = {"model_failed", "no_model_installed"}
BLIND_SPOTS: dict[str, BlindSpot] = {code.removeprefix("blind_to_"): code for code in get_args(BlindSpot)}


def vote(fake_prob: float, threshold: float, real_below: float) -> Vote:
    """The vote of one model."""
    if fake_prob >= threshold:
        return "fake"
    return "real" if fake_prob < real_below else "abstain"


def of_track(
    scores: Sequence[ModelScore], voters: Collection[str], combination: Combination | None = None
) -> Verdict:
    """Verdict of a track.

    Args:
        scores: of every model asked, of any status.
        voters: models whose votes count (`registry.voters`); others are shown only.
        combination: for this kind of media (`manifest.combination`); it decides where the voters are exactly its models
            and each of them judged, else the majority does.
    """
    asked = [s for s in scores if s.model in voters]
    answer = _majority(asked)
    probs = {s.model: s.fake_prob for s in asked if s.status == "ok" and s.fake_prob is not None}
    if combination is not None and set(voters) == combination.reals.keys() == probs.keys():
        answer = _combined(probs, combination, answer)
    return replace(answer, voters=tuple(s.model for s in asked))


def _combined(probs: Mapping[str, float], combination: Combination, majority: Verdict) -> Verdict:
    """What the combination makes of the scores of all its models, with the votes of the majority."""
    prob = combined_prob(probs, combination)
    choice = vote(prob, combination.threshold, combination.real_below)
    label: Label = "uncertain" if choice == "abstain" else choice
    reasons: list[Reason] = [r for r in majority.reasons if r in ("single_voter", "models_disagree")]
    reasons.append("combined")
    if label != majority.label:
        reasons.append("majority_differs")
    if label == "uncertain":
        reasons.append("between_thresholds")
    return replace(majority, label=label, fake_prob=prob, reasons=tuple(reasons))


def combined_prob(probs: Mapping[str, float], combination: Combination) -> float:
    """The scores of several models as one in [0,1], rounded so that what is shown is what is compared.

    With a power of 1 it is Fisher's way to combine p-values (Statistical Methods for Research Workers, 1925), with a high one
    Tippett's (The Methods of Statistics, 1931).

    Args:
        probs: fake_prob by model, at least of every model of the combination.
        combination: fitted for these models.
    """
    rarities = [log_rarity(logit(probs[model]), *points) for model, points in combination.reals.items()]
    joined = norm(rarities, combination.power)
    # tanh: a sigmoid that does not overflow.
    return round((1 + math.tanh((combination.bias + combination.gain * joined) / 2)) / 2, DECIMALS)


def norm(rarities: Sequence[float], power: float) -> float:
    """Their norm of that power, the same in any order."""
    return math.fsum(r**power for r in rarities) ** (1 / power)


def log_rarity(value: float, median: float, top: float) -> float:
    """ln n where one in n real media scores at least so high, if their logits follow a logistic distribution.

    Args:
        value: logit of a score.
        median: of real media.
        top: what one in twenty of them exceeds.
    """
    height = (
        math.log(19) * (value - median) / (top - median)
    )  # n = 1 + e^height: 2 at the median, 20 at the top
    return max(height, 0.0) + math.log1p(math.exp(-abs(height)))


def logit(prob: float) -> float:
    """Log-odds of a score that counts as at least `EDGE` from 0 and from 1."""
    prob = min(max(prob, EDGE), 1 - EDGE)
    return math.log(prob / (1 - prob))


def _majority(asked: Sequence[ModelScore]) -> Verdict:
    """What the scores of the voters come to."""
    votes = [s.vote for s in asked if s.status == "ok"]
    probs = [s.fake_prob for s in asked if s.status == "ok" and s.fake_prob is not None]
    fake, real = votes.count("fake"), votes.count("real")
    prob = sum(probs) / len(probs) if probs else None

    def verdict(label: Label, *reasons: Reason) -> Verdict:
        return Verdict(label, prob, fake, real, votes.count("abstain"), reasons)

    if not votes:
        if any(s.status == "failed" for s in asked):
            return verdict("not_applicable", "model_failed")
        if asked and all(s.status == "not_applicable" for s in asked):
            unfit: list[Reason] = [s.reason for s in asked if s.reason]
            return verdict("not_applicable", *dict.fromkeys(unfit))
        return verdict("not_applicable", "no_model_installed")
    if len(votes) < min(QUORUM, len(asked)):
        return verdict("uncertain", "too_few_voters")
    reasons: list[Reason] = ["single_voter"] if len(asked) == 1 else []
    if fake and real:
        reasons.append("models_disagree")
    if 2 * fake > len(votes):
        return verdict("fake", *reasons)
    if 2 * real > len(votes):
        return verdict("real", *reasons)
    return verdict("uncertain", *reasons, "tie" if fake == real and fake else "between_thresholds")


def steadied(before: Verdict, found: Steadiness | None) -> Verdict:
    """The verdict of a track once its views have been asked.

    Args:
        before: of the track.
        found: what the views came to; None where none was asked.
    """
    if found is None or not found.turned:
        return before
    return replace(before, label="uncertain", reasons=(*before.reasons, "unstable"))


def was_answered(people: Sequence[Verdict]) -> bool:
    """Whether a file was judged: some voter judged some person, or there was nobody who could be judged."""
    return any(v.fake + v.real + v.abstain for v in people) or not any(_unable(v) for v in people)


def _unable(person: Verdict) -> bool:
    """Whether no voter could run."""
    return not UNABLE.isdisjoint(person.reasons)


def of_file(
    people: Sequence[Verdict],
    counts: FrameCounts,
    voters: Sequence[str] = (),
    blind_spots: Sequence[BlindSpot] = (),
) -> Verdict:
    """Verdict of a file from those of its people. Its votes are those of the person that decided.

    Args:
        people: verdicts of all tracks.
        counts: of the frames.
        voters: models whose votes count, whether anybody could be judged or not.
        blind_spots: reason codes that every "real" verdict must carry.
    """
    judged = [v for v in people if v.label != "not_applicable"]
    if not judged:
        unfit: list[Reason] = list(dict.fromkeys(r for v in people for r in v.reasons))
        if not unfit:
            unfit = [
                "face_turned" if counts.turned else "no_verified_face" if counts.with_face else "no_face"
            ]
        return Verdict("not_applicable", None, reasons=tuple(unfit), voters=tuple(voters))
    judged += [replace(v, label="uncertain") for v in people if _unable(v)]
    rank = {"fake": 2, "uncertain": 1, "real": 0}
    decisive = max(judged, key=lambda v: (rank[v.label], v.fake_prob or 0.0))
    probs = [v.fake_prob for v in judged if v.fake_prob is not None]
    reasons: list[Reason] = list(decisive.reasons)
    if len(judged) > 1:
        reasons.append("several_people")
    if decisive.label == "real":
        reasons += blind_spots
    return Verdict(
        label=decisive.label,
        fake_prob=max(probs) if probs else None,
        fake=decisive.fake,
        real=decisive.real,
        abstain=decisive.abstain,
        reasons=tuple(reasons),
        voters=tuple(voters),
    )


def blind_spots(judged: Sequence[KnownPerformance], vote: KnownPerformance | None = None) -> list[BlindSpot]:
    """Families of fakes that a vote was measured to miss, as reason codes.

    Args:
        judged: of each voter that judged, as far as it was measured.
        vote: of the vote as a whole; where it was measured it alone counts.
    """
    measured = [vote] if vote else judged
    seen = {family for known in measured for family in known.sees}
    blind = dict.fromkeys(family for known in measured for family in known.blind_to if family not in seen)
    return [BLIND_SPOTS[family] for family in blind]
