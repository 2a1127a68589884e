"""Votes to verdicts. Pure rules, stated once:

A model votes fake at or above its threshold and real below its lower one; between them it abstains. A track takes the strict
majority of the voters that could judge it; where two or more voters are meant to judge, fewer than two are too few. A file is
fake when any judged person is fake, real when all are real, else uncertain. No face is not "real": it is not_applicable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import get_args

from tbd_app.known import KnownPerformance
from tbd_app.types import BlindSpot, FrameCounts, Label, ModelScore, Reason, Verdict, Vote

QUORUM = 2
BLIND_SPOTS: dict[str, BlindSpot] = {code.removeprefix("blind_to_"): code for code in get_args(BlindSpot)}


def vote(fake_prob: float, threshold: float, real_below: float) -> Vote:
    """The vote of one model."""
    if fake_prob >= threshold:
        return "fake"
    return "real" if fake_prob < real_below else "abstain"


def of_track(scores: Sequence[ModelScore], voters: Collection[str]) -> Verdict:
    """Verdict of a track.

    Args:
        scores: of every model asked, of any status.
        voters: models whose votes count (`registry.voters`); others are shown only.
    """
    asked = [s for s in scores if s.model in voters]
    return replace(_majority(asked), voters=tuple(s.model for s in asked))


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
            return verdict("uncertain", "model_failed")
        if asked and all(s.status == "not_applicable" for s in asked):
            unfit: list[Reason] = [s.reason for s in asked if s.reason]
            return verdict("not_applicable", *dict.fromkeys(unfit))
        return verdict("uncertain", "no_model_installed")
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


def was_answered(people: Sequence[Verdict]) -> bool:
    """Whether a file was judged: some voter judged some person, or there was nobody to be judged."""
    return all(v.label == "not_applicable" for v in people) or any(
        v.fake + v.real + v.abstain for v in people
    )


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
            unfit = ["no_verified_face" if counts.with_face else "no_face"]
        return Verdict("not_applicable", None, reasons=tuple(unfit), voters=tuple(voters))
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
