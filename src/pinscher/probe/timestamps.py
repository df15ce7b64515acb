"""
The signed certificate timestamps that a CA embedded in a certificate (RFC 6962 section 3.3), as they stand there.

Nothing here is verified: neither the log's signature, nor that the log exists, nor that it holds the certificate. A
timestamp says which log promised what and when, to whoever goes and asks that log.
"""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pinscher.der import CertificateParseError, Element, read_children, read_element

_EXTENSIONS = 0xA3
"""The explicit context tag [3] around a certificate's extensions."""
_OCTET_STRING = 0x04
_EMBEDDED = bytes.fromhex("2b06010401d679020402")
"""The identifier 1.3.6.1.4.1.11129.2.4.2, as it is encoded."""
MOST_TIMESTAMPS = 64
"""Timestamps of one certificate that are read; CAs embed two to five."""


@dataclass(frozen=True, slots=True)
class SignedTimestamp:
    """One timestamp: the log's identity (the SHA-256 of its key), its moment, and the version of its form."""

    log: bytes
    at: datetime
    version: int

    @property
    def log_id(self) -> str:
        """The log's identity in Base64, as lists of logs write it."""
        return base64.b64encode(self.log).decode()


class TimestampsError(ValueError):
    """A list of timestamps that cannot be read; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the embedded timestamps cannot be read: {reason}")
        self.reason = reason


@functools.lru_cache(maxsize=256)
def embedded_timestamps(certificate_der: bytes) -> tuple[SignedTimestamp, ...]:
    """Return the timestamps embedded in a certificate, none where it has no such extension; verified is nothing."""
    try:
        octets = _extension(certificate_der)
    except CertificateParseError as error:
        raise TimestampsError(error.reason) from None
    return () if octets is None else tuple(map(_timestamp, _list(octets)))


def _extension(der: bytes) -> bytes | None:
    certificate = read_element(der, 0, len(der))
    tbs = read_element(der, certificate.content, certificate.end)
    for field in read_children(der, tbs):
        if field.tag == _EXTENSIONS:
            for extension in read_children(der, read_element(der, field.content, field.end)):
                value = _value(der, extension)
                if value is not None:
                    return value
    return None


def _value(der: bytes, extension: Element) -> bytes | None:
    """Return the content of the extension that holds timestamps: an OCTET STRING within an OCTET STRING."""
    parts = list(read_children(der, extension))
    if not parts or der[parts[0].content : parts[0].end] != _EMBEDDED:
        return None
    inner = read_element(der, parts[-1].content, parts[-1].end)
    if parts[-1].tag != _OCTET_STRING or inner.tag != _OCTET_STRING or inner.end != parts[-1].end:
        raise CertificateParseError("no list of timestamps in its extension", offset=extension.start)
    return der[inner.content : inner.end]


def _list(octets: bytes) -> list[bytes]:
    """Split a SignedCertificateTimestampList: a length of two octets, then each with a length of its own."""
    if len(octets) < 2 or int.from_bytes(octets[:2]) != len(octets) - 2:
        raise TimestampsError("the length of the list is not that of its content")
    found: list[bytes] = []
    offset = 2
    while offset < len(octets):
        end = offset + 2 + int.from_bytes(octets[offset : offset + 2])
        if end > len(octets) or len(found) == MOST_TIMESTAMPS:
            raise TimestampsError(f"a timestamp reaches past the end, or there are more than {MOST_TIMESTAMPS}")
        found.append(octets[offset + 2 : end])
        offset = end
    return found


_HEAD = 1 + 32 + 8
"""Octets of the version, the log's identity and the milliseconds since 1970."""


def _timestamp(octets: bytes) -> SignedTimestamp:
    if len(octets) < _HEAD:
        raise TimestampsError(f"a timestamp has {len(octets)} octets, expected at least {_HEAD}")
    milliseconds = int.from_bytes(octets[33:_HEAD])
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise TimestampsError("a timestamp lies beyond the year 9999") from None
    return SignedTimestamp(octets[1:33], at, octets[0])
