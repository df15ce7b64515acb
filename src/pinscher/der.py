"""
DER, read just far enough: the key of a certificate byte for byte, and its names made safe to show.

Rules of this file:

1. The subjectPublicKeyInfo is a slice of the certificate's own bytes. It is never parsed into a key and written again:
   re-encoding changes the bytes, and so the pin, of RSASSA-PSS keys, explicit and compressed EC points and RSA without
   NULL parameters.
2. The walk accepts only what leaves no second reading: definite lengths, one-octet tags, the field order of RFC 5280
   section 4.1, nothing after the end. Whatever else raises :class:`CertificateParseError`, for any bytes at all.
3. What is read for display never raises, and never takes part in a decision.
4. What is shown of a name costs no more for a long name than for a short one.

This file does not validate: the signature, the names and the dates were OpenSSL's affair before a chain gets here.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

SEQUENCE = 0x30
SET = 0x31
INTEGER = 0x02
BIT_STRING = 0x03
OBJECT_IDENTIFIER = 0x06
VERSION = 0xA0
"""The explicit context tag [0] in front of a certificate's version number."""

_LENGTH_OCTETS = 4
"""A length of more octets than these describes more than 4 GiB, which no certificate has."""


class CertificateParseError(PinningError, ValueError):
    """Bytes that are not one DER certificate, told with the offset at which the reading stopped."""

    def __init__(self, reason: str, *, offset: int = 0) -> None:
        super().__init__(f"not a certificate: {reason} at byte {offset}")
        self.reason = reason
        self.offset = offset

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the two values the error was made from."""
        return _restored_error, (self.reason, self.offset)


def _restored_error(reason: str, offset: int) -> CertificateParseError:
    return CertificateParseError(reason, offset=offset)


@dataclass(frozen=True, slots=True)
class Element:
    """One tag, length and value: where its header starts, where its content starts, and where it ends."""

    tag: int
    start: int
    content: int
    end: int


def read_element(der: bytes, offset: int, end: int) -> Element:
    """Read the element that starts at *offset* and may reach up to *end*."""
    if offset + 2 > end:
        raise CertificateParseError("the bytes end inside a header", offset=offset)
    tag, length, content = der[offset], der[offset + 1], offset + 2
    if tag & 0x1F == 0x1F:
        raise CertificateParseError("a tag of more than one octet", offset=offset)
    if length & 0x80:
        octets = length & 0x7F
        if octets == 0:
            raise CertificateParseError("an indefinite length (BER)", offset=offset)
        length = int.from_bytes(der[content : min(content + octets, end)])
        if octets > _LENGTH_OCTETS and length >> 8 * _LENGTH_OCTETS:
            raise CertificateParseError("a length beyond 4 GiB", offset=offset)
        content += octets
    if content + length > end:
        raise CertificateParseError("the bytes end inside a value", offset=offset)
    return Element(tag, offset, content, content + length)


def read_children(der: bytes, parent: Element) -> Iterator[Element]:
    """Yield the elements inside *parent*, in order, up to its exact end."""
    offset = parent.content
    while offset < parent.end:
        child = read_element(der, offset, parent.end)
        yield child
        offset = child.end


def _expect(der: bytes, offset: int, end: int, tag: int, what: str) -> Element:
    element = read_element(der, offset, end)
    if element.tag != tag:
        raise CertificateParseError(f"expected {what}, found tag 0x{element.tag:02x}", offset=offset)
    return element


@dataclass(frozen=True, slots=True)
class _Fields:
    """The leading fields of a TBSCertificate (RFC 5280 section 4.1), as places in the bytes."""

    serial: Element
    issuer: Element
    validity: Element
    subject: Element
    key: Element


def _walk(der: bytes) -> _Fields:
    certificate = _expect(der, 0, len(der), SEQUENCE, "a certificate")
    if certificate.end != len(der):
        raise CertificateParseError("bytes after the end of the certificate", offset=certificate.end)
    tbs = _expect(der, certificate.content, certificate.end, SEQUENCE, "a TBSCertificate")
    algorithm = _expect(der, tbs.end, certificate.end, SEQUENCE, "a signature algorithm")
    signature = _expect(der, algorithm.end, certificate.end, BIT_STRING, "a signature")
    if signature.end != certificate.end:
        raise CertificateParseError("bytes after the signature", offset=signature.end)
    first = read_element(der, tbs.content, tbs.end)
    offset = first.end if first.tag == VERSION else tbs.content
    found = []
    for tag, what in _TBS_FIELDS:
        element = _expect(der, offset, tbs.end, tag, what)
        found.append(element)
        offset = element.end
    serial, _, issuer, validity, subject, key = found
    return _Fields(serial, issuer, validity, subject, key)


_TBS_FIELDS = (
    (INTEGER, "a serial number"),
    (SEQUENCE, "a signature algorithm"),
    (SEQUENCE, "an issuer"),
    (SEQUENCE, "a validity"),
    (SEQUENCE, "a subject"),
    (SEQUENCE, "a subjectPublicKeyInfo"),
)


@dataclass(frozen=True, slots=True)
class SubjectPublicKeyInfo:
    """The subjectPublicKeyInfo of RFC 5280 section 4.1.2.7, as the very bytes that were signed."""

    der: bytes

    def __post_init__(self) -> None:
        """Check the outer form, an algorithm and a BIT STRING; the key inside may be of any algorithm."""
        if type(self.der) is not bytes:
            raise TypeError(f"a subjectPublicKeyInfo is DER bytes, found {type(self.der).__name__}")
        outer = _expect(self.der, 0, len(self.der), SEQUENCE, "a subjectPublicKeyInfo")
        if outer.end != len(self.der):
            raise CertificateParseError("bytes after the end of the subjectPublicKeyInfo", offset=outer.end)
        algorithm = _expect(self.der, outer.content, outer.end, SEQUENCE, "an algorithm")
        _expect(self.der, algorithm.content, algorithm.end, OBJECT_IDENTIFIER, "an algorithm's identifier")
        key = _expect(self.der, algorithm.end, outer.end, BIT_STRING, "a public key")
        if key.end != outer.end:
            raise CertificateParseError("bytes after the public key", offset=key.end)

    @classmethod
    def of_certificate(cls, certificate_der: bytes) -> Self:
        """Cut the key out of a certificate; raise :class:`CertificateParseError` for any other bytes."""
        key = _walk(certificate_der).key
        return cls(certificate_der[key.start : key.end])

    @property
    def sha256(self) -> bytes:
        """The 32 octets that RFC 7469 section 2.4 calls the SPKI fingerprint."""
        return hashlib.sha256(self.der).digest()


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """What a person wants to read of a certificate: escaped text, and times where they could be read."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime | None
    not_after: datetime | None


def certificate_summary(certificate_der: bytes) -> CertificateSummary:
    """
    Return a certificate's names and dates for display; any bytes give an answer.

    Every text in it was chosen by whoever made the certificate, and is escaped and bounded. Never decide by it.
    """
    try:
        fields = _walk(certificate_der)
    except CertificateParseError:
        return CertificateSummary(_UNREADABLE, _UNREADABLE, _UNREADABLE, None, None)
    serial = _start(certificate_der, fields.serial)
    not_before, not_after = _times(certificate_der, fields.validity)
    return CertificateSummary(
        subject=_name(certificate_der, fields.subject),
        issuer=_name(certificate_der, fields.issuer),
        serial=escaped(serial.hex(), limit=64),
        not_before=not_before,
        not_after=not_after,
    )


_UNREADABLE = "(unreadable)"
_NAMELESS = "(no name)"
_ATTRIBUTES_SHOWN = 8
_ATTRIBUTES_READ = 32
"""How far a common name is looked for; a stranger's name has thousands of attributes if that costs somebody time."""
_NAME_SHOWN = 200
_VALUE_SHOWN = 96
_ATTRIBUTE_NAMES = {
    "550403": "CN",
    "550406": "C",
    "550407": "L",
    "550408": "ST",
    "55040a": "O",
    "55040b": "OU",
    "550405": "serialNumber",
    "0992268993f22c640119": "DC",
    "2a864886f70d010901": "emailAddress",
}
"""The attribute types people know (RFC 4519), by the hexadecimal form of their encoded identifier."""

_STRING_CODECS = {0x0C: "utf-8", 0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}


def _name(der: bytes, name: Element) -> str:
    try:
        attributes = itertools.islice(_attributes(der, name), _ATTRIBUTES_READ + 1)
        shown = [_attribute(der, attribute) for attribute in attributes]
    except CertificateParseError:
        return _UNREADABLE
    # The common name is what people look for, so it comes first; otherwise the certificate's order stays.
    first = sorted(shown[:_ATTRIBUTES_READ], key=lambda text: not text.startswith("CN="))[:_ATTRIBUTES_SHOWN]
    text = ", ".join(first + _more(len(shown))) or _NAMELESS
    return text if len(text) <= _NAME_SHOWN else text[: _NAME_SHOWN - 3] + "..."


def _attributes(der: bytes, name: Element) -> Iterator[Element]:
    for rdn in read_children(der, name):
        if rdn.content == rdn.end:
            raise CertificateParseError("an RDN has an attribute (RFC 5280 section 4.1.2.4)", offset=rdn.start)
        yield from read_children(der, rdn)


def _more(found: int) -> list[str]:
    if found > _ATTRIBUTES_READ:
        return ["and more"]
    return [f"and {found - _ATTRIBUTES_SHOWN} more"] if found > _ATTRIBUTES_SHOWN else []


def _attribute(der: bytes, attribute: Element) -> str:
    parts = list(itertools.islice(read_children(der, attribute), 3))
    if len(parts) != 2:
        raise CertificateParseError("an attribute has a type and a value", offset=attribute.start)
    kind, value = parts
    identifier = _start(der, kind).hex()
    text = _start(der, value).decode(_STRING_CODECS.get(value.tag, "ascii"), "backslashreplace")
    return f"{_ATTRIBUTE_NAMES.get(identifier, 'oid:' + identifier[:40])}={escaped(text, limit=_VALUE_SHOWN)}"


def _start(der: bytes, element: Element) -> bytes:
    """Return as much of a value as can be shown: no codec has more than four octets for a character."""
    return der[element.content : min(element.end, element.content + 4 * (_VALUE_SHOWN + 2))]


def _times(der: bytes, validity: Element) -> tuple[datetime | None, datetime | None]:
    try:
        not_before, not_after = read_children(der, validity)
    except ValueError:
        return None, None
    return _time(der, not_before), _time(der, not_after)


_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18


def _time(der: bytes, element: Element) -> datetime | None:
    """Read a UTCTime or GeneralizedTime in the one form that RFC 5280 section 4.1.2.5 allows."""
    text = der[element.content : element.end].decode("latin-1")
    if element.tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != _GENERALIZED_TIME:
        return None
    if len(text) != len("YYYYMMDDHHMMSSZ") or not text[:-1].isdecimal() or not text.isascii() or text[-1] != "Z":
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
