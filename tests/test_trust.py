"""A list of trusted signers is dated, bounded and all certificates, or it is refused with a sentence that names no path."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import pytest

from tbd_app import trust
from tbd_app.errors import BadSetting
from tbd_app.scan.worker import settings_from
from tbd_app.settings import AnalysisSettings
from tests.media.c2pa_factory import trust_list

DATED = "# date: 2026-01-31\n"


def test_without_the_variable_there_is_none(monkeypatch) -> None:
    for value in (None, ""):
        monkeypatch.delenv("TBD_C2PA_TRUST", raising=False)
        if value is not None:
            monkeypatch.setenv("TBD_C2PA_TRUST", value)
        assert AnalysisSettings().trust is None


def test_a_list_is_known_by_its_date_its_size_and_its_hash(tmp_path) -> None:
    path = trust_list(tmp_path / "trust.pem", day="2026-02-28")
    path.write_text(
        path.read_text() + trust_list(tmp_path / "b.pem", ours=False).read_text().split("\n", 2)[2]
    )
    read = trust.read(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.named() == {"date": "2026-02-28", "certificates": 2, "sha256": digest}
    assert read.pem.isascii()
    assert read.pem.startswith("-----BEGIN CERTIFICATE-----")


def test_settings_take_it_to_other_processes(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TBD_C2PA_TRUST", str(trust_list(tmp_path / "trust.pem")))
    settings = AnalysisSettings()
    monkeypatch.delenv("TBD_C2PA_TRUST")
    assert settings.trust is not None
    assert settings_from(json.loads(json.dumps(asdict(settings)))) == settings


def certificate(tmp_path) -> str:
    return trust_list(tmp_path / "ours.pem").read_text().split("\n", 2)[2]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda pem: pem, "which day"),
        (lambda pem: "# date: 31.1.2026\n" + pem, "which day"),
        (lambda pem: "# date: 2026-02-31\n" + pem, "which day"),
        (lambda pem: DATED + DATED + pem, "which day"),
        (lambda pem: DATED, "must hold certificates"),
        (
            lambda pem: DATED + pem + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "nothing else",
        ),
        (lambda pem: DATED + pem[:28] + "AAAA" + pem[32:], "no certificate"),
        (lambda pem: DATED + pem + " " * trust.MAX_BYTES, "more than 1 MB"),
    ],
    ids=["no date", "other date", "no such day", "two dates", "empty", "key", "damaged", "large"],
)
def test_another_file_is_refused_at_once(tmp_path, monkeypatch, content, why) -> None:
    path = tmp_path / "trust.pem"
    path.write_text(content(certificate(tmp_path)))
    monkeypatch.setenv("TBD_C2PA_TRUST", str(path))
    with pytest.raises(BadSetting, match=why) as caught:
        AnalysisSettings()
    assert str(tmp_path) not in caught.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    for path in (tmp_path / "none.pem", tmp_path):
        with pytest.raises(BadSetting, match="TBD_C2PA_TRUST names cannot be read") as caught:
            trust.read(path)
        assert str(tmp_path) not in caught.value.message
