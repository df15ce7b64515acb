"""
Paths that were validated, on a probe's connection or from files, as the type that pins are matched against.

Rules of this file:

1. A :class:`~pinscher.chain.ValidatedChain` is made only from a connection whose context verified both the chain and
   the name, and only from the certificates that OpenSSL's own verification used.
2. With verification off CPython still returns a "verified" chain; it is built by name and proves nothing. Such a
   connection is refused here.
3. The path begins with the leaf that this very connection authenticated.
4. A path that some client could build is made without a connection, so that a policy can be asked about it beforehand.
   No connection is ever judged by one.
5. A path of certificates from files is one that the X.509 verifier of ``cryptography`` (the rules of the Web PKI)
   validated for the host and the moment, to the one root and by the intermediates of this path and no others.

This proves that a path to a trusted root existed at this moment from this machine. It does not prove that another
machine, with other roots, builds the same path.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import verification

from pinscher.chain import ValidatedChain
from pinscher.errors import PinningError, escaped
from pinscher.host import is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime


class UnverifiedPathError(PinningError):
    """Certificates that no verification stands behind, offered as a validated path; ``reason`` says what is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this is not a validated path: {reason}")
        self.reason = reason


def validated_path(connection: ssl.SSLSocket | ssl.SSLObject, verified: Sequence[bytes]) -> ValidatedChain:
    """Return the path that *connection* was verified by; raise :class:`UnverifiedPathError` when it was not."""
    context = connection.context
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise UnverifiedPathError("the connection verified no chain, no host name, or neither")
    if connection.session_reused:
        raise UnverifiedPathError("the connection resumed a session, and verified nothing itself")
    if not verified:
        raise UnverifiedPathError("it is empty")
    if verified[0] != connection.getpeercert(binary_form=True):
        raise UnverifiedPathError("it does not begin with the leaf that the server proved to hold")
    return ValidatedChain(tuple(verified))


def verified_path(path: Sequence[x509.Certificate], *, host: str, at: datetime) -> ValidatedChain:
    """
    Return a path from the leaf to a trusted root, validated for a canonical *host* at *at* (rule 5).

    Raises :class:`UnverifiedPathError` when the verifier refuses it. That the root is trusted is the caller's claim.
    """
    leaf, *intermediates = path[:-1]
    builder = verification.PolicyBuilder().store(verification.Store([path[-1]])).time(at)
    try:
        subject = x509.IPAddress(ip_address(host)) if is_ip_literal(host) else x509.DNSName(host)
        verified = builder.build_server_verifier(subject).verify(leaf, intermediates)
    except (verification.VerificationError, ValueError) as error:
        raise UnverifiedPathError(escaped(str(error))) from None
    if verified != list(path):
        raise UnverifiedPathError("the verifier took a shorter way to the root")
    return ValidatedChain(tuple(certificate.public_bytes(Encoding.DER) for certificate in verified))


def conceivable_path(certificates: Iterable[bytes]) -> ValidatedChain:
    """
    Return a path that was built and verified from known certificates, leaf first and trust anchor last (rule 4).

    The caller has verified its signatures, dates and constraints. It proves nothing about any server: nobody showed
    that it holds the leaf's key.
    """
    return ValidatedChain(certificates)
