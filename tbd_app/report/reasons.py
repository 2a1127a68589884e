"""Why a verdict is what it is, and what to do next: a sentence for every code."""

from __future__ import annotations

from typing import cast

from tbd_app.answer import Answer, of_report
from tbd_app.known import MEASURED_AS, Family
from tbd_app.languages import Table, say
from tbd_app.types import Reason, Report

REASONS: Table[Reason] = Table(
    {
        "no_face": "No face was found.",
        "no_verified_face": "What looked like a face was not confirmed by the second pass of the face detector.",
        "face_too_small": "The face is too small to judge.",
        "too_brief": "The face is on screen too briefly to judge.",
        "face_turned": "The face lies on its side or upside down.",
        "too_dark": "The face is too dark to judge.",
        "too_blurred": "The face is too blurred to judge.",
        "side_view": "The face is seen only from the side.",
        "no_model_installed": "None of the chosen models is installed.",
        "too_few_voters": "Too few models could judge for a verdict.",
        "single_voter": "Only one model votes, so there is no second opinion.",
        "tie": "As many models voted fake as voted real.",
        "models_disagree": "The models disagree.",
        "combined": (
            "The models' scores are combined by how rare each is among real media; the majority of votes does not decide."
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
)
MEDIA_WORD = Table({"video": "clips", "image": "pictures"})
# What a family of fakes is called in a sentence.
FAMILIES: Table[Family] = Table(
    {
        "swap": "swapped faces",
        "lipsync": "redrawn mouths",
        "reenact": "faces driven by another person's movements",
        "talking": "talking heads made of a picture and a voice",
        "t2v": "videos generated whole",
        "edit": "edited faces",
        "still": "generated portraits",
        "blending": "swapped faces and redrawn mouths",
        "synthesis": "generated heads",
    }
)
# The one thing to do next, by what stands in the way, then by answer.
_STEP_OF_REASON: Table[str] = Table(
    {
        "no_face": "Choose an excerpt or a picture that shows a face from the front; a covered one is often not found.",
        "no_verified_face": "Choose an excerpt or a picture that shows a face larger and from the front.",
        "face_turned": "Turn the file upright, in any picture or video program, and try again.",
        "face_too_small": "Use a copy of higher resolution, in which the face is larger; enlarging this one does not help.",
        "too_brief": "Cut out the part that shows this face and try that alone.",
        "too_dark": "Use a brighter shot of the same scene; brightening this one does not help.",
        "too_blurred": "Use a sharper copy, best the original file; sharpening this one does not help.",
        "side_view": "Choose an excerpt or a picture that shows the face from the front.",
        "unstable": "Ask for the original file, or an earlier copy: this one's answer hangs on how it was saved.",
        "no_model_installed": "Install a model: `tbd models --all` says how.",
        "too_few_voters": "Install the models that are missing: `tbd models --all` says how.",
        "model_failed": "Run it again; `tbd doctor` checks this installation.",
    }
)
_STEP_OF_ANSWER: Table[Answer] = Table(
    {
        "suspicious": (
            "Save the key frames and search for them with an image search: an earlier version of the same shot would show "
            "what was changed."
        ),
        "disagree": (
            "Ask whoever published it for the original file, before any platform compressed it again, and check that."
        ),
        "cannot_tell": "Ask for the original file, or try a longer or sharper excerpt.",
        "no_signs": "Find the source: who filmed this, when and where, and who else shows it?",
        "cannot_judge": "Choose an excerpt or a picture that shows a face larger and from the front.",
    }
)


def reason(code: str, kind: str | None = None) -> str:
    """The sentence for a reason code; an unknown code is shown as it is.

    Args:
        kind: of the media, where the sentence is to name those that were measured.
    """
    sentence = REASONS.get(cast(Reason, code), f"{code.replace('_', ' ').capitalize()}.")
    return sentence.replace("validation media", f"validation {media_word(kind)}") if kind else sentence


def media_word(kind: str) -> str:
    """What measured media of this kind are called: "clips" or "pictures"."""
    return MEDIA_WORD[MEASURED_AS[kind]]


def next_step(report: Report) -> str:
    """The one thing that a person should do next, as a sentence."""
    by_reason = (_STEP_OF_REASON[code] for code in report.verdict.reasons if code in _STEP_OF_REASON)
    answer = of_report(report)
    if answer in ("cannot_judge", "cannot_tell") and (step := next(by_reason, "")):
        return step
    return _STEP_OF_ANSWER[answer]


def listed(words: list[str], *, any_of: bool = False) -> str:
    """Words as a list in a sentence: "a", "a and b", "a, b and c"; with "or" for `any_of`."""
    if len(words) < 2:
        return "".join(words)
    first, last = say(", ").join(words[:-1]), words[-1]
    if any_of:
        return say("{first} or {last}", first=first, last=last)
    return say("{first} and {last}", first=first, last=last)
