"""
Damaged certificates, read by three parsers: ours, OpenSSL's and an independent one never disagree about a key.

A certificate that two parsers read differently is a bypass: one of them verifies a key, the other one pins another.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from asn1crypto import x509 as independent
from hypothesis import given
from hypothesis import strategies as st

from pinscher.der import CertificateParseError, SubjectPublicKeyInfo, certificate_summary
from tests import openssl
from tests.certificates import SEQUENCE, attribute, certificate, key_infos, tlv

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(openssl.library() is None, reason="this interpreter hides the functions of its OpenSSL")

_EXTENSIONS = tlv(0xA3, tlv(SEQUENCE, tlv(SEQUENCE, b"\x06\x03\x55\x1d\x13", tlv(0x04, b"\x30\x00"))))


@functools.cache
def seeds() -> dict[str, bytes]:
    """Return whole certificates that the damage starts from."""
    keys = key_infos()
    name = attribute(b"a.example")
    return {
        "ed25519": certificate(keys["ed25519"], subject=name, after=_EXTENSIONS),
        "version 1": certificate(keys["p-256"], version=b"", issuer=name),
        "compressed": certificate(keys["p-256-compressed"], after=tlv(0x81, b"\x00i") + tlv(0x82, b"\x00s")),
        "unknown": certificate(keys["nobody-knows"], subject=name),
    }


def key_by_asn1crypto(der: bytes) -> bytes | None:
    """Return the key that the independent parser cuts out, or None where it refuses."""
    try:
        tbs = independent.Certificate.load(der, strict=True)["tbs_certificate"]
        dumped: bytes = tbs["subject_public_key_info"].dump()
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, IndexError):
        return None
    return dumped


def accepted_alike(der: bytes) -> bool:
    """Check that nobody reads another key in *der* than we do, and tell whether we and OpenSSL both read one."""
    summary = certificate_summary(der)
    assert all(text.isascii() and text.isprintable() for text in (summary.subject, summary.issuer, summary.serial))
    read = openssl.read_certificate(der)
    try:
        key = SubjectPublicKeyInfo.of_certificate(der).der
    except CertificateParseError:
        return False
    if read is not None:
        assert len(der) == read.octets
        assert openssl.read_key(key) == read.key
        # What ``ssl`` hands over is the certificate as OpenSSL writes it, so that one must be read the same.
        assert SubjectPublicKeyInfo.of_certificate(read.certificate).der == key
    other = key_by_asn1crypto(der)
    assert other is None or other == key
    return read is not None


def _with(der: bytes, place: int, octets: bytes, *, instead: int = 0) -> bytes:
    return der[:place] + octets + der[place + instead :]


def _flips(der: bytes) -> Iterator[bytes]:
    for place in range(len(der)):
        for bit in range(8):
            yield _with(der, place, bytes([der[place] ^ 1 << bit]), instead=1)


def _cuts(der: bytes) -> Iterator[bytes]:
    for place in range(len(der)):
        yield der[:place]
        yield _with(der, place, b"", instead=1)
        yield _with(der, place, b"\x00")


_LENGTHS = (
    b"\x80",
    b"\x81\x00",
    b"\x81\x7f",
    b"\x82\x00\x20",
    b"\x83\x00\x00\x05",
    b"\x84\xff\xff\xff\xff",
    b"\x89" + b"\x00" * 8 + b"\x09",
    b"\x88\x00\x00\x00\x00\x00\x00\x00\x2c",
    b"\xfe",
    b"\xff",
)
_TAGS = (
    b"\x00",
    b"\x02",
    b"\x03",
    b"\x10",
    b"\x22",
    b"\x23",
    b"\x24",
    b"\x30",
    b"\x31",
    b"\x70",
    b"\xa0",
    b"\xa1",
    b"\x1f\x30",
    b"\x3f\x10",
)


def _headers(der: bytes) -> Iterator[bytes]:
    for place in range(len(der)):
        for octets in _LENGTHS + _TAGS:
            yield _with(der, place, octets, instead=1)


def _long_winded(der: bytes, *, outer: bool = True) -> Iterator[bytes]:
    """Yield the certificate with the length of each element, one at a time, in a longer form, all others corrected."""
    tag, content = der[0], _content(der)
    if outer:
        for octets in (1, 2, 4, 5, 9):
            yield (
                bytes([tag, 0x80 | octets])
                + len(content).to_bytes(octets if len(content) < 256**octets else 2)
                + content
            )
        yield bytes([tag, 0x80]) + content + b"\x00\x00"
    if tag & 0x20:
        parts = list(_parts(content))
        for index, part in enumerate(parts):
            for worse in _long_winded(part):
                yield tlv(tag, *parts[:index], worse, *parts[index + 1 :])


def _content(element: bytes) -> bytes:
    return element[2 if element[1] < 0x80 else 2 + (element[1] & 0x7F) :]


def _parts(content: bytes) -> Iterator[bytes]:
    while content:
        length = (
            2 + content[1]
            if content[1] < 0x80
            else 2 + (content[1] & 0x7F) + int.from_bytes(content[2 : 2 + (content[1] & 0x7F)])
        )
        yield content[:length]
        content = content[length:]


@pytest.mark.parametrize("seed", sorted(seeds()))
@pytest.mark.parametrize("damage", [_flips, _cuts, _headers, _long_winded])
def test_nobody_reads_another_key_in_a_damaged_certificate(seed: str, damage: object) -> None:
    """Every bit flipped, every octet cut or doubled, every tag and length gamed: one key for all, or a refusal."""
    der = seeds()[seed]
    outcomes = [accepted_alike(worse) for worse in damage(der)]  # type: ignore[operator]
    assert accepted_alike(der)
    assert len(outcomes) > 100
    # Damage that both still accept is what the comparison is about; without any, this test would compare nothing.
    assert damage is _cuts or any(outcomes)


@given(st.data())
def test_nobody_reads_another_key_after_much_damage(data: st.DataObject) -> None:
    """Certificates spliced from two, and damaged in several places at once, are read alike or refused."""
    first, second = (data.draw(st.sampled_from(sorted(seeds().values()))) for _ in range(2))
    der = first[: data.draw(st.integers(0, len(first)))] + second[data.draw(st.integers(0, len(second))) :]
    if data.draw(st.booleans()):
        der = first
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(der)))
        der = _with(der, place, data.draw(st.binary(max_size=3)), instead=data.draw(st.integers(0, 3)))
    accepted_alike(der)


@pytest.mark.parametrize("kind", sorted(key_infos()))
def test_a_key_inside_a_key_is_not_mistaken_for_it(kind: str) -> None:
    """A certificate that carries another certificate in its name or its extensions still has its own key."""
    decoy = certificate(key_infos()["ed448"])
    der = certificate(key_infos()[kind], subject=attribute(decoy, tag=0x04), after=tlv(0xA3, decoy))
    assert key_infos()[kind] == SubjectPublicKeyInfo.of_certificate(der).der == key_by_asn1crypto(der)
