"""The answer of a report for people, in one word. Pure, worked out from what the report shows.

It is the verdict's label, but for one case: where a model that is not blind on media of this kind votes fake and another
votes real, the answer is that the models disagree, whatever a majority or a combination of their scores makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from tbd_app.known import KnownPerformance
    from tbd_app.types import Label, Person, Report

Answer = Literal["suspicious", "disagree", "cannot_tell", "no_signs", "cannot_judge"]  # the most urgent first
_OF_LABEL: dict[Label, Answer] = {
    "fake": "suspicious",
    "uncertain": "cannot_tell",
    "real": "no_signs",
    "not_applicable": "cannot_judge",
}


def of_report(report: Report) -> Answer:
    """The answer about a file: the most urgent one of its people who could be judged."""
    answers = {of_person(p, report) for p in report.people} - {"cannot_judge"}
    if report.verdict.label == "not_applicable" or not answers:
        return _OF_LABEL[report.verdict.label]
    order: tuple[Answer, ...] = get_args(Answer)
    return next(answer for answer in order if answer in answers)


def of_person(person: Person, report: Report) -> Answer:
    """The answer about one person."""
    label = person.verdict.label
    return "disagree" if label != "not_applicable" and disagree(person, report) else _OF_LABEL[label]


def disagree(person: Person, report: Report) -> bool:
    """Whether the voters disagree about a person in a way that counts.

    A fake vote counts unless its model was measured to see no kind of fake on such media. It is not outvoted in silence; but
    a real vote of a model that sees nothing does not soften a verdict of fake.
    """
    votes = [
        (s.vote, not _blind(report.model(s.model).known))
        for s in person.scores
        if s.model in person.verdict.voters
    ]
    real = ("real", True) in votes or (("real", False) in votes and person.verdict.label != "fake")
    return ("fake", True) in votes and real


def _blind(known: KnownPerformance | None) -> bool:
    return known is not None and bool(known.blind_to) and not known.sees
