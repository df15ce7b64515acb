"""
Certificates cut to measure: every field is given as bytes, so that a test can make what no library would write.

The signature is never a real one; who needs a certificate that verifies asks the lab.
"""

from __future__ import annotations

import functools

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEQUENCE, SET, INTEGER, BIT_STRING, OCTET_STRING, NULL, IDENTIFIER, UTF8 = (
    0x30,
    0x31,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0C,
)
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSASSA_PSS = "1.2.840.113549.1.1.10"
MGF1 = "1.2.840.113549.1.1.8"
SHA256 = "2.16.840.1.101.3.4.2.1"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
PRIME256V1 = "1.2.840.10045.3.1.7"
PRIME_FIELD = "1.2.840.10045.1.1"
ED25519 = "1.3.101.112"
ML_DSA_65 = "2.16.840.1.101.3.4.3.18"
NOBODY_KNOWS = "1.3.6.1.4.1.99999.7469.1"

COMMON_NAME = "2.5.4.3"


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return one DER element."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def identifier(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *arcs = map(int, dotted.split("."))
    return tlv(IDENTIFIER, *(_base128(arc) for arc in (40 * first + second, *arcs)))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.insert(0, 0x80 | arc & 0x7F)
    return bytes(octets)


def integer(number: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return tlv(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def algorithm(dotted: str, parameters: bytes = b"") -> bytes:
    """Return an AlgorithmIdentifier."""
    return tlv(SEQUENCE, identifier(dotted), parameters)


def key_info(dotted: str, key: bytes, parameters: bytes = b"") -> bytes:
    """Return a subjectPublicKeyInfo."""
    return tlv(SEQUENCE, algorithm(dotted, parameters), tlv(BIT_STRING, b"\x00", key))


def attribute(value: bytes, tag: int = UTF8, kind: str = COMMON_NAME) -> bytes:
    """Return a relative distinguished name of one attribute."""
    return tlv(SET, tlv(SEQUENCE, identifier(kind), tlv(tag, value)))


def validity(not_before: bytes = b"250101000000Z", not_after: bytes = b"350101000000Z", tag: int = UTC_TIME) -> bytes:
    """Return a validity, both times under one tag."""
    return tlv(SEQUENCE, tlv(tag, not_before), tlv(tag, not_after))


VERSION_3 = tlv(0xA0, tlv(INTEGER, b"\x02"))
SIGNED_BY = algorithm(ED25519)
SIGNATURE = tlv(BIT_STRING, b"\x00", b"s" * 64)


def certificate(
    key: bytes,
    *,
    version: bytes = VERSION_3,
    serial: bytes = b"\x01",
    subject: bytes = b"",
    issuer: bytes = b"",
    times: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Return a certificate of a subjectPublicKeyInfo; *after* is what follows the key in the TBSCertificate."""
    tbs = tlv(
        SEQUENCE, version, tlv(INTEGER, serial), SIGNED_BY, tlv(SEQUENCE, issuer), times or validity(),
        tlv(SEQUENCE, subject), key, after,
    )  # fmt: skip
    return tlv(SEQUENCE, tbs, SIGNED_BY, SIGNATURE)


def named(name: str) -> bytes:
    """Return a certificate whose subject, serial number and unknown key all follow from a name."""
    text = name.encode()
    return certificate(key_info(NOBODY_KNOWS, text), serial=b"\x01" + text, subject=attribute(text))


_CURVE = ec.SECP256R1()
_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_COEFFICIENT_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def _named_key(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def _rsa(bits: int) -> bytes:
    """Return an RSAPublicKey (RFC 8017) with a modulus of so many bits; nobody has the private key."""
    return tlv(SEQUENCE, integer((1 << bits - 1) + (7469 << 64) + 1), integer(65537))


def _point(scalar: int, curve: ec.EllipticCurve, form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return ec.derive_private_key(scalar, curve).public_key().public_bytes(Encoding.X962, form)


def _explicit_p256() -> bytes:
    return tlv(
        SEQUENCE,
        integer(1),
        tlv(SEQUENCE, identifier(PRIME_FIELD), integer(_PRIME)),
        tlv(SEQUENCE, tlv(OCTET_STRING, (_PRIME - 3).to_bytes(32)), tlv(OCTET_STRING, _COEFFICIENT_B.to_bytes(32))),
        tlv(OCTET_STRING, _point(1, _CURVE)),
        integer(_ORDER),
        integer(1),
    )


def _restricted_pss() -> bytes:
    digest = algorithm(SHA256, tlv(NULL))
    return tlv(SEQUENCE, tlv(0xA0, digest), tlv(0xA1, algorithm(MGF1, digest)), tlv(0xA2, integer(32)))


@functools.cache
def key_infos() -> dict[str, bytes]:
    """Return a subjectPublicKeyInfo of every kind, by its name."""
    seed = bytes(range(32))
    dsa_numbers = dsa.DSAParameterNumbers((1 << 2047) + 1, (1 << 255) + 95, 4)
    return {
        "rsa-2048": key_info(RSA_ENCRYPTION, _rsa(2048), tlv(NULL)),
        "rsa-4096": key_info(RSA_ENCRYPTION, _rsa(4096), tlv(NULL)),
        "rsa-library": _named_key(rsa.RSAPublicNumbers(65537, (1 << 2047) + 95).public_key()),
        "rsa-without-null": key_info(RSA_ENCRYPTION, _rsa(2048)),
        "rsassa-pss": key_info(RSASSA_PSS, _rsa(2048)),
        "rsassa-pss-restricted": key_info(RSASSA_PSS, _rsa(2048), _restricted_pss()),
        "p-256": _named_key(ec.derive_private_key(7469, _CURVE).public_key()),
        "p-384": _named_key(ec.derive_private_key(7469, ec.SECP384R1()).public_key()),
        "p-521": _named_key(ec.derive_private_key(7469, ec.SECP521R1()).public_key()),
        "p-256-explicit": key_info(EC_PUBLIC_KEY, _point(7469, _CURVE), _explicit_p256()),
        "p-256-compressed": key_info(
            EC_PUBLIC_KEY, _point(7469, _CURVE, PublicFormat.CompressedPoint), identifier(PRIME256V1)
        ),
        "ed25519": _named_key(ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()),
        "ed448": _named_key(ed448.Ed448PrivateKey.from_private_bytes(seed + seed[:25]).public_key()),
        "dsa": _named_key(dsa.DSAPublicNumbers(16, dsa_numbers).public_key()),
        "ml-dsa-65": key_info(ML_DSA_65, bytes(range(244)) * 8),
        "nobody-knows": key_info(NOBODY_KNOWS, b"a key of next year", tlv(OCTET_STRING, b"its parameters")),
    }


RE_ENCODED = frozenset({"rsa-without-null"})
"""Kinds that OpenSSL 3 writes otherwise than it read them."""

UNKNOWN = frozenset({"nobody-knows", "ml-dsa-65"})
"""Kinds that some OpenSSL in use has no decoder for."""
