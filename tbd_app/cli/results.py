"""How the terminal shows reports: one in full, several as a table; what holds for all of them is said once, below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import get_args

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tbd_app.answer import Answer, of_report
from tbd_app.errors import TBDError
from tbd_app.languages import say, say_n, translated
from tbd_app.names import shown
from tbd_app.report import palette, provenance, quality, stability, texts
from tbd_app.types import ModelScore, Person, Report

Result = tuple[Path, Report | TBDError]
# "No signs" has no colour: it is no clearance.
STYLES: dict[Answer, str] = {
    "suspicious": "bold red",
    "disagree": "bold yellow",
    "cannot_tell": "yellow",
    "no_signs": "bold",
    "cannot_judge": "yellow",
}
# Reasons that are said once for all files or people, not in every row.
_SAID_ONCE = ("combined", "single_voter", "several_people", "models_disagree")


def table(*titles: str) -> Table:
    """An empty table in the look of this command line; fill it with `add`."""
    made = Table(*titles, box=SIMPLE_HEAD, pad_edge=False)
    for title, column in zip(titles, made.columns, strict=True):
        column.overflow = "fold"  # nothing is cut off, however narrow the terminal
        column.no_wrap = title in (say("Model"), "Preset")
        column.min_width = _longest_word(title)
    return made


def add(made: Table, *cells: str) -> None:
    """A row, in which only a file's name may be broken inside a word."""
    made.add_row(*cells)
    for column, cell in zip(made.columns, cells, strict=True):
        if column.header != say("File"):
            column.min_width = max(column.min_width or 0, _longest_word(Text.from_markup(cell).plain))


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def full(report: Report) -> Iterator[str | Table]:
    """One report: the answer, what it means, what to do, and every score; lines in rich's markup."""
    answer = of_report(report)
    first, *rest = texts.opening(report)
    yield f"[{STYLES[answer]}]{palette.ICONS[answer]} {texts.ANSWERS[answer]}.[/] {escape(first)}"
    yield from map(escape, rest)
    if detail := texts.meaning_detail(report):
        yield f"[dim]{escape(detail)}[/]"
    yield f"{say('Next:')} {escape(texts.next_step(report))}"
    yield from (f"[yellow]{escape(translated(warning))}[/]" for warning in report.warnings)
    if report.people:
        yield _people(report)
        if any(s.vote and s.model not in p.verdict.voters for p in report.people for s in p.scores):
            yield say(texts.SHOWN_ONLY)
    yield from map(escape, _below(report))


def _named(person: Person) -> str:
    return say("Person {name}", name=texts.person_name(person.track.track_id))


def _below(report: Report) -> Iterator[str]:
    """What stands behind the table, each sentence once."""
    if how := texts.how_reached(report):
        yield how
    for person in report.people:
        own = texts.why(person, report, without=_SAID_ONCE)
        if person.scores:
            own += quality.remarked(person, report.media)
        if own:
            yield f"{_named(person)}: {' '.join(own)}"
    for person in report.people:
        if sentence := stability.sentence(person, report):
            yield f"{_named(person)}: {sentence}"
    lacking = {s.model: s.how_to_get for p in report.people for s in p.scores if s.how_to_get}
    yield from (f"{name}: {sentence}" for name, sentence in lacking.items())
    for name in dict.fromkeys(s.model for p in report.people for s in p.scores if s.status == "ok"):
        error = texts.known_error(report.model(name).known)
        yield say("Known error rate of {model}: {error}", model=name, error=error)
    if vote := texts.known_vote(report):
        yield vote
    if origin := provenance.lines(report):
        yield f"{provenance.title()}: {' '.join(origin)}"


def summary(done: Sequence[Result]) -> Iterator[str | Table]:
    """Several inputs: a row for each, how many had which answer, and once what each answer means."""
    rows = table(say("File"), say("Answer"), say("Score"), say("Votes fake"), say("Why"))
    for path, result in done:
        if isinstance(result, TBDError):
            add(
                rows,
                escape(shown(path.name)),
                f"[red]{say('Refused')}[/]",
                "",
                "",
                escape(translated(result.message)),
            )
            continue
        verdict, answer = result.verdict, of_report(result)
        voters = verdict.fake + verdict.real + verdict.abstain
        label = f"[{STYLES[answer]}]{texts.ANSWERS[answer]}[/]"
        votes = say("{n} of {all}", n=verdict.fake, all=voters) if voters else ""
        add(rows, escape(shown(path.name)), label, _number(verdict.fake_prob), votes, escape(_why(result)))
    yield rows
    yield escape(_tally(done))
    reports = [result for _, result in done if isinstance(result, Report)]
    yield from map(escape, dict.fromkeys(line for report in reports for line in _meant(report)))
    yield from map(escape, dict.fromkeys(line for report in reports for line in _reached(report)))


def _tally(done: Sequence[Result]) -> str:
    """The files of a batch, counted: "4 files: 1 suspicious, 2 no signs found, 1 refused"."""
    answers = Counter(of_report(result) for _, result in done if isinstance(result, Report))
    parts = [f"{answers[a]} {texts.ANSWERS[a].lower()}" for a in get_args(Answer) if answers[a]]
    if refused := len(done) - answers.total():
        parts.append(say_n("{n} refused", "{n} refused", refused))
    return f"{texts.counted(len(done), 'file')}: {', '.join(parts)}."


def _meant(report: Report) -> Iterator[str]:
    if meaning := texts.meaning(report):
        yield f"{texts.answer_label(report)}: {meaning}"


def _reached(report: Report) -> Iterator[str]:
    """How the file came to its score, and what goes unseen."""
    kind, codes = report.media.kind, report.verdict.reasons
    if bounds := texts.combined_bounds(report.verdict, report):
        yield f"{texts.reason('combined', kind)} {say('Of this kind of media: {bounds}.', bounds=bounds)}"
    elif "single_voter" in codes:
        yield texts.reason("single_voter")
    yield from (texts.reason(code, kind) for code in codes if code.startswith("blind_to_"))


def _why(report: Report) -> str:
    suspects = [texts.person_caption(p, report) for p in report.people if p.verdict.label == "fake"]
    own = [c for c in report.verdict.reasons if c not in _SAID_ONCE and not c.startswith("blind_to_")]
    return "; ".join(suspects) or " ".join(texts.reason(code) for code in own)


def _people(report: Report) -> Table:
    titles = ("Person", "Seen", "Model", "Score", "Vote", "Real below", "Fake from")
    rows = table(*map(say, titles))
    for person in report.people:
        for i, row in enumerate(_scores(person)):
            who = (
                (texts.person_caption(person, report), texts.span(person, report.media.kind))
                if i == 0
                else ("", "")
            )
            add(rows, *map(escape, (*who, *row)))
        rows.add_section()
    return rows


def _scores(person: Person) -> list[tuple[str, ...]]:
    if not person.scores:
        return [("", "", " ".join(texts.reason(code) for code in person.verdict.reasons), "", "")]
    return [
        (
            s.model,
            _number(s.fake_prob),
            _vote(s, person.verdict.voters),
            _number(s.real_below),
            _number(s.threshold),
        )
        for s in person.scores
    ]


def _vote(score: ModelScore, voters: Collection[str]) -> str:
    """The vote, in brackets where it does not count, or why there is none."""
    if score.vote is None:
        return _absence(score)
    return texts.VOTES[score.vote] if score.model in voters else f"({texts.VOTES[score.vote]})"


def _absence(score: ModelScore) -> str:
    """Why there is no vote; a face that cannot be judged has its reason with the person."""
    status = texts.STATUSES[score.status]
    if score.reason is None or score.status in ("not_installed", "not_applicable"):
        return status
    return f"{status}: {texts.reason(score.reason)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
