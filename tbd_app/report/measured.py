"""What was measured of models and of the vote, in sentences: counts first, intervals as a second line."""

from __future__ import annotations

from tbd_app.answer import Answer, of_report
from tbd_app.known import KnownPerformance, Measured
from tbd_app.languages import say, say_n
from tbd_app.report.names import counted
from tbd_app.report.reasons import media_word
from tbd_app.types import Report

NOT_MEASURED = "not measured"


def known_error(known: KnownPerformance | None) -> str:
    """How often real media are wrongly called fake, as measured on media of this kind; "not measured" without a figure."""
    if known is None or known.flagged_real is None:
        return say(NOT_MEASURED)
    share = _share(known.flagged_real)
    return say(
        "wrongly flags {share} of {n} real items ({data})", share=share, n=known.n_real, data=known.data
    )


def known_auc(known: KnownPerformance | None) -> str:
    """Area under the ROC curve: "0.91 (0.86–0.95), val clips", or "not measured"."""
    if known is None or known.auc is None:
        return say(NOT_MEASURED)
    auc = known.auc
    return f"{auc.value:.2f} ({auc.low:.2f}–{auc.high:.2f}), {known.data}"


def known_vote(report: Report) -> str:
    """What several voters together were measured to do, as a sentence; "" where one votes or nobody measured it."""
    if report.known is None or len(report.verdict.voters) < 2:
        return ""
    return say("Known error rate of the vote: {error}", error=known_error(report.known))


def judges(report: Report) -> list[str]:
    """The voters that judged some person, in the order of the report."""
    judged = {s.model for p in report.people for s in p.scores if s.status == "ok"}
    return [name for name in report.verdict.voters if name in judged]


def measured_of(report: Report) -> KnownPerformance | None:
    """What those that judged were measured to do together on media of this kind; None where nobody measured exactly them."""
    names = judges(report)
    return report.known or (report.model(names[0]).known if len(names) == 1 else None)


def meaning(report: Report) -> str:
    """How much the answer means, by counts of a test; "" where nothing was judged.

    "In our test the models that judged found 9 of 27 fake clips and called 12 of 27 unmanipulated."
    """
    names = judges(report)
    if not names:
        return ""
    media, known = media_word(report.media.kind), measured_of(report)
    said = _counts(of_report(report), known.counts(), len(names), media) if known else ""
    return said or say_n(
        "How often the model that judged is right on {media} was not measured.",
        "How often the models that judged are together right on {media} was not measured.",
        len(names),
        media=media,
    )


def _counts(answer: Answer, counts: dict[str, tuple[int, int]], judges: int, media: str) -> str:
    """Counts as sentences; "" where those that the answer needs are not there."""
    found, missed, flagged = (counts.get(k) for k in ("found_fake", "called_real_fake", "flagged_real"))
    values: dict[str, object] = {"media": media}
    for name, pair in (("found", found), ("missed", missed), ("flagged", flagged)):
        if pair:
            values |= {name: pair[0], f"{name}_of": pair[1]}
    if answer == "suspicious":
        if not flagged:
            return ""
        return say_n(
            "In our test the model that judged called {flagged} of {flagged_of} real {media} fake, too.",
            "In our test the models that judged called {flagged} of {flagged_of} real {media} fake, too.",
            judges,
            **values,
        )
    if not found or not missed:
        return ""
    if answer == "no_signs":
        open_ones = found[1] - found[0] - missed[0]
        tail = _open(open_ones, judges) if open_ones > 0 else ""
        return say_n(
            "In our test the model that judged found {found} of {found_of} fake {media} and called {missed} of "
            "{missed_of} unmanipulated{tail}.",
            "In our test the models that judged found {found} of {found_of} fake {media} and called {missed} of "
            "{missed_of} unmanipulated{tail}.",
            judges,
            **values,
            tail=tail,
        )
    if not flagged:
        return say_n(
            "In our test the model that judged found {found} of {found_of} fake {media}.",
            "In our test the models that judged found {found} of {found_of} fake {media}.",
            judges,
            **values,
        )
    return say_n(
        "In our test the model that judged found {found} of {found_of} fake {media} and called {flagged} of "
        "{flagged_of} real {media} fake, too.",
        "In our test the models that judged found {found} of {found_of} fake {media} and called {flagged} of "
        "{flagged_of} real {media} fake, too.",
        judges,
        **values,
    )


def _open(n: int, judges: int) -> str:
    others = counted(n, "other")
    if judges == 1:
        return say("; on {others} it gave no clear answer", others=others)
    return say("; on {others} they gave no clear answer", others=others)


def meaning_detail(report: Report) -> str:
    """The intervals behind `meaning`, for a tooltip or small print; "" where it has no figure."""
    known = measured_of(report)
    if known is None or not judges(report):
        return ""
    figures = {
        say("fakes found"): known.found_fake,
        say("fakes called unmanipulated"): known.called_real_fake,
        say("real ones called fake"): known.flagged_real,
    }
    parts = [f"{name} {_share(figure)}" for name, figure in figures.items() if figure]
    if not parts:
        return ""
    said = say("With 95 % intervals: {parts}; {data}.", parts=say(", ").join(parts), data=known.data)
    if report.media.kind != "frames":
        return said
    return f"{said} {say('Frames of a zip were not measured; these are figures of clips.')}"


def _share(figure: Measured) -> str:
    return f"{figure.value:.0%} ({figure.low:.0%}–{figure.high:.0%})"
