"""
Fuzz the certificate reader.

Invariant: any bytes are either refused with CertificateParseError, or their key is a slice of them that an independent
parser cuts out too, and any bytes have a summary in bounded printable ASCII.
"""

from __future__ import annotations

import base64

from runner import run

from pinscher.der import CertificateParseError, SubjectPublicKeyInfo, certificate_summary

try:
    from asn1crypto import x509 as independent
except ImportError:  # the invariant's second half then rests on the tests
    independent = None

SEEDS = tuple(
    map(
        base64.b64decode,
        (
            # P-256 with a compressed point and both unique identifiers; Ed25519 of version 1; a key of no known kind.
            "MIHPMIGCoAMCAQICAQEwBQYDK2VwMAAwHhcNMjUwMTAxMDAwMDAwWhcNMzUwMTAxMDAwMDAwWjAMMQowCAYDVQQDDAFhMDkwEwYH"
            "KoZIzj0CAQYIKoZIzj0DAQcDIgACukyd0rFXHRsw95aWIqDCHOWe8KXkVpLvMlqUEyBkmx6BAgBpggIAczAFBgMrZXADQQBzc3Nz"
            "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz",
            "MIGyMGYCAQEwBQYDK2VwMAwxCjAIBgNVBAMUAfwwHhcNMjUwMTAxMDAwMDAwWhcNMzUwMTAxMDAwMDAwWjAAMCowBQYDK2VwAyEA"
            "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbgwBQYDK2VwA0EAc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz"
            "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzcw==",
            "MIHeMIGRoAMCAQICAQEwBQYDK2VwMAAwHhcNMjUwMTAxMDAwMDAwWhcNMzUwMTAxMDAwMDAwWjAZMQowCAYDVQQKDAFiMQswCQYD"
            "VQQDHgIAYzA0MB0GCysGAQQBho0fui0BBA5pdHMgcGFyYW1ldGVycwMTAGEga2V5IG9mIG5leHQgeWVhcqMNMAswCQYDVR0TBAIw"
            "ADAFBgMrZXADQQBzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz",
        ),
    )
)


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*."""
    summary = certificate_summary(data)
    for text in (summary.subject, summary.issuer, summary.serial):
        assert text.isascii(), text
        assert text.isprintable(), text
        assert len(text) <= 200, text
    try:
        key = SubjectPublicKeyInfo.of_certificate(data).der
    except CertificateParseError:
        return
    assert key in data
    assert SubjectPublicKeyInfo(key).der == key
    other = _cut_out(data)
    assert other is None or other == key, (key, other)


def _cut_out(data: bytes) -> bytes | None:
    if independent is None:
        return None
    try:
        found: bytes = independent.Certificate.load(data, strict=True)["tbs_certificate"][
            "subject_public_key_info"
        ].dump()
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, IndexError):
        return None
    return found


if __name__ == "__main__":
    run(fuzz, SEEDS)
