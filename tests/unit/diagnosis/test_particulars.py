"""The particulars of a leaf, read from any bytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pinscher.diagnosis.particulars import NAMES_READ, Particulars, particulars
from pinscher.lab.authority import Authority as LabAuthority
from tests import certificates

from .scene import HOST, Authority


def test_what_a_leaf_says_is_read(authority: Authority) -> None:
    """Names, serial number, kind of key, dates and the list of timestamps are read off a leaf."""
    leaf = authority.issue(None, HOST, hosts=["API.example.com", "b.test"], serial=0x0102030405060708, logged=True)
    found = particulars(leaf.der)
    assert (("api.example.com", "b.test"), True, True) == (found.names, found.has_scts, found.has_extensions)
    assert (bytes(range(1, 9)), "EC P-256") == (found.serial, found.key_type)
    assert found.lifetime is not None
    assert 90 == found.lifetime.days


def test_a_leaf_without_extensions_lists_nothing(authority: Authority) -> None:
    """A leaf without extensions has no names and no timestamps, and was read to its end."""
    found = particulars(authority.issue(None, HOST).der)
    assert ((), False, True) == (found.names, found.has_scts, found.has_extensions)


@pytest.mark.parametrize("junk", [b"", b"0", b"not a certificate", bytes(200), b"\x30\x03\x30\x01\x00"])
def test_what_is_no_certificate_has_no_particulars(junk: bytes) -> None:
    """Bytes that are no certificate have no particulars, and nothing raises."""
    assert Particulars() == particulars(junk)
    assert particulars(junk).lifetime is None


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (ec.generate_private_key(ec.SECP384R1()), "EC P-384"),
        (ec.generate_private_key(ec.SECP521R1()), "EC P-521"),
        (ec.generate_private_key(ec.BrainpoolP256R1()), "EC oid:2b240303020801010"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (ed448.Ed448PrivateKey.generate(), "Ed448"),
    ],
)
def test_a_kind_of_key_has_a_name(key: object, name: str) -> None:
    """A key is named by its algorithm and its size or curve."""
    assert particulars(certificates.certificate(_spki(key))).key_type.startswith(name)


@pytest.mark.parametrize(
    ("algorithm", "key", "name"),
    [
        (certificates.identifier(certificates.NOBODY_KNOWS), b"\0\x01", "oid:"),
        (certificates.identifier(certificates.EC_PUBLIC_KEY), b"\0\x04", "EC of its own"),
        (certificates.identifier(certificates.RSA_ENCRYPTION), b"\0\x30\x03\x04\x01\x05", ""),
        (certificates.identifier(certificates.RSA_ENCRYPTION), b"\0\x30\x02\x02\x00", "RSA 0"),
        (certificates.identifier(certificates.RSA_ENCRYPTION), b"", ""),
    ],
)
def test_an_odd_key_has_a_name_or_none(algorithm: bytes, key: bytes, name: str) -> None:
    """An algorithm nobody knows goes by its identifier, and a key that cannot be read by nothing."""
    tlv = certificates.tlv
    spki = tlv(certificates.SEQUENCE, tlv(certificates.SEQUENCE, algorithm), tlv(certificates.BIT_STRING, key))
    found = particulars(certificates.certificate(spki)).key_type
    assert found.startswith(name)
    assert bool(found) is bool(name)


def test_many_names_are_read_to_a_bound() -> None:
    """Of ten thousand names a few hundred are read."""
    names = [f"host{number}.test" for number in range(10_000)]
    assert NAMES_READ == len(particulars(LabAuthority.root().issue(*names).der).names)


def test_extensions_without_end_are_not_all_read() -> None:
    """A leaf with more extensions than any has was not read to its end, so that nothing is said to be missing."""
    one = certificates.tlv(certificates.SEQUENCE, certificates.identifier("1.2.3"), b"\x04\x00")
    found = particulars(_with_extensions(one * 70))
    assert (False, False) == (found.has_extensions, found.has_scts)


def test_an_extension_that_cannot_be_read_ends_the_reading() -> None:
    """An extension that is cut short leaves what came before it, and nothing is said to be missing."""
    assert not particulars(_with_extensions(b"\x30\x05\x06")).has_extensions
    assert particulars(_with_extensions(certificates.tlv(certificates.SEQUENCE))).has_extensions


_KEY = ed25519.Ed25519PrivateKey.generate()


def _spki(key: object) -> bytes:
    public = key.public_key()  # type: ignore[attr-defined]
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _with_extensions(listed: bytes) -> bytes:
    tlv = certificates.tlv
    return certificates.certificate(_spki(_KEY), after=tlv(0xA3, tlv(certificates.SEQUENCE, listed)))
