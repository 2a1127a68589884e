"""Every sentence about a result, in one table: reasons, the headline, known error rates, limits.

Words, not percentages: outside the data a model was measured on, its score is no probability of being fake.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from typing import Literal, cast

from tbd_app.known import KnownPerformance, Measured
from tbd_app.types import ModelScore, Person, Reason, Report, Verdict

Band = Literal["none", "weak", "clear", "strong"]

REASONS: dict[Reason, str] = {
    "no_face": "No face was found.",
    "no_verified_face": "What looked like a face was not confirmed by the second pass of the face detector.",
    "face_too_small": "The face is too small to judge.",
    "too_brief": "The face is on screen too briefly to judge.",
    "no_model_installed": "None of the chosen models is installed.",
    "too_few_voters": "Too few models could judge for a verdict.",
    "single_voter": "Only one model votes, so there is no second opinion.",
    "tie": "As many models voted fake as voted real.",
    "models_disagree": "The models disagree.",
    "combined": (
        "The models' scores are weighed together as measured best on validation media; the majority of votes does "
        "not decide."
    ),
    "majority_differs": "By the majority of votes the answer would be another.",
    "between_thresholds": "The score lies between the bounds for real and for fake.",
    "unstable": (
        "The answer turns into its opposite when the same face is compressed again, made smaller, mirrored or shifted a "
        "little, so none is given."
    ),
    "weights_missing": "The model's weights are not installed.",
    "weights_corrupt": "The model's weights are damaged, or not the ones that are listed.",
    "out_of_memory": "The model needs more memory than there is.",
    "not_finite": "The model gave no usable number.",
    "model_failed": "A model failed while it ran.",
    "blind_to_swap": "Swapped faces go unseen by the models that vote here, as measured on validation media.",
    "blind_to_lipsync": (
        "Mouths redrawn to fit other speech go unseen by the models that vote here, as measured on validation media."
    ),
    "blind_to_reenact": (
        "Faces driven by another person's movements go unseen by the models that vote here, as measured on "
        "validation media."
    ),
    "blind_to_talking": (
        "Talking heads made of a picture and a voice go unseen by the models that vote here, as measured on "
        "validation media."
    ),
    "blind_to_t2v": (
        "Videos generated whole from words or a picture go unseen by the models that vote here, as measured on "
        "validation media."
    ),
    "blind_to_edit": (
        "Edited faces (age, light, expression, style) go unseen by the models that vote here, as measured on "
        "validation media."
    ),
    "blind_to_still": (
        "Generated portraits go unseen by the models that vote here, as measured on validation media."
    ),
    "blind_to_blending": (
        "Swapped faces and redrawn mouths go unseen by the models that vote here, as measured on validation media."
    ),
    "blind_to_synthesis": (
        "Heads that are generated whole go unseen by the models that vote here, as measured on validation media."
    ),
    "several_people": "Several people are in the picture; each has a verdict of their own.",
}
LABELS: dict[str, str] = {
    "fake": "Suspicious",
    "real": "No signs found",
    "uncertain": "Cannot tell",
    "not_applicable": "Cannot judge",
}
STATUSES: dict[str, str] = {
    "ok": "ok",
    "not_applicable": "not applicable",
    "not_installed": "not installed",
    "failed": "failed",
}
VOTES: dict[str, str] = {"fake": "fake", "real": "real", "abstain": "abstains"}
BANDS: dict[Band, str] = {
    "none": "no signs",
    "weak": "weak signs",
    "clear": "clear signs",
    "strong": "strong signs",
}
ROLES: dict[str, str] = {"highest": "most suspicious frame", "lowest": "least suspicious frame"}
LIMITS = (
    "This tool looks for swapped, re-enacted or edited faces, and only at faces. It does not hear audio "
    "and does not see fully generated scenes or edits outside a face. Strong compression, down-scaling, "
    "heavy make-up, filters and kinds of manipulation that the models never met make it err in both "
    "directions. A result is a hint for a person who checks further, not proof, and “no signs found” does "
    "not mean that something is real."
)
HEAT_NOTE = (
    "Bright areas show where the model looked, not where something was edited; all maps share one scale."
)
NOT_MEASURED = "not measured"
SHOWN_ONLY = (
    "A vote in brackets does not count: the model was shown, not named, and does not vote by default."
)


def reason(code: str) -> str:
    """The sentence for a reason code; an unknown code is shown as it is."""
    return REASONS.get(cast(Reason, code), f"{code.replace('_', ' ').capitalize()}.")


def person_name(track_id: int) -> str:
    """A to Z, then 27, 28 ..."""
    return chr(ord("A") + track_id) if 0 <= track_id < 26 else str(track_id + 1)


def clock(seconds: float) -> str:
    """0:03, 12:40, 1:02:03; whole seconds, rounded down."""
    minutes, s = divmod(int(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


def moment(time_s: float, kind: str) -> str:
    """Where a frame lies: "0:03" in a video, "frame 7" in a zip (counted from 1), "" in an image."""
    if kind == "video":
        return clock(time_s)
    return f"frame {int(time_s) + 1}" if kind == "frames" else ""


def span(person: Person, kind: str) -> str:
    """When a person is seen: "0:03–0:11", "frames 1–12", or "" in an image."""
    start, end = person.span_s
    if kind == "video":
        return clock(start) if clock(start) == clock(end) else f"{clock(start)}–{clock(end)}"
    if kind == "frames":
        return f"frame {int(start) + 1}" if start == end else f"frames {int(start) + 1}–{int(end) + 1}"
    return ""


def band(verdict: Verdict) -> Band:
    """How strong the signs are, in words; "none" unless the verdict is fake."""
    if verdict.label != "fake" or verdict.fake_prob is None:
        return "none"
    return "weak" if verdict.fake_prob < 0.7 else "clear" if verdict.fake_prob < 0.9 else "strong"


def why(person: Person, report: Report) -> list[str]:
    """What stands behind a person's verdict, as sentences."""
    sentences = [reason(code) for code in person.verdict.reasons]
    if bounds := combined_bounds(person.verdict, report):
        sentences.append(f"Together they score {person.verdict.fake_prob:.2f} ({bounds}).")
    return sentences


def combined_bounds(verdict: Verdict, report: Report) -> str:
    """The bounds of a verdict by the combination: "real below 0.30, fake from 0.60"; "" where the majority gave it."""
    if report.combination is None or "combined" not in verdict.reasons:
        return ""
    return f"real below {report.combination.real_below:.2f}, fake from {report.combination.threshold:.2f}"


def person_caption(person: Person) -> str:
    """A few words under a face: "A: strong signs"."""
    words = (
        BANDS[band(person.verdict)]
        if person.verdict.label in ("fake", "real")
        else LABELS[person.verdict.label]
    )
    return f"{person_name(person.track.track_id)}: {words.lower()}"


def headline(report: Report) -> str:
    """What was found and how sure, in plain words, without a number that could pass for a probability."""
    verdict = report.verdict
    if verdict.label == "not_applicable":
        return f"Cannot judge. {_sentences(report)} This says nothing about whether it is real."
    if verdict.label == "uncertain":
        return f"Cannot tell. {_sentences(report)}".rstrip()
    if verdict.label == "real":
        return _headline_real(report)
    suspects = [p for p in report.people if p.verdict.label == "fake"]
    found = _one_suspect(report, suspects[0]) if len(suspects) == 1 else _many_suspects(report, suspects)
    return f"{found} {_differs(suspects[0].verdict)}Treat as suspicious, not proven."


def _headline_real(report: Report) -> str:
    judged = sum(p.verdict.label == "real" for p in report.people)
    where = f" in any of {judged} people" if judged > 1 else ""
    by = " by the models weighed together" if "combined" in report.verdict.reasons else ""
    by += _dissent(report.verdict, against="fake")
    if _single(report.verdict):
        by = " by the only model that votes"
    blind = " ".join(reason(c) for c in report.verdict.reasons if c.startswith("blind_to_"))
    found = f"No signs of manipulation were found{where}{by}. {_differs(report.verdict)}"
    return f"{found}This does not prove that it is real. {blind}".rstrip()


def _one_suspect(report: Report, person: Person) -> str:
    verdict = person.verdict
    signs = f"{BANDS[band(verdict)]} of manipulation in {_who(person, report)}"
    if _single(verdict):
        return f"The only model that votes found {signs}."
    voters = verdict.fake + verdict.real + verdict.abstain
    if "combined" in verdict.reasons:
        return f"The models, weighed together, found {signs}; {verdict.fake} of {voters} voted fake."
    dissent = _dissent(verdict, against="real").removeprefix("; ")
    tail = f" {dissent.capitalize()}." if dissent else ""
    return f"{verdict.fake} of {voters} models found {signs}.{tail}"


def _many_suspects(report: Report, suspects: list[Person]) -> str:
    parts = [f"{BANDS[band(p.verdict)].split()[0]} in {_who(p, report)}" for p in suspects]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}"
    judged = sum(p.verdict.label != "not_applicable" for p in report.people)
    by = " by the only model that votes" if any(_single(p.verdict) for p in suspects) else ""
    return f"Signs of manipulation were found in {len(suspects)} of {judged} people{by}: {listed}."


def _who(person: Person, report: Report) -> str:
    when = span(person, report.media.kind)
    name = f"person {person_name(person.track.track_id)}"
    return f"{name} ({when})" if when else name


def _single(verdict: Verdict) -> bool:
    return "single_voter" in verdict.reasons or verdict.fake + verdict.real + verdict.abstain == 1


def _differs(verdict: Verdict) -> str:
    """The sentence that the majority says otherwise, with a space behind it, or ""."""
    return f"{REASONS['majority_differs']} " if "majority_differs" in verdict.reasons else ""


def _dissent(verdict: Verdict, *, against: Literal["fake", "real"]) -> str:
    """Votes that went the other way, as "; one disagreed", or ""."""
    count = verdict.fake if against == "fake" else verdict.real
    return "" if count == 0 else f"; {'one' if count == 1 else count} disagreed"


def _sentences(report: Report) -> str:
    codes = [c for c in report.verdict.reasons if c != "several_people"]
    return " ".join(reason(c) for c in codes) or "No reason was given."


def vote(score: ModelScore, voters: Collection[str]) -> str:
    """A model's vote in words, with a note where it does not count; "" where there is none."""
    if score.vote is None:
        return ""
    return VOTES[score.vote] if score.model in voters else f"{VOTES[score.vote]}, not counted"


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


def _share(figure: Measured) -> str:
    return f"{figure.value:.0%} ({figure.low:.0%}–{figure.high:.0%})"


def repeat_command(report: Report) -> str:
    """The command line that gives this report again, on any device; it asks for models in the words that were used."""
    s, name = report.settings, report.media.name
    words = [
        "tbd",
        "analyze",
        f"./{name}" if name.startswith("-") else name,
        "--models",
        ",".join(s["asked"]),
    ]
    words += ["--frames", str(s["n_frames"]), "--face-confidence", str(s["face_confidence"])]
    words += [] if s.get("stability", True) else ["--no-stability"]
    return shlex.join([*words, "--explain" if s["explain"] else "--no-explain"])
