"""Votes to verdicts. Pure rules, stated once:

A model votes fake at or above its threshold and real below its lower one; between them it abstains. A track takes the strict
majority of the voters that could judge it; where two or more voters are meant to judge, fewer than two are too few. A file is
fake when any judged person is fake, real when all are real, else uncertain. No face is not "real": it is not_applicable.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tbd_app.types import FrameCounts, ModelScore, Verdict, Vote

QUORUM = 2


def vote(fake_prob: float, threshold: float, real_below: float) -> Vote:
    """The vote of one model."""
    if fake_prob >= threshold:
        return "fake"
    return "real" if fake_prob < real_below else "abstain"


def of_track(scores: Sequence[ModelScore], voters: Collection[str]) -> Verdict:
    """Verdict of a track.

    Args:
        scores: of every model asked, of any status.
        voters: models whose votes count; others are shown only.
    """
    asked = [s for s in scores if s.model in voters]
    votes = [s.vote for s in asked if s.status == "ok"]
    probs = [s.fake_prob for s in asked if s.status == "ok" and s.fake_prob is not None]
    fake, real, abstain = (votes.count(v) for v in ("fake", "real", "abstain"))
    counts = {"fake": fake, "real": real, "abstain": abstain}
    prob = sum(probs) / len(probs) if probs else None
    if not votes:
        if any(s.status == "failed" for s in asked):
            return Verdict("uncertain", None, **counts, reasons=("model_failed",))
        if asked and all(s.status == "not_applicable" for s in asked):
            reasons = tuple(dict.fromkeys(s.reason for s in asked if s.reason))
            return Verdict("not_applicable", None, **counts, reasons=reasons)
        return Verdict("uncertain", None, **counts, reasons=("no_model_installed",))
    reasons = ["single_voter"] if len(asked) == 1 else []
    if len(votes) < min(QUORUM, len(asked)):
        return Verdict("uncertain", prob, **counts, reasons=("too_few_voters",))
    if fake and real:
        reasons.append("models_disagree")
    if 2 * fake > len(votes):
        return Verdict("fake", prob, **counts, reasons=tuple(reasons))
    if 2 * real > len(votes):
        return Verdict("real", prob, **counts, reasons=tuple(reasons))
    reasons.append("tie" if fake == real and fake else "between_thresholds")
    return Verdict("uncertain", prob, **counts, reasons=tuple(reasons))


def was_answered(people: Sequence[Verdict]) -> bool:
    """Whether a file was judged: some voter judged some person, or there was nobody to be judged."""
    return all(v.label == "not_applicable" for v in people) or any(
        v.fake + v.real + v.abstain for v in people
    )


def of_file(people: Sequence[Verdict], counts: FrameCounts, blind_spots: Sequence[str] = ()) -> Verdict:
    """Verdict of a file from those of its people. Its votes are those of the person that decided.

    Args:
        people: verdicts of all tracks.
        counts: of the frames.
        blind_spots: reason codes that every "real" verdict must carry.
    """
    judged = [v for v in people if v.label != "not_applicable"]
    if not judged:
        reasons = list(dict.fromkeys(r for v in people for r in v.reasons))
        if not reasons:
            reasons = ["no_verified_face" if counts.with_face else "no_face"]
        return Verdict("not_applicable", None, reasons=tuple(reasons))
    rank = {"fake": 2, "uncertain": 1, "real": 0}
    decisive = max(judged, key=lambda v: (rank[v.label], v.fake_prob or 0.0))
    probs = [v.fake_prob for v in judged if v.fake_prob is not None]
    reasons = list(decisive.reasons)
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
    )
