"""The kinds of key that a certificate may carry, and who issues for them."""

from __future__ import annotations

import enum
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

    PrivateKey: TypeAlias = CertificateIssuerPrivateKeyTypes
"""A private key that signs requests and certificates."""


class UnavailableAlgorithmError(PinningError):
    """A kind of key that the installed ``cryptography`` cannot make; ``algorithm`` says which."""

    def __init__(self, algorithm: KeyAlgorithm) -> None:
        super().__init__(
            f"the installed cryptography cannot make {algorithm.title} keys: expected version 47 or newer, on an "
            "OpenSSL or AWS-LC that has them"
        )
        self.algorithm = algorithm


class KeyAlgorithm(enum.Enum):
    """A kind of key; the value is the word for it on the command line."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"

    @property
    def title(self) -> str:
        """The kind as a card names it."""
        return _TITLES.get(self, self.value.upper())

    @property
    def is_issued_for(self) -> bool:
        """
        Whether public authorities may issue for such a key.

        The CA/Browser Forum's Baseline Requirements (section 6.1.5) know RSA keys, and EC keys on the NIST curves.
        """
        return self in _PUBLIC

    def generate(self) -> PrivateKey:
        """Make a fresh key; raise :class:`UnavailableAlgorithmError` where ``cryptography`` cannot."""
        if self in _CURVES:
            return ec.generate_private_key(_CURVES[self])
        if self in _SIZES:
            return rsa.generate_private_key(65537, _SIZES[self])
        if self is KeyAlgorithm.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        try:
            # The module came with version 47, and what stands below it may still not have the algorithm.
            module = import_module("cryptography.hazmat.primitives.asymmetric.mldsa")
            kind = getattr(module, f"MLDSA{self.value[-2:]}PrivateKey")
            return cast("PrivateKey", kind.generate())
        except (ImportError, AttributeError, UnsupportedAlgorithm):
            raise UnavailableAlgorithmError(self) from None


_CURVES: dict[KeyAlgorithm, ec.EllipticCurve] = {
    KeyAlgorithm.P256: ec.SECP256R1(),
    KeyAlgorithm.P384: ec.SECP384R1(),
}
_SIZES = {KeyAlgorithm.RSA2048: 2048, KeyAlgorithm.RSA3072: 3072, KeyAlgorithm.RSA4096: 4096}
_PUBLIC = frozenset({*_CURVES, *_SIZES})
_TITLES = {
    KeyAlgorithm.P256: "EC P-256",
    KeyAlgorithm.P384: "EC P-384",
    KeyAlgorithm.RSA2048: "RSA 2048",
    KeyAlgorithm.RSA3072: "RSA 3072",
    KeyAlgorithm.RSA4096: "RSA 4096",
    KeyAlgorithm.ED25519: "Ed25519",
}
