"""
Who signed whom: the certificates that are known, joined where a signature verifies.

Two certificates of one name and key are two nodes here: a cross-sign and a reissued root differ in what is above them,
in their dates and in their constraints. A signature is verified once, however many paths lead over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from pinscher.rotation.survival.certificate import Certificate

MOST_CERTIFICATES = 20_000
MOST_SIGNATURES = 100_000
"""Signatures verified for one graph; an honest one of a thousand certificates needs a few thousand."""


class GraphTooLargeError(PinningError):
    """More certificates or signatures than are looked at."""


class Graph:
    """Certificates, each once, known by their numbers; the order is that in which they were given."""

    def __init__(self, certificates: Iterable[Certificate], *, most_signatures: int = MOST_SIGNATURES) -> None:
        self.certificates = tuple(dict.fromkeys(certificates))
        if len(self.certificates) > MOST_CERTIFICATES:
            raise GraphTooLargeError(f"more than {MOST_CERTIFICATES} certificates, found {len(self.certificates)}")
        self._numbers = {one: number for number, one in enumerate(self.certificates)}
        self._by_subject: dict[Hashable, list[int]] = {}
        for number, one in enumerate(self.certificates):
            self._by_subject.setdefault(one.subject, []).append(number)
        holders: dict[tuple[Hashable, bytes], int] = {}
        self.holders = tuple(holders.setdefault((one.subject, one.key), len(holders)) for one in self.certificates)
        """For each certificate a number that those of the same name and key share."""
        self._issuers: dict[int, tuple[int, ...]] = {}
        self._most_signatures = most_signatures
        self._verified = 0

    def number(self, certificate: Certificate) -> int:
        """Return the number of a certificate of this graph; raise ``KeyError`` for any other."""
        return self._numbers[certificate]

    def issuers(self, number: int) -> tuple[int, ...]:
        """Return the certificates whose key verifies the signature on this one, itself among them if it does."""
        found = self._issuers.get(number)
        if found is None:
            found = self._issuers[number] = tuple(self._signers(self.certificates[number]))
        return found

    def _signers(self, certificate: Certificate) -> Iterable[int]:
        verified: dict[bytes, bool] = {}
        for number in self._by_subject.get(certificate.issuer, ()):
            issuer = self.certificates[number]
            if issuer.key not in verified:
                self._verified += 1
                if self._verified > self._most_signatures:
                    raise GraphTooLargeError(f"more than {self._most_signatures} signatures would have to be verified")
                verified[issuer.key] = is_signed_by(certificate, issuer)
            if verified[issuer.key]:
                yield number


def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Tell whether a certificate's signature verifies with the key of an issuer whose name it has been matched to."""
    try:
        if certificate.parsed.issuer == issuer.parsed.subject:
            certificate.parsed.verify_directly_issued_by(issuer.parsed)
        else:
            _verify(certificate, issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _verify(certificate: Certificate, issuer: Certificate) -> None:
    """Verify a signature across two spellings of a name, which OpenSSL takes for one."""
    key, parsed = issuer.parsed.public_key(), certificate.parsed
    signature, signed, parameters = (
        parsed.signature,
        parsed.tbs_certificate_bytes,
        parsed.signature_algorithm_parameters,
    )
    if isinstance(key, rsa.RSAPublicKey) and parsed.signature_hash_algorithm is not None:
        key.verify(signature, signed, parameters, parsed.signature_hash_algorithm)  # type: ignore[arg-type]
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
        key.verify(signature, signed, parameters)
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, signed)
    else:
        raise UnsupportedAlgorithm("a key that signs no certificates")
