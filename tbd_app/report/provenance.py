"""What a file says of its own origin, as sentences: the one place for the page, the HTML report and the command line."""

from __future__ import annotations

from typing import Any

from tbd_app.languages import Table, say
from tbd_app.types import ManifestState, OriginHint, Report

TITLE = "What the file says of its origin"
STATES: Table[ManifestState] = Table(
    {
        "absent": "No signed statement of origin (C2PA) is in the file.",
        "intact": "A signed statement of origin (C2PA) is in the file, and the file is as it was when it was signed.",
        "broken": "A signed statement of origin (C2PA) is in the file, but it does not hold: one of them was changed "
        "since, or the signature is not valid.",
        "elsewhere": "The file's statement of origin (C2PA) lies on the internet, where nothing is fetched from here.",
        "not_read": "The file's statement of origin (C2PA) cannot be read.",
        "not_installed": "Signed statements of origin (C2PA) are not read here: the package c2pa-python is not installed.",
    }
)
SIGNED: Table[str] = Table(
    {
        "signer": "Signed by “{value}”.",
        "signed_at": "Signed at “{value}”.",
        "program": "Made with “{value}”.",
    }
)
UNKNOWN_SIGNER = "Who the signer is was not checked: no list of trusted signers is used here."
LISTED = (
    "The signer is on the list of trusted signers that is used here, of {date}. This vouches for the name, and not for "
    "what is shown."
)
UNLISTED = "The signer is not on the list of trusted signers that is used here, of {date}: nobody vouches for the name."
UNCLEAR_SIGNER = "Nobody vouches for the signer's name: the signature is not valid."
SAID_TO_BE_GENERATED = "It says that a generator made the media, whole or in part."
HINTS: Table[OriginHint] = Table(
    {
        "editor_named": "It names a program for editing.",
        "encoded_by_a_program": "It was encoded by a program and not by a camera, as most files from the internet are.",
        "edit_history": "It carries a history of editing steps.",
        "generator_named": "It carries settings of a picture generator.",
        "said_to_be_generated": "Its metadata say that a generator made it.",
    }
)
FIELDS: Table[str] = Table(
    {
        "make": "camera make",
        "model": "camera model",
        "software": "program",
        "encoder": "encoder",
        "created": "created",
    }
)
LIMITS = (
    "None of this weighs on the result: anybody can write or remove it, most real files carry none of it, and its absence "
    "means nothing."
)


def title() -> str:
    """The heading over `lines`."""
    return say(TITLE)


def lines(report: Report) -> list[str]:
    """Sentences on the origin, plain text that is not escaped; none where nothing was read."""
    said = report.provenance
    if said is None:
        return []
    found = [_manifest(said["manifest"])]
    if fields := [
        say("{field} “{value}”", field=words, value=said["metadata"][name])
        for name, words in FIELDS.items()
        if said["metadata"][name]
    ]:
        found.append(say("Its metadata say: {fields}.", fields=say(", ").join(fields)))
    return [*found, *(HINTS[hint] for hint in said["hints"]), say(LIMITS)]


def _manifest(manifest: dict[str, Any]) -> str:
    parts = [STATES[manifest["state"]]]
    parts += [
        SIGNED.said(key, value=manifest[key]) for key in ("signer", "signed_at", "program") if manifest[key]
    ]
    if manifest["actions"]:
        parts.append(say("Steps: {steps}.", steps=", ".join(_step(a) for a in manifest["actions"])))
    if manifest["said_to_be_generated"]:
        parts.append(say(SAID_TO_BE_GENERATED))
    if manifest["problems"]:
        parts.append(say("Found wrong: {problems}.", problems=", ".join(manifest["problems"])))
    if manifest["state"] in ("intact", "broken"):
        parts.append(_signer(manifest["trust_list"]))
    return " ".join(parts)


def _signer(trust_list: dict[str, Any] | None) -> str:
    if trust_list is None:
        return say(UNKNOWN_SIGNER)
    if trust_list["signer_listed"] is None:
        return say(UNCLEAR_SIGNER)
    if trust_list["signer_listed"]:
        return say(LISTED, date=trust_list["date"])
    return say(UNLISTED, date=trust_list["date"])


def _step(action: str) -> str:
    """c2pa.color_adjustments as "color adjustments"."""
    return action.removeprefix("c2pa.").replace("_", " ")
