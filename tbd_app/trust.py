"""The list of C2PA signers whom an operator trusts, read from a PEM file: `read(path) -> TrustList`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tbd_app.errors import BadSetting

MAX_BYTES = 1_000_000
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_DATE = re.compile(r"^# date: (\d{4}-\d{2}-\d{2})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates of those who vouch for signers.

    Attributes:
        date: of the list, as it says itself, YYYY-MM-DD.
        certificates: how many.
        sha256: of the file.
        pem: the certificates alone.
    """

    date: str
    certificates: int
    sha256: str
    pem: str

    def named(self) -> dict[str, Any]:
        """Which list it is, as a report says it."""
        return {"date": self.date, "certificates": self.certificates, "sha256": self.sha256}


def read(path: Path) -> TrustList:
    """Reads a PEM file with a line `# date: YYYY-MM-DD`.

    Raises:
        BadSetting: it cannot be read, is larger than `MAX_BYTES`, or holds no date or no certificates.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name cannot be one"
        raise _refused(f"cannot be read: {why}") from error
    if len(content) > MAX_BYTES:
        raise _refused(f"has more than {MAX_BYTES / 1e6:g} MB")
    text = content.decode("utf-8", "replace")
    dates = _DATE.findall(text)
    if len(dates) != 1 or not _is_day(dates[0]):
        raise _refused('must say once of which day it is, in a line such as "# date: 2026-01-31"')
    blocks = _CERTIFICATE.findall(text)
    if not blocks or text.count("-----BEGIN") != len(blocks):
        raise _refused("must hold certificates in PEM, and nothing else in PEM")
    pem = "\n".join(blocks) + "\n"
    return TrustList(dates[0], _counted(pem), hashlib.sha256(content).hexdigest(), pem)


def _counted(pem: str) -> int:
    import ssl  # here: nobody else needs it, and few have such a list

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise _refused("holds something that is no certificate") from error
    return context.cert_store_stats()["x509"]


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _refused(why: str) -> BadSetting:
    """An error without the file's path, which visitors of a page are not to learn."""
    return BadSetting(f"The file that TBD_C2PA_TRUST names {why}.")
