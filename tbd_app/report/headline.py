"""The answer about a file in sentences: headline, how it was reached, and a sentence that can be quoted."""

from __future__ import annotations

from collections.abc import Sequence

from tbd_app.answer import Answer, of_person, of_report
from tbd_app.known import Family
from tbd_app.languages import Table, say
from tbd_app.report.measured import judges, meaning, measured_of
from tbd_app.report.names import BANDS, band, counted, person_name, span
from tbd_app.report.reasons import FAMILIES, REASONS, listed, reason
from tbd_app.types import Person, Report, Verdict

PRODUCT = "TBD (Truth Behind Deepfakes)"
ANSWERS: Table[Answer] = Table(
    {
        "suspicious": "Suspicious",
        "disagree": "Models disagree",
        "cannot_tell": "Cannot tell",
        "no_signs": "No signs found",
        "cannot_judge": "Cannot judge",
    }
)
CAUTION = "Treat as suspicious, not proven."
MEAN_OVER_FRAMES = (
    "A model of single frames scores a person by the mean over the frames that show them, not by one frame."
)
_STRENGTHS = Table({"none": "no signs", "weak": "weak", "clear": "clear", "strong": "strong"})
_SIDES = Table(
    {
        "fake": "on the side of fakes",
        "real": "on the side of real media",
        "uncertain": "between the bounds",
    }
)


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
        doubt = say("This says nothing about whether it is real.")
        return f"{ANSWERS[answer]}. {_sentences(report)} {doubt}"
    if answer == "disagree":
        return _disagreement(report)
    if answer == "cannot_tell":
        return f"{ANSWERS[answer]}. {_sentences(report)}".rstrip()
    if answer == "no_signs":
        return _no_signs(report)
    suspects = [p for p in report.people if of_person(p, report) == "suspicious"]
    if not suspects:
        return f"{say('Signs of manipulation were found.')} {say(CAUTION)}"
    found = _one_suspect(report, suspects[0]) if len(suspects) == 1 else _many_suspects(report, suspects)
    return f"{found} {_differs(suspects[0].verdict)}{say(CAUTION)}"


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
    parts = [] if still else [say(MEAN_OVER_FRAMES)]
    if "combined" in {code for p in report.people for code in p.verdict.reasons}:
        parts.append(
            say(
                "The models' scores are combined by how rare each is among real media, and held against two bounds."
            )
        )
    elif len(names) > 1:
        parts.append(say("Each model votes by its own two bounds, and the majority of votes decides."))
    else:
        parts.append(say("The only model that judged decides, by its two bounds."))
    if sum(p.verdict.label != "not_applicable" for p in report.people) > 1:
        parts.append(say("Of several people the most suspicious one gives the answer about the file."))
    return " ".join(parts)


def quote(report: Report) -> str:
    """One sentence to copy into an article: product, version, date, answer, what it means, and which file."""
    known = meaning(report)
    asked = say(
        "{product}, asked about “{file}” on {date}, answered “{answer}”.",
        product=f"{PRODUCT} {report.versions.get('tbd', '')}".strip(),
        file=report.media.name,
        date=report.made_at[:10] or "–",
        answer=answer_label(report),
    )
    doubt = say("This is a hint, not proof." if known else "This says nothing about whether it is real.")
    own = known.replace(say("In our test"), say("In its own test"), 1)
    sha256 = say("(SHA-256 of the file: {sha256})", sha256=report.media.sha256)
    return " ".join(filter(None, (asked, own, doubt, sha256)))


def _no_signs(report: Report) -> str:
    judged = sum(p.verdict.label == "real" for p in report.people)
    where = say(" in any of {people}", people=counted(judged, "person", "people")) if judged > 1 else ""
    by = say(" by the only model that votes") if _single(report.verdict) else ""
    if not by and "combined" in report.verdict.reasons:
        by = say(" by the models together")
    blind = [
        code.removeprefix("blind_to_") for code in report.verdict.reasons if code.startswith("blind_to_")
    ]
    what, gap = say("manipulation"), ""
    if blind:
        seen = _families(_seen(report), any_of=True)
        what = seen or say("the kinds of manipulation that this can see")
        unseen = _families(blind)
        unseen = unseen[:1].upper() + unseen[1:]
        gap = f"{say('{unseen} cannot be judged by this.', unseen=unseen)} "
    found = say("No signs of {what} were found{where}{by}.", what=what, where=where, by=by)
    return f"{found} {gap}{_differs(report.verdict)}{say('This does not prove that it is real.')}"


def _seen(report: Report) -> list[Family]:
    """Families that those that judged were measured to see, together or one of them."""
    known = measured_of(report)
    all_of_them = [known] if known else [k for name in judges(report) if (k := report.model(name).known)]
    return list(dict.fromkeys(family for one in all_of_them for family in one.sees))


def _families(families: Sequence[str], *, any_of: bool = False) -> str:
    return listed([FAMILIES[f] for f in FAMILIES if f in families], any_of=any_of)


def _disagreement(report: Report) -> str:
    people = [p for p in report.people if of_person(p, report) == "disagree"]
    who, detail = listed([_who(p, report) for p in people]), ""
    if len(people) == 1:
        v = people[0].verdict
        detail = say(": {fake} voted fake, {real} real", fake=v.fake, real=v.real)
        if v.abstain:
            detail += say(", {n} gave no vote", n=v.abstain)
        if "combined" in v.reasons:
            detail += say(". Taken together, their scores lie {side}", side=_SIDES[v.label])
    return say(
        "The models disagree about {who}{detail}. Treat it as an open question.", who=who, detail=detail
    )


def _one_suspect(report: Report, person: Person) -> str:
    verdict = person.verdict
    signs = say("{signs} of manipulation in {who}", signs=BANDS[band(verdict)], who=_who(person, report))
    if _single(verdict):
        return say("The only model that votes found {signs}.", signs=signs)
    voters = verdict.fake + verdict.real + verdict.abstain
    if "combined" in verdict.reasons:
        return say(
            "The models together found {signs}; {fake} of {voters} voted fake.",
            signs=signs,
            fake=verdict.fake,
            voters=voters,
        )
    found = say(
        "{fake} of {models} found {signs}.", fake=verdict.fake, models=counted(voters, "model"), signs=signs
    )
    if not verdict.real:
        return found
    return f"{found} {say('One disagreed.') if verdict.real == 1 else say('{n} disagreed.', n=verdict.real)}"


def _many_suspects(report: Report, suspects: list[Person]) -> str:
    parts = [
        say("{strength} in {who}", strength=_STRENGTHS[band(p.verdict)], who=_who(p, report))
        for p in suspects
    ]
    return say(
        "Signs of manipulation were found in {n} of {people}{by}: {parts}.",
        n=len(suspects),
        people=counted(sum(p.verdict.label != "not_applicable" for p in report.people), "person", "people"),
        by=say(" by the only model that votes") if any(_single(p.verdict) for p in suspects) else "",
        parts=listed(parts),
    )


def _who(person: Person, report: Report) -> str:
    when = span(person, report.media.kind)
    name = say("person {name}", name=person_name(person.track.track_id))
    return f"{name} ({when})" if when else name


def _single(verdict: Verdict) -> bool:
    return "single_voter" in verdict.reasons or verdict.fake + verdict.real + verdict.abstain == 1


def _differs(verdict: Verdict) -> str:
    """The sentence that the majority says otherwise, with a space behind it, or ""."""
    return f"{REASONS['majority_differs']} " if "majority_differs" in verdict.reasons else ""


def _sentences(report: Report) -> str:
    codes = [c for c in report.verdict.reasons if c != "several_people"]
    return " ".join(reason(c) for c in codes) or say("No reason was given.")
