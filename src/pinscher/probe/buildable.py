"""
Every path that a client could build for a certificate from files: which certificates lead from it to a trusted root.

Rules of this file:

1. A step of a path is a certificate whose subject is the issuer of the one before, and whose key signed it. All the
   certificates handed in are tried, and no key of a name stands twice on one path.
2. A path ends at a trusted root, and at each root that it could end at.
3. A path on which a certificate is outside its dates is none: no client builds it.
4. A path that the verifier refuses for another reason is *doubtful*: it is shown with the reason, and a more lenient
   client may build it.

That a path is not found here does not prove that no client builds it: a client may know intermediates that nobody
handed in.
"""

from __future__ import annotations

import contextlib
import ssl
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pinscher.chain import PresentedChain, ValidatedChain
from pinscher.der import certificate_summary
from pinscher.errors import PinningError
from pinscher.probe.paths import UnverifiedPathError, verified_path
from pinscher.probe.pem import PemError, is_pem, read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pinscher.probe.trust import Trust

MOST_PATHS = 1000
"""Paths that are looked at for one certificate; no authority has as many."""
LONGEST_PATH = 10
"""Certificates on one path; OpenSSL and the Web PKI's verifiers stop earlier or there."""


class TooManyPathsError(PinningError):
    """Certificates that lead to more paths than are looked at."""

    def __init__(self) -> None:
        super().__init__(f"the certificates lead to more than {MOST_PATHS} paths: hand in fewer")


@dataclass(frozen=True, slots=True)
class BuildablePaths:
    """
    The paths of one certificate for one host at one moment.

    ``doubtful`` are paths with the reason why the verifier refuses them (rule 4). ``reason`` says why there is none.
    """

    validated: tuple[ValidatedChain, ...]
    doubtful: tuple[tuple[PresentedChain, str], ...] = field(default=(), kw_only=True)
    reason: str = field(default="", kw_only=True)


def buildable_paths(
    leaf: bytes, others: Iterable[bytes], roots: Iterable[bytes], *, host: str, at: datetime
) -> BuildablePaths:
    """Return every path for a canonical host from *leaf* to a trusted one of *roots*, by the certificates *others*."""
    parsed = _parsed(leaf)
    if parsed is None:
        return BuildablePaths((), reason="the certificate cannot be read")
    validated: dict[ValidatedChain, None] = {}
    doubtful: dict[PresentedChain, str] = {}
    walk = _Walk(others, roots, at)
    for number, path in enumerate(walk.from_leaf(parsed)):
        if number == MOST_PATHS:
            raise TooManyPathsError
        try:
            validated.setdefault(verified_path(path, host=host, at=at))
        except UnverifiedPathError as error:
            doubtful.setdefault(PresentedChain(one.public_bytes(Encoding.DER) for one in path), error.reason)
    reason = "" if validated else walk.why_none(parsed)
    return BuildablePaths(tuple(validated), doubtful=tuple(doubtful.items()), reason=reason)


class _Walk:
    """A walk from issued to issuer through the certificates at hand."""

    def __init__(self, others: Iterable[bytes], roots: Iterable[bytes], at: datetime) -> None:
        self._at = at
        self._others = _by_subject(others)
        self._roots = _by_subject(roots)

    def from_leaf(self, leaf: x509.Certificate) -> Iterator[tuple[x509.Certificate, ...]]:
        """Yield every path (rules 1 to 3)."""
        if self._is_dated(leaf):
            yield from self._onward((leaf,), frozenset({_identity(leaf)}))

    def _onward(
        self, path: tuple[x509.Certificate, ...], seen: frozenset[tuple[bytes, bytes]]
    ) -> Iterator[tuple[x509.Certificate, ...]]:
        last = path[-1]
        for root in self._issuers(last, self._roots):
            if _identity(root) not in seen:
                yield (*path, root)
        if len(path) < LONGEST_PATH:
            for issuer in self._issuers(last, self._others):
                if _identity(issuer) not in seen:
                    yield from self._onward((*path, issuer), seen | {_identity(issuer)})

    def _issuers(
        self, issued: x509.Certificate, known: dict[bytes, list[x509.Certificate]]
    ) -> Iterator[x509.Certificate]:
        for issuer in known.get(issued.issuer.public_bytes(), ()):
            if self._is_dated(issuer) and _has_signed(issuer, issued):
                yield issuer

    def _is_dated(self, certificate: x509.Certificate) -> bool:
        return certificate.not_valid_before_utc <= self._at <= certificate.not_valid_after_utc

    def why_none(self, leaf: x509.Certificate) -> str:
        """Say what is missing on the way from a leaf to a root."""
        if not self._is_dated(leaf):
            return "the certificate is not valid at this moment"
        last, seen = leaf, {_identity(leaf)}
        while issuers := [one for one in self._issuers(last, self._others) if _identity(one) not in seen]:
            last = issuers[0]
            seen.add(_identity(last))
        if next(self._issuers(last, self._roots), None) is not None:
            return "the verifier refuses every path"
        issuer = certificate_summary(last.public_bytes(Encoding.DER)).issuer
        return f"no certificate at hand, in its dates, is the issuer {issuer}, and no trusted root is"


def _has_signed(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _identity(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return the name and key of a certificate; a cross-sign of an authority has both, and is the same authority."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.subject.public_bytes(), key


def _by_subject(certificates: Iterable[bytes]) -> dict[bytes, list[x509.Certificate]]:
    found: dict[bytes, list[x509.Certificate]] = {}
    for der in dict.fromkeys(certificates):
        parsed = _parsed(der)
        if parsed is not None:
            found.setdefault(parsed.subject.public_bytes(), []).append(parsed)
    return found


def _parsed(der: bytes) -> x509.Certificate | None:
    """Parse a certificate as far as a walk needs it; one with a part that cannot be read is on no path."""
    # Old roots have serial numbers that are allowed no more, and a warning for each would say nothing to anybody here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = x509.load_der_x509_certificate(der)
            _identity(parsed)
            parsed.issuer.public_bytes()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return None
        return parsed


def names_of(leaf: bytes) -> tuple[str, ...]:
    """Return the hosts that a certificate names, wildcards as they stand, in its order; the common name is none."""
    parsed = _parsed(leaf)
    if parsed is None:
        return ()
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return tuple(dict.fromkeys(hosts))


def roots_of(trust: Trust) -> tuple[bytes, ...]:
    """Return the roots that a trust holds, those in the platform's directory of certificates included."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_into(context)
    found = dict.fromkeys(context.get_ca_certs(binary_form=True))
    directory = ssl.get_default_verify_paths().capath
    if trust.ca_file is None and directory is not None:
        # OpenSSL reads a directory's certificates one by one when it needs them, and lists none of them.
        found |= dict.fromkeys(_in_directory(Path(directory)))
    return tuple(found)


def _in_directory(directory: Path) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        for path in sorted(directory.iterdir()):
            with contextlib.suppress(OSError, PemError):
                content = path.read_bytes() if path.is_file() else b""
                if is_pem(content):
                    yield from (block.der for block in read_blocks(content) if block.label == "CERTIFICATE")
