"""
What a path builder looks at in one certificate, read once.

Rules of this file:

1. A rule that verifiers disagree about is read the lenient way: a path too many is a counter-example that somebody
   looks at, and a path too few is an outage.
2. A key is known by the bytes of its subjectPublicKeyInfo, as a pin is.
3. Names are compared as OpenSSL does, without regard to case, repeated spaces and the string's type.

Nothing here is proved about a certificate: a signature is looked at in :mod:`pinscher.rotation.survival.graph`.
"""

from __future__ import annotations

import functools
import ipaddress
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID

from pinscher.der import certificate_summary
from pinscher.errors import PinningError, escaped
from pinscher.host import is_ip_literal
from pinscher.pin import spki_sha256

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class UnreadableCertificateError(PinningError, ValueError):
    """A certificate that cannot be read for building paths; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a certificate cannot be read: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Names:
    """The DNS names and addresses that a leaf is for; what else it may name decides nothing about a host."""

    hosts: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()

    def cover(self, canonical: str) -> bool:
        """Tell whether a canonical host is one of the names; a ``*`` stands for one whole label."""
        if is_ip_literal(canonical):
            return ipaddress.ip_address(canonical) in self.addresses
        wildcard = f"*.{canonical.partition('.')[2]}"
        return canonical in self.hosts or (wildcard in self.hosts and "." in canonical)


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """
    One certificate; two are the same if their bytes are.

    ``is_authority`` is None where it has no basic constraints, and ``path_length`` where it sets none. ``may_sign`` and
    ``serves_tls`` speak of its key usages. ``is_strange`` says that it holds a critical extension nobody here knows.
    """

    der: bytes
    parsed: x509.Certificate
    subject: Hashable
    issuer: Hashable
    key: bytes
    not_before: datetime
    not_after: datetime
    is_authority: bool | None = field(kw_only=True)
    path_length: int | None = field(kw_only=True)
    may_sign: bool = field(kw_only=True)
    serves_tls: bool = field(kw_only=True)
    is_strange: bool = field(kw_only=True)
    names: Names = field(kw_only=True)
    constraints: x509.NameConstraints | None = field(kw_only=True)
    key_identifier: bytes | None = field(kw_only=True)
    authority_key_identifier: bytes | None = field(kw_only=True)
    issuer_addresses: tuple[str, ...] = field(kw_only=True)
    """Where its issuer's certificate can be fetched, as it says itself."""

    def __eq__(self, other: object) -> bool:
        """Compare by the bytes."""
        return self is other or (isinstance(other, Certificate) and self.der == other.der)

    def __hash__(self) -> int:
        """Hash by the bytes."""
        return hash(self.der)

    def __repr__(self) -> str:
        """Return the subject, escaped."""
        return f"<Certificate {self.shown}>"

    @property
    def shown(self) -> str:
        """The subject as a person reads it, escaped."""
        return certificate_summary(self.der).subject

    @property
    def is_self_issued(self) -> bool:
        """Whether it names itself as its issuer (RFC 5280 section 6.1), whoever signed it."""
        return self.subject == self.issuer

    @property
    def looks_self_signed(self) -> bool:
        """Whether nothing in it says that another key than its own signed it; the signature is not looked at."""
        identifiers = {self.authority_key_identifier, self.key_identifier} - {None}
        return self.is_self_issued and (self.authority_key_identifier is None or len(identifiers) == 1)

    def is_valid_at(self, at: datetime) -> bool:
        """Tell whether a moment lies in its validity, both ends included."""
        return self.not_before <= at <= self.not_after

    def can_issue(self) -> bool:
        """Tell whether it may sign another certificate of a TLS server, its dates left aside."""
        if self.is_strange or not self.may_sign or not self.serves_tls:
            return False
        # A root of X.509 version 1 has no extensions to say so in, and OpenSSL takes it.
        is_old_root = self.is_authority is None and self.parsed.version is x509.Version.v1 and self.is_self_issued
        return self.is_authority is True or is_old_root

    def permits(self, names: Names) -> bool:
        """Tell whether its name constraints let it issue for all *names*; only DNS names and addresses are judged."""
        if self.constraints is None:
            return True
        permitted, excluded = self.constraints.permitted_subtrees or (), self.constraints.excluded_subtrees or ()
        return _permitted(permitted, names) and not _excluded(excluded, names)


@functools.lru_cache(maxsize=20_000)
def read_certificate(der: bytes) -> Certificate:
    """Read a DER certificate; raise :class:`UnreadableCertificateError` for anything else."""
    try:
        with warnings.catch_warnings():
            # What is deprecated in an old root is not this reader's business.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return _read(der)
    except _UNREADABLE as error:
        raise UnreadableCertificateError(escaped(str(error)) or type(error).__name__) from None


_UNREADABLE = (
    ValueError, TypeError, KeyError, UnsupportedAlgorithm,
    x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip
"""
What ``cryptography`` raises for bytes that it cannot read as a certificate; version 49 answers a string type that it
does not know with a ``KeyError``.
"""


def _read(der: bytes) -> Certificate:
    parsed = x509.load_der_x509_certificate(der)
    basic = _extension(parsed, x509.BasicConstraints)
    usage = _extension(parsed, x509.KeyUsage)
    purposes = _extension(parsed, x509.ExtendedKeyUsage)
    own, above = _extension(parsed, x509.SubjectKeyIdentifier), _extension(parsed, x509.AuthorityKeyIdentifier)
    return Certificate(
        der, parsed, _comparable(parsed.subject), _comparable(parsed.issuer), spki_sha256(der),
        parsed.not_valid_before_utc, parsed.not_valid_after_utc,
        is_authority=None if basic is None else basic.ca,
        path_length=None if basic is None else basic.path_length,
        may_sign=usage is None or usage.key_cert_sign,
        serves_tls=purposes is None or not _SERVING.isdisjoint(purposes),
        is_strange=any(one.critical and one.oid not in _KNOWN for one in parsed.extensions),
        names=_names(_extension(parsed, x509.SubjectAlternativeName)),
        constraints=_extension(parsed, x509.NameConstraints),
        key_identifier=None if own is None else own.digest,
        authority_key_identifier=None if above is None else above.key_identifier,
        issuer_addresses=_issuer_addresses(_extension(parsed, x509.AuthorityInformationAccess)),
    )  # fmt: skip


_SERVING = frozenset({
    ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    # Netscape's and Microsoft's step-up purposes, which OpenSSL still takes for a server's.
    x509.ObjectIdentifier("2.16.840.1.113730.4.1"), x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
})  # fmt: skip
_KNOWN = frozenset({
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.POLICY_MAPPINGS, ExtensionOID.INHIBIT_ANY_POLICY,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS, ExtensionOID.ISSUER_ALTERNATIVE_NAME, ExtensionOID.TLS_FEATURE,
})  # fmt: skip
"""Extensions that some verifier understands when they are critical (rule 1)."""


def _extension(parsed: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _comparable(name: x509.Name) -> Hashable:
    """Return a name in a form in which equal names are equal (rule 3)."""
    return tuple(
        frozenset((attribute.oid.dotted_string, _folded(attribute.value)) for attribute in part) for part in name.rdns
    )


def _folded(value: str | bytes) -> str | bytes:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value


def _names(alternatives: x509.SubjectAlternativeName | None) -> Names:
    if alternatives is None:
        return Names()
    hosts = tuple(host.lower() for host in alternatives.get_values_for_type(x509.DNSName))
    addresses = alternatives.get_values_for_type(x509.IPAddress)
    return Names(hosts, tuple(one for one in addresses if isinstance(one, Address)))


def _issuer_addresses(access: x509.AuthorityInformationAccess | None) -> tuple[str, ...]:
    places = () if access is None else tuple(access)
    return tuple(
        place.access_location.value
        for place in places
        if place.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(place.access_location, x509.UniformResourceIdentifier)
    )


def _permitted(subtrees: list[x509.GeneralName] | tuple[()], names: Names) -> bool:
    hosts = [one.value for one in subtrees if isinstance(one, x509.DNSName)]
    networks = [one.value for one in subtrees if isinstance(one, x509.IPAddress)]
    return (not hosts or all(any(_is_below(host, limit) for limit in hosts) for host in names.hosts)) and (
        not networks or all(any(_is_in(address, limit) for limit in networks) for address in names.addresses)
    )


def _excluded(subtrees: list[x509.GeneralName] | tuple[()], names: Names) -> bool:
    hosts = [one.value for one in subtrees if isinstance(one, x509.DNSName)]
    networks = [one.value for one in subtrees if isinstance(one, x509.IPAddress)]
    return any(_is_below(host, limit, strict=True) for host in names.hosts for limit in hosts) or any(
        _is_in(address, limit) for address in names.addresses for limit in networks
    )


def _is_below(host: str, limit: str, *, strict: bool = False) -> bool:
    """Tell whether a name is a constraint's or under it; a leading dot means names under it alone, if *strict*."""
    suffix = limit.lower().removeprefix(".")
    if host.endswith(f".{suffix}") or not suffix:
        return True
    return host == suffix and not (strict and limit.startswith("."))


def _is_in(address: Address, limit: object) -> bool:
    if not isinstance(limit, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return False
    return address.version == limit.version and address in limit
