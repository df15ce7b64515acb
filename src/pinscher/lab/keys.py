"""
The lab's private keys: every kind that a server's certificate may carry, fresh whenever one is asked for.

Two keys are never the same by accident: a kind always generates. RSA is slow to generate, so a caller that wants one
key many times says so with a label, see :meth:`SigningKey.kept`.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pinscher.lab.encoding import BIT_STRING, INTEGER, OBJECT, OCTET_STRING, SEQUENCE, element, elements, pem

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class KeyKind(enum.Enum):
    """What kind of key a certificate carries."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"
    RSA_PSS = "rsa-pss"
    """An RSA key whose SubjectPublicKeyInfo says id-RSASSA-PSS (RFC 4055), which many tools re-encode wrongly."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of a kind, with the encodings of its two halves."""

    private: PrivateKey
    kind: KeyKind

    @classmethod
    def generate(cls, kind: KeyKind | str = KeyKind.P256) -> SigningKey:
        """Generate a fresh key; RSA takes a tenth of a second and more."""
        kind = KeyKind(kind)
        return cls(_GENERATORS[kind](), kind)

    @classmethod
    def kept(cls, kind: KeyKind | str, label: str) -> SigningKey:
        """Return the process's one key of this kind and label, generated when first asked for."""
        return _kept(KeyKind(kind), label)

    @classmethod
    def of(cls, key: SigningKey | PrivateKey | KeyKind | str | None) -> SigningKey:
        """Take a key as it is, or generate one of the kind named; without either, a P-256 key."""
        if isinstance(key, SigningKey):
            return key
        if key is None or isinstance(key, KeyKind | str):
            return cls.generate(key or KeyKind.P256)
        return cls(key, _kind_of(key))

    @property
    def spki(self) -> bytes:
        """The DER of the SubjectPublicKeyInfo, which is what an SPKI pin hashes."""
        encoded = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return encoded if self.kind is not KeyKind.RSA_PSS else _as_pss(encoded)

    @property
    def pem(self) -> bytes:
        """The private key as unencrypted PKCS #8, as servers load it."""
        encoded = self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return pem("PRIVATE KEY", encoded if self.kind is not KeyKind.RSA_PSS else _as_pss(encoded))

    @property
    def signature_hash(self) -> hashes.SHA256 | None:
        """The hash that goes with a signature of this key, if its kind leaves a choice."""
        return None if self.kind is KeyKind.ED25519 else hashes.SHA256()

    @property
    def signature_padding(self) -> padding.PSS | None:
        """The padding of a signature of this key, where it is not the kind's usual one."""
        return _PSS if self.kind is KeyKind.RSA_PSS else None

    def certify(self, builder: x509.CertificateBuilder, subject: SigningKey) -> bytes:
        """Sign *builder*'s certificate for the *subject* key and return its DER."""
        unsigned = builder.public_key(subject.private.public_key())
        signed = unsigned.sign(self.private, self.signature_hash, rsa_padding=self.signature_padding)
        certificate = signed.public_bytes(Encoding.DER)
        return certificate if subject.kind is not KeyKind.RSA_PSS else self.resigned(certificate, spki=subject.spki)

    def sign(self, message: bytes) -> bytes:
        """Sign *message* the way a certificate of this key's issuing is signed."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, self.signature_padding or padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(message, ec.ECDSA(hashes.SHA256()))
        return self.private.sign(message)

    def resigned(self, certificate: bytes, *, spki: bytes) -> bytes:
        """Put the bytes *spki* in place of a certificate's SubjectPublicKeyInfo and sign it again with this key."""

        def replaced(body: bytes) -> bytes:
            fields = [field.encoded for field in elements(body)]
            fields[_SPKI_FIELD] = spki
            return b"".join(fields)

        return self.rewritten(certificate, replaced)

    def rewritten(self, certificate: bytes, rewrite: Callable[[bytes], bytes]) -> bytes:
        """Rewrite the content of a certificate's TBSCertificate and sign it again with this key."""
        body, algorithm, _ = elements(elements(certificate)[0].content)
        to_be_signed = element(SEQUENCE, rewrite(body.content))
        signature = element(BIT_STRING, b"\x00", self.sign(to_be_signed))
        return element(SEQUENCE, to_be_signed, algorithm.encoded, signature)


_SPKI_FIELD = 6
"""Where a TBSCertificate that states its version keeps the subject's key (RFC 5280 section 4.1)."""
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
_ALGORITHM = element(SEQUENCE, bytes.fromhex("06092a864886f70d01010a"))
"""id-RSASSA-PSS with no parameters, which restricts the key to nothing in particular."""


def _as_pss(encoded: bytes) -> bytes:
    """Rewrite the rsaEncryption of a SubjectPublicKeyInfo or a PKCS #8 key as id-RSASSA-PSS."""
    parts = elements(elements(encoded)[0].content)
    kept = {INTEGER, OCTET_STRING, BIT_STRING}
    return element(SEQUENCE, *(part.encoded if part.tag in kept else _ALGORITHM for part in parts))


def _without_null(key: SigningKey) -> bytes:
    """Encode an RSA key without the NULL that RFC 3279 section 2.3.1 asks for."""
    algorithm, bits = elements(elements(key.spki)[0].content)
    identifier, _ = elements(algorithm.content)
    return element(SEQUENCE, element(SEQUENCE, identifier.encoded), bits.encoded)


def _compressed(key: SigningKey) -> bytes:
    """Encode an EC key with its point compressed (RFC 5480 section 2.2)."""
    public = key.private.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError(f"only an EC key has a point, found {key.kind.value}")
    algorithm, _ = elements(elements(key.spki)[0].content)
    point = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return element(SEQUENCE, algorithm.encoded, element(BIT_STRING, b"\x00", point))


def _unknown(key: SigningKey) -> bytes:
    """Encode a key as if it were of an algorithm that nobody has defined."""
    _, bits = elements(elements(key.spki)[0].content)
    algorithm = element(SEQUENCE, element(OBJECT, bytes.fromhex("2b0601040183b20301")))
    return element(SEQUENCE, algorithm, bits.encoded)


def _explicit(key: SigningKey) -> bytes:
    """Encode a P-256 key with its curve's parameters written out (RFC 3279 section 2.3.5, forbidden by RFC 5480)."""
    algorithm, bits = elements(elements(key.spki)[0].content)
    identifier, _ = elements(algorithm.content)
    return element(SEQUENCE, element(SEQUENCE, identifier.encoded, _p256_parameters()), bits.encoded)


def _p256_parameters() -> bytes:
    prime = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
    field = element(SEQUENCE, element(OBJECT, bytes.fromhex("2a8648ce3d0101")), _integer(prime))
    curve = element(SEQUENCE, _octets(prime - 3), element(OCTET_STRING, bytes.fromhex(_P256_B)))
    generator = element(OCTET_STRING, bytes.fromhex(_P256_GENERATOR))
    order = _integer(int(_P256_ORDER, 16))
    return element(SEQUENCE, _integer(1), field, curve, generator, order, _integer(1))


def _integer(number: int) -> bytes:
    return element(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _octets(number: int) -> bytes:
    return element(OCTET_STRING, number.to_bytes(32, "big"))


# SEC 2 version 2, section 2.4.2.
_P256_B = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"
_P256_GENERATOR = (
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_P256_ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

REENCODED: dict[str, Callable[[SigningKey], bytes]] = {
    "without-null": _without_null,
    "compressed": _compressed,
    "explicit": _explicit,
    "unknown": _unknown,
}
"""The unusual encodings of a SubjectPublicKeyInfo by name."""


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


_GENERATORS: dict[KeyKind, Callable[[], PrivateKey]] = {
    KeyKind.P256: lambda: ec.generate_private_key(ec.SECP256R1()),
    KeyKind.P384: lambda: ec.generate_private_key(ec.SECP384R1()),
    KeyKind.RSA2048: lambda: _rsa(2048),
    KeyKind.RSA4096: lambda: _rsa(4096),
    KeyKind.ED25519: ed25519.Ed25519PrivateKey.generate,
    KeyKind.RSA_PSS: lambda: _rsa(2048),
}


def _kind_of(key: PrivateKey) -> KeyKind:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return KeyKind.ED25519
    if isinstance(key, rsa.RSAPrivateKey):
        return KeyKind.RSA4096 if key.key_size > 2048 else KeyKind.RSA2048
    return KeyKind.P384 if key.curve.key_size > 256 else KeyKind.P256


@functools.cache
def _kept(kind: KeyKind, label: str) -> SigningKey:  # noqa: ARG001  (the label is what the cache tells keys apart by)
    return SigningKey.generate(kind)
