"""Files with C2PA manifests, signed by a certificate that is made on the spot, and lists of trusted signers with its root."""

from __future__ import annotations

import datetime
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SIGNER = "Signer of the tests"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
MADE = {"action": "c2pa.created", "digitalSourceType": CAPTURED}
EDITED = [MADE, {"action": "c2pa.color_adjustments"}]


@cache
def signer() -> tuple[str, bytes]:
    """A chain of two certificates and the key of the first, PEM."""
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root of the tests")])
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, SIGNER),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, SIGNER),
        ]
    )

    def certificate(subject: x509.Name, of: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        unused = (
            "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
        )
        usage = dict.fromkeys(unused.split(), False)
        made = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(root_name).public_key(of.public_key())
        )
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now)
        made = made.not_valid_after(now + datetime.timedelta(days=30))
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        made = made.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage), critical=True
        )
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        made = made.add_extension(issuer, critical=False)
        if not ca:
            made = made.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        return made.sign(root_key, hashes.SHA256())

    chain = [certificate(name, key, ca=False), certificate(root_name, root_key, ca=True)]
    pem = "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in chain)
    form = serialization.PrivateFormat.PKCS8
    return pem, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def trust_list(path: Path, *, ours: bool = True, day: str = "2026-01-31") -> Path:
    """Write a list of trusted signers with one certificate.

    Args:
        ours: of the root of the signer of these files, else of another one with the same name.
        day: that the list is of.
    """
    chain, _ = signer() if ours else signer.__wrapped__()
    root = chain[chain.rindex("-----BEGIN") :]
    path.write_text(f"Some words – of whoever made it.\n# date: {day}\n{root}", encoding="utf-8")
    return path


def signed(
    path: Path,
    mime: str,
    *,
    actions: list[dict[str, Any]] | None = None,
    program: str = "Camera of the tests",
    remote: str | None = None,
) -> Path:
    """Sign a file in place.

    Args:
        actions: what was done to it, by default that it was made.
        remote: put the manifest at this address, and nothing but the address into the file.
    """
    import c2pa

    chain, key = signer()
    manifest = {
        "claim_generator_info": [{"name": program, "version": "1.0"}],
        "title": path.name,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": actions or [MADE]}}],
    }
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain.encode(), key, None)
    with c2pa.Signer.from_info(info) as by, c2pa.Builder(json.dumps(manifest)) as builder:
        if remote is not None:
            builder.set_no_embed()
            builder.set_remote_url(remote)
        out = io.BytesIO()
        builder.sign(by, mime, io.BytesIO(path.read_bytes()), out)
    path.write_bytes(out.getvalue())
    return path
