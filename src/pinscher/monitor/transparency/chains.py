"""
Who issued a certificate of a log, as far as signatures prove it.

The log's tree holds the certificate, or the digest of its issuer's key; the chain beside it is a claim. Each further
certificate counts only if it signed the one before it, so that a chain cannot be given a pinned key from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from pinscher.der import CertificateParseError
from pinscher.monitor.findings.history import key_of
from pinscher.monitor.transparency.leaves import EntryKind
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.monitor.transparency.leaves import Entry

_REFUSED = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm)
"""What a certificate of others may raise that cannot be read, or did not sign."""


def issuers_of(entry: Entry, claimed: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the certificates of a claimed chain that are proved to be above an entry, the issuer first."""
    if entry.kind is EntryKind.CERTIFICATE:
        return _climbed(entry.signed, claimed)
    for place, certificate in enumerate(claimed):
        # A precertificate may be signed by a certificate of its own, and is issued by the one above it.
        if key_of(certificate) == entry.issuer_key:
            return (certificate, *_climbed(certificate, claimed[place + 1 :]))
    return ()


def _climbed(certificate: bytes, above: Sequence[bytes]) -> tuple[bytes, ...]:
    proved: list[bytes] = []
    below = certificate
    for issuer in above:
        if not _has_signed(issuer, below):
            break
        proved.append(issuer)
        below = issuer
    return tuple(proved)


def _has_signed(issuer: bytes, certificate: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(certificate).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except _REFUSED:
        return False
    return True


def pins_of(certificate_der: bytes) -> tuple[Pin, ...]:
    """Return a certificate's pins: its key's, and its own."""
    try:
        return Pin.of(certificate_der), Pin.of(certificate_der, kind="certificate")
    except CertificateParseError:
        return ()
