"""What a file says of its own origin: a signed C2PA manifest, camera and encoder, traces of editing.

It stands beside the detection and never weighs on it: anybody can write such words, or remove them, and most files have
none. Manifests are read by `c2pa-python` where it is installed, without any network. "intact" means that nothing was
changed since somebody signed, not who that was; that is asked only where a list of trusted signers is given.

Source: C2PA Technical Specification 2.x, https://c2pa.org/specifications/.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tbd_app.media import answers, ffmpeg, pillow
from tbd_app.settings import Limits
from tbd_app.types import ManifestState

MIMES = {
    "JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "TIFF": "image/tiff", "GIF": "image/gif",
    "AVIF": "image/avif", "HEIF": "image/heif", "mov": "video/mp4", "avi": "video/avi",
}  # fmt: skip
STATES: dict[str, ManifestState] = {
    "ManifestNotFound": "absent",
    "Remote": "elsewhere",
}  # by c2pa's kind of error
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
EXIF = {"make": 271, "model": 272, "software": 305, "created": 306}
EXIF_IFD, TAKEN = 0x8769, 36867
CONTAINER = {  # by field, the names that containers use
    "make": ("com.apple.quicktime.make", "make", "com.android.manufacturer"),
    "model": ("com.apple.quicktime.model", "model", "com.android.model"),
    "software": ("com.apple.quicktime.software", "software", "com.android.version"),
    "encoder": ("encoder", "encoded_by", "writing_application"),
    "created": ("com.apple.quicktime.creationdate", "creation_time", "date"),
}
EDITORS = (
    "photoshop", "lightroom", "gimp", "affinity", "snapseed", "picsart", "facetune", "faceapp", "capcut", "premiere",
    "after effects", "davinci", "final cut", "imovie", "vegas", "kdenlive", "shotcut", "inshot", "canva",
)  # fmt: skip
MUXERS = ("lavf", "lavc", "handbrake", "x264", "x265")
GENERATOR_KEYS = ("parameters", "prompt", "workflow", "sd-metadata", "invokeai_metadata")


def _said(
    path: str, format_name: str, metadata: dict[str, Any], hints: list[str], trusted: str
) -> dict[str, Any]:
    """`{"manifest", "metadata", "hints"}`, within bounds."""
    software = " ".join(
        str(metadata[name] or "") for name in ("software", "encoder") if name in metadata
    ).lower()
    if any(name in software for name in EDITORS):
        hints.append("editor_named")
    if any(name in software for name in MUXERS):
        hints.append("encoded_by_a_program")
    manifest = _manifest(path, MIMES.get(format_name), trusted)
    fields = {name: answers.clean(metadata.get(name)) for name in answers.METADATA}
    return {"manifest": manifest, "metadata": fields, "hints": sorted(set(hints))}


def of_picture(path: str, plugin: str, limits: Limits, trusted: str) -> dict[str, Any]:
    """What a picture says: `{"manifest", "metadata", "hints"}`; `plugin` is Pillow's, `trusted` as for `readers.Origin`.

    Raises:
        TBDError: it cannot be opened.
    """
    with pillow.opened(Path(path), plugin, limits) as image:
        exif = image.getexif()
        found = {name: exif.get(tag) for name, tag in EXIF.items()}
        found["created"] = exif.get_ifd(EXIF_IFD).get(TAKEN) or found["created"]
        found["software"] = found["software"] or image.info.get("Software")
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        hints = ["generator_named"] if any(key in image.info for key in GENERATOR_KEYS) else []
    xmp = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp
    if b"stEvt:action" in xmp:
        hints.append("edit_history")
    if b"trainedAlgorithmicMedia" in xmp or b"TrainedAlgorithmicMedia" in xmp:
        hints.append("said_to_be_generated")
    return _said(path, plugin, found, hints, trusted)


def of_video(path: str, demuxer: str, limits: Limits, trusted: str) -> dict[str, Any]:
    """What a video says: `{"manifest", "metadata", "hints"}`; `demuxer` is FFmpeg's, `trusted` as for `readers.Origin`.

    Raises:
        TBDError: it cannot be opened.
    """
    with ffmpeg.opened(path, demuxer, limits) as (container, stream):
        said = {k.lower(): v for tags in (stream.metadata, container.metadata) for k, v in tags.items()}
    found = {name: next(filter(None, map(said.get, keys)), None) for name, keys in CONTAINER.items()}
    return _said(path, demuxer, found, [], trusted)


def _manifest(path: str, mime: str | None, trusted: str) -> dict[str, Any]:
    """The active manifest of a file; see `answers.provenance` for its fields."""
    trust_list = {"signer_listed": None} if trusted else None
    try:
        reader = f"c2pa-python {version('c2pa-python')}"
    except PackageNotFoundError:
        return answers.manifest("not_installed", trust_list=trust_list)
    if mime is None:  # no manifest can lie in such a file
        return answers.manifest("absent", reader=reader, trust_list=trust_list)
    import c2pa

    how = OFFLINE | {"trust": {"trust_anchors": trusted}} if trusted else OFFLINE

    try:
        with (
            open(path, "rb") as stream,
            c2pa.Context.from_dict(how) as context,
            c2pa.Reader(mime, stream, context=context) as found,
        ):
            state, store = found.get_validation_state(), json.loads(found.json())
    except Exception as error:  # whatever a parser raises on hostile bytes
        kind = str(error).partition(":")[0] if isinstance(error, c2pa.C2paError) else ""
        return answers.manifest(STATES.get(kind, "not_read"), reader=reader, trust_list=trust_list)
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    signature, actions = active.get("signature_info", {}), _actions(active)
    return answers.manifest(
        "intact" if state in ("Valid", "Trusted") else "broken",
        reader=reader,
        trust_list={"signer_listed": _listed(store)} if trusted else None,
        signer=signature.get("common_name") or signature.get("issuer"),
        signed_at=signature.get("time"),
        program=_program(active),
        actions=[a.get("action") for a in actions],
        generated=any("rainedAlgorithmicMedia" in str(a.get("digitalSourceType")) for a in actions),
        problems=[p.get("code") for p in store.get("validation_status") or () if p.get("code") != UNTRUSTED],
    )


UNTRUSTED = "signingCredential.untrusted"  # said by `trust_list`, and nothing where there is none


def _listed(store: dict[str, Any]) -> bool | None:
    """Whether the signer is trusted; None where the signature does not hold, so that anybody may have put the name there."""
    found = store.get("validation_results", {}).get("activeManifest", {}).get("success", [])
    codes = {status.get("code") for status in found}
    return "signingCredential.trusted" in codes if "claimSignature.validated" in codes else None


def _actions(active: dict[str, Any]) -> list[dict[str, Any]]:
    kept = [a for a in active.get("assertions", []) if str(a.get("label", "")).startswith("c2pa.actions")]
    return [action for a in kept for action in a.get("data", {}).get("actions", [])]


def _program(active: dict[str, Any]) -> str | None:
    first = next(iter(active.get("claim_generator_info") or []), {})
    named = " ".join(str(first[key]) for key in ("name", "version") if first.get(key))
    return named or active.get("claim_generator")
