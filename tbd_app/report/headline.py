"""The answer about a file in sentences: headline, how it was reached, and a sentence that can be quoted."""

from __future__ import annotations

from collections.abc import Sequence

from tbd_app.answer import Answer, of_person, of_report
from tbd_app.known import Family
from tbd_app.report.measured import judges, meaning, measured_of
from tbd_app.report.names import BANDS, band, counted, person_name, span
from tbd_app.report.reasons import FAMILIES, REASONS, listed, reason
from tbd_app.types import Person, Report, Verdict

PRODUCT = "TBD (Truth Behind Deepfakes)"
ANSWERS: dict[Answer, str] = {
    "suspicious": "Suspicious",
    "disagree": "Models disagree",
    "cannot_tell": "Cannot tell",
    "no_signs": "No signs found",
    "cannot_judge": "Cannot judge",
}
MEAN_OVER_FRAMES = (
    "A model of single frames scores a person by the mean over the frames that show them, not by one frame."
)
_SIDES = {
    "fake": "on the side of fakes",
    "real": "on the side of real media",
    "uncertain": "between the bounds",
}


def answer_label(report: Report) -> str:
    """The answer about the file in a word or two."""
    return ANSWERS[of_report(report)]


def person_answer(person: Person, report: Report) -> str:
    """The answer about a person in a word or two."""
    return ANSWERS[of_person(person, report)]


def person_caption(person: Person, report: Report | None = None) -> str:
    """A few words under a face: "A: strong signs", "A: models disagree".

    Args:
        report: that the person is of; without it the label of the verdict alone counts.
    """
    label = person.verdict.label
    if report is not None and of_person(person, report) == "disagree":
        words = ANSWERS["disagree"]
    elif label in ("fake", "real"):
        words = BANDS[band(person.verdict)]
    else:
        words = ANSWERS["cannot_tell" if label == "uncertain" else "cannot_judge"]
    return f"{person_name(person.track.track_id)}: {words.lower()}"


def headline(report: Report) -> str:
    """What was found and how sure, in plain words, without a number that could pass for a probability."""
    answer = of_report(report)
    if answer == "cannot_judge":
        return f"Cannot judge. {_sentences(report)} This says nothing about whether it is real."
    if answer == "disagree":
        return _disagreement(report)
    if answer == "cannot_tell":
        return f"Cannot tell. {_sentences(report)}".rstrip()
    if answer == "no_signs":
        return _no_signs(report)
    suspects = [p for p in report.people if of_person(p, report) == "suspicious"]
    if not suspects:
        return "Signs of manipulation were found. Treat as suspicious, not proven."
    found = _one_suspect(report, suspects[0]) if len(suspects) == 1 else _many_suspects(report, suspects)
    return f"{found} {_differs(suspects[0].verdict)}Treat as suspicious, not proven."


def opening(report: Report) -> list[str]:
    """Headline and what the answer means, to be read below the answer's label; what "no signs" means comes first."""
    lines = [headline(report).removeprefix(f"{answer_label(report)}. "), meaning(report)]
    return list(filter(None, reversed(lines) if of_report(report) == "no_signs" else lines))


def how_reached(report: Report) -> str:
    """How the scores became the verdict, as sentences; "" where nothing was judged."""
    names = judges(report)
    if not names:
        return ""
    still = report.media.kind == "image"
    parts = [] if still else [MEAN_OVER_FRAMES]
    if "combined" in {code for p in report.people for code in p.verdict.reasons}:
        parts.append(
            "The models' scores are combined by how rare each is among real media, and held against two bounds."
        )
    elif len(names) > 1:
        parts.append("Each model votes by its own two bounds, and the majority of votes decides.")
    else:
        parts.append("The only model that judged decides, by its two bounds.")
    if sum(p.verdict.label != "not_applicable" for p in report.people) > 1:
        parts.append("Of several people the most suspicious one gives the answer about the file.")
    return " ".join(parts)


def quote(report: Report) -> str:
    """One sentence to copy into an article: product, version, date, answer, what it means, and which file."""
    version = report.versions.get("tbd", "")
    when = f" on {report.made_at[:10]}" if report.made_at else ""
    known = meaning(report)
    doubt = "This is a hint, not proof." if known else "This says nothing about whether it is real."
    tail = f" {known.replace('In our test', 'In its own test', 1)}" if known else ""
    return (
        f"{PRODUCT} {version}, asked about “{report.media.name}”{when}, answered “{answer_label(report)}”."
        f"{tail} {doubt} (SHA-256 of the file: {report.media.sha256})"
    )


def _no_signs(report: Report) -> str:
    judged = sum(p.verdict.label == "real" for p in report.people)
    where = f" in any of {judged} people" if judged > 1 else ""
    by = " by the only model that votes" if _single(report.verdict) else ""
    if not by and "combined" in report.verdict.reasons:
        by = " by the models together"
    blind = [
        code.removeprefix("blind_to_") for code in report.verdict.reasons if code.startswith("blind_to_")
    ]
    what, gap = "manipulation", ""
    if blind:
        seen = _families(_seen(report), "or")
        what = seen or "the kinds of manipulation that this can see"
        gap = f"{_families(blind, 'and').capitalize()} cannot be judged by this. "
    return f"No signs of {what} were found{where}{by}. {gap}{_differs(report.verdict)}This does not prove that it is real."


def _seen(report: Report) -> list[Family]:
    """Families that those that judged were measured to see, together or one of them."""
    known = measured_of(report)
    all_of_them = [known] if known else [k for name in judges(report) if (k := report.model(name).known)]
    return list(dict.fromkeys(family for one in all_of_them for family in one.sees))


def _families(families: Sequence[str], last: str) -> str:
    words = [FAMILIES[f] for f in FAMILIES if f in families]
    return listed(words).replace(" and ", f" {last} ") if last == "or" else listed(words)


def _disagreement(report: Report) -> str:
    people = [p for p in report.people if of_person(p, report) == "disagree"]
    about = f"The models disagree about {listed([_who(p, report) for p in people])}"
    detail = ""
    if len(people) == 1:
        v = people[0].verdict
        detail = f": {v.fake} voted fake, {v.real} real" + (
            f", {v.abstain} gave no vote" if v.abstain else ""
        )
        if "combined" in v.reasons:
            detail += f". Taken together, their scores lie {_SIDES[v.label]}"
    return f"{about}{detail}. Treat it as an open question."


def _one_suspect(report: Report, person: Person) -> str:
    verdict = person.verdict
    signs = f"{BANDS[band(verdict)]} of manipulation in {_who(person, report)}"
    if _single(verdict):
        return f"The only model that votes found {signs}."
    voters = verdict.fake + verdict.real + verdict.abstain
    if "combined" in verdict.reasons:
        return f"The models together found {signs}; {verdict.fake} of {voters} voted fake."
    tail = f" {'One' if verdict.real == 1 else verdict.real} disagreed." if verdict.real else ""
    return f"{verdict.fake} of {counted(voters, 'model')} found {signs}.{tail}"


def _many_suspects(report: Report, suspects: list[Person]) -> str:
    parts = [f"{BANDS[band(p.verdict)].split()[0]} in {_who(p, report)}" for p in suspects]
    judged = sum(p.verdict.label != "not_applicable" for p in report.people)
    by = " by the only model that votes" if any(_single(p.verdict) for p in suspects) else ""
    return f"Signs of manipulation were found in {len(suspects)} of {judged} people{by}: {listed(parts)}."


def _who(person: Person, report: Report) -> str:
    when = span(person, report.media.kind)
    name = f"person {person_name(person.track.track_id)}"
    return f"{name} ({when})" if when else name


def _single(verdict: Verdict) -> bool:
    return "single_voter" in verdict.reasons or verdict.fake + verdict.real + verdict.abstain == 1


def _differs(verdict: Verdict) -> str:
    """The sentence that the majority says otherwise, with a space behind it, or ""."""
    return f"{REASONS['majority_differs']} " if "majority_differs" in verdict.reasons else ""


def _sentences(report: Report) -> str:
    codes = [c for c in report.verdict.reasons if c != "several_people"]
    return " ".join(reason(c) for c in codes) or "No reason was given."
