"""Timestamps that are embedded in a certificate."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pinscher.lab.authority import Authority
from pinscher.probe import TimestampsError, embedded_timestamps

OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ROOT = Authority.root()
AT = datetime(2026, 11, 21, 12, 30, 15, 250_000, tzinfo=UTC)


def timestamp(log: bytes, at: datetime = AT) -> bytes:
    """Return a timestamp in the form of RFC 6962 section 3.2, with its length; its signature is nobody's."""
    head = b"\x00" + log + round(at.timestamp() * 1000).to_bytes(8)
    body = head + b"\x00\x00" + b"\x04\x03" + struct.pack(">H", 4) + b"sign"
    return struct.pack(">H", len(body)) + body


def certificate(octets: bytes) -> bytes:
    """Return a certificate with an extension of timestamps that holds *octets*."""
    inner = b"\x04" + (bytes([len(octets)]) if len(octets) < 128 else b"\x82" + struct.pack(">H", len(octets))) + octets
    return ROOT.issue("bank.test", extensions=[x509.UnrecognizedExtension(OID, inner)]).der


def listed(*timestamps: bytes) -> bytes:
    """Return a list of timestamps with its length."""
    content = b"".join(timestamps)
    return struct.pack(">H", len(content)) + content


def test_embedded_timestamps_are_read() -> None:
    """The logs and moments of a certificate's timestamps are read in their order, as another parser reads them."""
    der = certificate(listed(timestamp(b"a" * 32), timestamp(b"b" * 32)))
    found = embedded_timestamps(der)
    assert [(b"a" * 32, AT, 0), (b"b" * 32, AT, 0)] == [(one.log, one.at, one.version) for one in found]
    assert "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=" == found[0].log_id
    loaded = x509.load_der_x509_certificate(der)
    parsed = loaded.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
    assert [one.log_id for one in parsed] == [one.log for one in found]
    assert [one.timestamp.replace(tzinfo=UTC) for one in parsed] == [one.at for one in found]


def test_a_certificate_without_the_extension_has_none() -> None:
    """A certificate of which no log knows has no timestamps, and that is no error."""
    assert () == embedded_timestamps(ROOT.issue("bank.test").der)


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x00", b"\x00\x05ab", listed(b"\x00\x04abcd"), listed(timestamp(b"a" * 32)[:-1]),
     listed(struct.pack(">H", 41) + b"\x00" * 33 + b"\xff" * 8), listed(*[timestamp(b"a" * 32)] * 65)],
)  # fmt: skip
def test_a_damaged_list_is_an_error_of_its_own(octets: bytes) -> None:
    """A list whose lengths do not fit, a timestamp too short, too late or one too many is refused with its reason."""
    with pytest.raises(TimestampsError, match="cannot be read: "):
        embedded_timestamps(certificate(octets))


def test_an_extension_that_holds_no_octets_is_an_error() -> None:
    """An extension whose content is not an OCTET STRING is refused."""
    der = ROOT.issue("bank.test", extensions=[x509.UnrecognizedExtension(OID, b"\x05\x00")]).der
    with pytest.raises(TimestampsError, match="no list of timestamps"):
        embedded_timestamps(der)


SEED = certificate(listed(timestamp(b"a" * 32)))


@given(st.integers(0, len(SEED) - 1), st.binary(max_size=4))
def test_any_bytes_are_read_or_refused(place: int, replaced: bytes) -> None:
    """A certificate changed anywhere is read, or refused with this file's own error."""
    changed = SEED[:place] + replaced + SEED[place + 1 :]
    try:
        found = embedded_timestamps(changed)
    except TimestampsError:
        return
    assert len(found) <= 64
