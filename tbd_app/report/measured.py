"""What was measured of models and of the vote, in sentences: counts first, intervals as a second line."""

from __future__ import annotations

from tbd_app.answer import Answer, of_report
from tbd_app.known import KnownPerformance, Measured
from tbd_app.report.names import counted
from tbd_app.report.reasons import media_word
from tbd_app.types import Report

NOT_MEASURED = "not measured"


def known_error(known: KnownPerformance | None) -> str:
    """How often real media are wrongly called fake, as measured on media of this kind; "not measured" without a figure."""
    if known is None or known.flagged_real is None:
        return NOT_MEASURED
    return f"wrongly flags {_share(known.flagged_real)} of {known.n_real} real items ({known.data})"


def known_auc(known: KnownPerformance | None) -> str:
    """Area under the ROC curve: "0.91 (0.86–0.95), val clips", or "not measured"."""
    if known is None or known.auc is None:
        return NOT_MEASURED
    auc = known.auc
    return f"{auc.value:.2f} ({auc.low:.2f}–{auc.high:.2f}), {known.data}"


def known_vote(report: Report) -> str:
    """What several voters together were measured to do, as a sentence; "" where one votes or nobody measured it."""
    if report.known is None or len(report.verdict.voters) < 2:
        return ""
    return f"Known error rate of the vote: {known_error(report.known)}"


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
    who, media = (
        "the model that judged" if len(names) == 1 else "the models that judged",
        media_word(report.media.kind),
    )
    known = measured_of(report)
    said = _counts(of_report(report), known.counts(), who, media) if known else ""
    if said:
        return f"In our test {said}."
    return f"How often {who} {'is' if len(names) == 1 else 'are together'} right on {media} was not measured."


def _counts(answer: Answer, counts: dict[str, tuple[int, int]], who: str, media: str) -> str:
    fakes, reals = f"fake {media}", f"real {media}"
    found, missed, flagged = (counts.get(k) for k in ("found_fake", "called_real_fake", "flagged_real"))
    alarm = f"{flagged[0]} of {flagged[1]} {reals}" if flagged else ""
    if answer == "suspicious":
        return f"{who} called {alarm} fake, too" if alarm else ""
    if not found or not missed:
        return ""
    if answer == "no_signs":
        open_ones = found[1] - found[0] - missed[0]
        tail = f"; on {counted(open_ones, 'other')} {_it(who)} gave no clear answer" if open_ones > 0 else ""
        return f"{who} found {found[0]} of {found[1]} {fakes} and called {missed[0]} of {missed[1]} unmanipulated{tail}"
    return f"{who} found {found[0]} of {found[1]} {fakes}" + (
        f" and called {alarm} fake, too" if alarm else ""
    )


def meaning_detail(report: Report) -> str:
    """The intervals behind `meaning`, for a tooltip or small print; "" where it has no figure."""
    known = measured_of(report)
    if known is None or not judges(report):
        return ""
    figures = {
        "fakes found": known.found_fake,
        "fakes called unmanipulated": known.called_real_fake,
        "real ones called fake": known.flagged_real,
    }
    parts = [f"{name} {_share(figure)}" for name, figure in figures.items() if figure]
    other = (
        " Frames of a zip were not measured; these are figures of clips."
        if report.media.kind == "frames"
        else ""
    )
    return f"With 95 % intervals: {', '.join(parts)}; {known.data}.{other}" if parts else ""


def _it(who: str) -> str:
    return "it" if who == "the model that judged" else "they"


def _share(figure: Measured) -> str:
    return f"{figure.value:.0%} ({figure.low:.0%}–{figure.high:.0%})"
