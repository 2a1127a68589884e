"""Every sentence about a result, under one name for the views; each kind of sentence has a module of its own.

Words, not percentages: outside the data a model was measured on, its score is no probability of being fake.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection

from tbd_app.languages import Table, say
from tbd_app.report.curves import Zones
from tbd_app.report.headline import ANSWERS as ANSWERS
from tbd_app.report.headline import PRODUCT as PRODUCT
from tbd_app.report.headline import answer_label as answer_label
from tbd_app.report.headline import headline as headline
from tbd_app.report.headline import how_reached as how_reached
from tbd_app.report.headline import opening as opening
from tbd_app.report.headline import person_answer as person_answer
from tbd_app.report.headline import person_caption as person_caption
from tbd_app.report.headline import person_words as person_words
from tbd_app.report.headline import quote as quote
from tbd_app.report.maps import map_in_time as map_in_time
from tbd_app.report.maps import map_named as map_named
from tbd_app.report.maps import map_notes as map_notes
from tbd_app.report.maps import map_scales as map_scales
from tbd_app.report.measured import NOT_MEASURED as NOT_MEASURED
from tbd_app.report.measured import known_auc as known_auc
from tbd_app.report.measured import known_error as known_error
from tbd_app.report.measured import known_vote as known_vote
from tbd_app.report.measured import meaning as meaning
from tbd_app.report.measured import meaning_detail as meaning_detail
from tbd_app.report.names import BANDS as BANDS
from tbd_app.report.names import band as band
from tbd_app.report.names import clock as clock
from tbd_app.report.names import counted as counted
from tbd_app.report.names import length as length
from tbd_app.report.names import moment as moment
from tbd_app.report.names import person_name as person_name
from tbd_app.report.names import span as span
from tbd_app.report.reasons import REASONS as REASONS
from tbd_app.report.reasons import next_step as next_step
from tbd_app.report.reasons import reason as reason
from tbd_app.settings import AnalysisSettings
from tbd_app.types import ModelScore, Person, Report, Verdict

# Of the labels in a report's data; what people read is `answer_label`.
LABELS: dict[str, str] = {
    "fake": "Suspicious",
    "real": "No signs found",
    "uncertain": "Cannot tell",
    "not_applicable": "Cannot judge",
}
STATUSES: Table[str] = Table(
    {
        "ok": "ok",
        "not_applicable": "not applicable",
        "not_installed": "not installed",
        "failed": "failed",
    }
)
VOTES: Table[str] = Table({"fake": "fake", "real": "real", "abstain": "abstains"})
ZONES: Table[str] = Table({"fake": "fake", "between": "between", "real": "real"})
ROLES: Table[str] = Table({"highest": "most suspicious frame", "lowest": "least suspicious frame"})
LIMITS = (
    "This tool looks for swapped, re-enacted, edited or generated faces, and only at faces. It does not hear audio "
    "and does not see generated scenery or edits outside a face. A face that is drawn, masked or covered is not "
    "recognised as such, and a score of one means nothing. Strong compression, down-scaling, heavy make-up, filters "
    "and kinds of manipulation that the models never met make it err in both directions. A result is a hint for a "
    "person who checks further, not proof, and “no signs found” does not mean that something is real."
)
# What goes unseen on one kind of media besides that.
KIND_LIMITS = Table(
    {
        "video": "The sound is not heard, and only the frames that were looked at were judged.",
        "frames": "There is no sound and no clock in a zip of frames; how often this errs was measured on video clips.",
        "image": "A single picture shows no movement, so what only movement betrays goes unseen.",
    }
)
CURVE_NOTE = (
    "The bounds hold for the mean over all frames, not for a single frame: single peaks are common in real video, too. "
    "A gap is a time without the face."
)
SHOWN_ONLY = (
    "A vote in brackets does not count: the model was shown, not named, and does not vote by default."
)


def why(person: Person, report: Report, without: Collection[str] = ()) -> list[str]:
    """What stands behind a person's verdict, as sentences.

    Args:
        without: codes that are said elsewhere.
    """
    sentences = [reason(code, report.media.kind) for code in person.verdict.reasons if code not in without]
    if bounds := combined_bounds(person.verdict, report):
        score = f"{person.verdict.fake_prob:.2f}"
        sentences.append(say("Together they score {score} ({bounds}).", score=score, bounds=bounds))
    return sentences


def limits(kind: str, report: Report | None = None) -> str:
    """What a result on media of this kind does not tell, and what goes unseen by those that judged in a report."""
    codes = report.verdict.reasons if report else ()
    blind = [reason(code, kind) for code in codes if code.startswith("blind_to_")]
    return " ".join([say(LIMITS), KIND_LIMITS[kind], *blind])


def combined_bounds(verdict: Verdict, report: Report) -> str:
    """The bounds of a verdict by the combination: "real below 0.30, fake from 0.60"; "" where the majority gave it."""
    if report.combination is None or "combined" not in verdict.reasons:
        return ""
    return str(Zones(report.combination.real_below, report.combination.threshold))


def vote(score: ModelScore, voters: Collection[str]) -> str:
    """A model's vote in words, with a note where it does not count; "" where there is none."""
    if score.vote is None:
        return ""
    return VOTES[score.vote] if score.model in voters else say("{vote}, not counted", vote=VOTES[score.vote])


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
    for option, setting in (("--min-face-px", "min_face_px"), ("--min-track-share", "min_track_share")):
        usual = AnalysisSettings.__dataclass_fields__[setting].default
        words += [option, str(s[setting])] if s.get(setting, usual) != usual else []
    words += ["--stability"] if s.get("stability") else []
    words += ["--attention"] if s.get("attention") else []
    return shlex.join([*words, "--explain" if s["explain"] else "--no-explain"])
