"""
What else stands in a leaf certificate: its names, its serial number, its kind of key, and whether it was logged.

Everything here was chosen by whoever made the certificate. The reading is total and bounded: any bytes give an answer,
and a certificate of ten thousand names takes no longer than one of a few hundred.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.der import (
    BIT_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    VERSION,
    CertificateParseError,
    Element,
    SubjectPublicKeyInfo,
    certificate_summary,
    read_children,
    read_element,
)
from pinscher.errors import escaped

if TYPE_CHECKING:
    from datetime import datetime, timedelta

NAMES_READ = 300
"""Names of one certificate that are looked at."""
_EXTENSIONS_READ = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """The particulars of one certificate; what cannot be read is missing, empty or None."""

    names: tuple[str, ...] = ()
    """The DNS names it lists, escaped, in small letters."""
    has_scts: bool = False
    """Whether it carries a list of signed certificate timestamps (RFC 6962 section 3.3), which nobody checked."""
    has_extensions: bool = False
    """Whether its extensions could be read to their end, so that what was not seen is not there."""
    serial: bytes = b""
    subject: bytes = field(default=b"", repr=False)
    """The subject as it is encoded."""
    key_type: str = ""
    """Such as ``RSA 2048`` or ``EC P-256``."""
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def lifetime(self) -> timedelta | None:
        """How long it is valid."""
        return None if self.not_before is None or self.not_after is None else self.not_after - self.not_before


def particulars(certificate_der: bytes) -> Particulars:
    """Read the particulars of a certificate; any bytes give an answer."""
    try:
        key = SubjectPublicKeyInfo.of_certificate(certificate_der)
        outer = read_element(certificate_der, 0, len(certificate_der))
        tbs = read_element(certificate_der, outer.content, outer.end)
        first = read_element(certificate_der, tbs.content, tbs.end)
        fields = list(itertools.islice(read_children(certificate_der, tbs), 7 if first.tag == VERSION else 6))
    except CertificateParseError:
        return Particulars()
    serial, _, _, _, subject, last = fields[-6:]
    names, has_scts, has_extensions = _extensions(certificate_der, last.end, tbs.end)
    summary = certificate_summary(certificate_der)
    return Particulars(
        names=names, has_scts=has_scts, has_extensions=has_extensions,
        serial=certificate_der[serial.content : serial.end], subject=certificate_der[subject.start : subject.end],
        key_type=_key_type(key.der), not_before=summary.not_before, not_after=summary.not_after,
    )  # fmt: skip


_EXTENSIONS = 0xA3
_DNS_NAME = 0x82
_SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("551d11")
_SCT_LIST = bytes.fromhex("2b06010401d679020402")
"""1.3.6.1.4.1.11129.2.4.2, encoded."""


def _extensions(der: bytes, offset: int, end: int) -> tuple[tuple[str, ...], bool, bool]:
    """Return the DNS names, whether there is a list of timestamps, and whether all of it could be read."""
    names: tuple[str, ...] = ()
    has_scts = False
    try:
        for extension in _each_extension(der, offset, end):
            parts = list(itertools.islice(read_children(der, extension), 3))
            identifier = der[parts[0].content : parts[0].end] if parts else b""
            has_scts = has_scts or identifier == _SCT_LIST
            if identifier == _SUBJECT_ALTERNATIVE_NAME:
                names = _dns_names(der, parts[-1])
    except CertificateParseError:
        return names, has_scts, False
    return names, has_scts, True


def _each_extension(der: bytes, offset: int, end: int) -> list[Element]:
    """Return the extensions; of more than are read, none was read to its end."""
    while offset < end:
        element = read_element(der, offset, end)
        if element.tag == _EXTENSIONS:
            listed = read_element(der, element.content, element.end)
            found = list(itertools.islice(read_children(der, listed), _EXTENSIONS_READ + 1))
            if len(found) > _EXTENSIONS_READ:
                raise CertificateParseError("more extensions than are read", offset=listed.start)
            return found
        offset = element.end
    return []


def _dns_names(der: bytes, value: Element) -> tuple[str, ...]:
    listed = read_element(der, value.content, value.end)
    named = itertools.islice(read_children(der, listed), NAMES_READ)
    return tuple(
        escaped(der[name.content : name.end].decode("latin-1").lower(), limit=96)
        for name in named
        if name.tag == _DNS_NAME
    )


_ALGORITHMS = {
    "2a864886f70d010101": "RSA",
    "2a864886f70d01010a": "RSA-PSS",
    "2a8648ce3d0201": "EC",
    "2b6570": "Ed25519",
    "2b6571": "Ed448",
}
_CURVES = {"2a8648ce3d030107": "P-256", "2b81040022": "P-384", "2b81040023": "P-521"}


def _key_type(spki: bytes) -> str:
    """Name a key's algorithm with its size or curve; an algorithm nobody knows goes by its identifier."""
    try:
        outer = read_element(spki, 0, len(spki))
        algorithm, key = itertools.islice(read_children(spki, outer), 2)
        parts = list(itertools.islice(read_children(spki, algorithm), 2))
        identifier = spki[parts[0].content : parts[0].end].hex()
        name = _ALGORITHMS.get(identifier, f"oid:{identifier[:40]}")
        if name == "EC":
            return f"EC {_curve(spki, parts)}"
        return f"{name} {_modulus_bits(spki, key)}" if name.startswith("RSA") else name
    except (CertificateParseError, ValueError):
        return ""


def _curve(spki: bytes, parts: list[Element]) -> str:
    if len(parts) < 2 or parts[1].tag != OBJECT_IDENTIFIER:
        return "of its own"
    identifier = spki[parts[1].content : parts[1].end].hex()
    return _CURVES.get(identifier, f"oid:{identifier[:40]}")


def _modulus_bits(spki: bytes, key: Element) -> int:
    sequence = read_element(spki, key.content + 1, key.end)
    modulus = read_element(spki, sequence.content, sequence.end)
    if (key.tag, sequence.tag, modulus.tag) != (BIT_STRING, SEQUENCE, INTEGER):
        raise CertificateParseError("expected an RSA key", offset=key.start)
    content = spki[modulus.content : modulus.end].lstrip(b"\0")
    return 8 * (len(content) - 1) + content[0].bit_length() if content else 0
