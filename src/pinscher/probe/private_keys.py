"""The public half of a private key, derived, as a certificate for that key will most likely write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.der import SEQUENCE, CertificateParseError, SubjectPublicKeyInfo, read_children, read_element
from pinscher.errors import PinningError
from pinscher.probe.pem import PemError, is_pem, read_blocks

if TYPE_CHECKING:
    from collections.abc import Callable


class PrivateKeyError(PinningError):
    """A private key whose public half cannot be told for certain; the text says why, and never holds the key."""


def public_key_of(
    content: bytes, passphrase: bytes | None, *, ask: Callable[[], bytes] | None = None
) -> SubjectPublicKeyInfo:
    """
    Return the subjectPublicKeyInfo of one private key, PEM or DER.

    *ask* is called once when the key turns out to be encrypted and no *passphrase* was given. For a key encrypted as a
    whole the file does not show its algorithm before it is opened, so the refusal of rule 2 in ``sources`` covers only
    keys in clear.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (only private keys need it)

    load = serialization.load_pem_private_key if is_pem(content) else serialization.load_der_private_key
    try:
        key = load(content, passphrase)
    except TypeError:
        if ask is None or passphrase is not None:
            raise PrivateKeyError("the private key is not encrypted as its label says") from None
        return public_key_of(content, ask())
    except ValueError:
        raise PrivateKeyError(_UNREADABLE if passphrase is None else _NOT_OPENED) from None
    except _unsupported():
        raise PrivateKeyError("the private key is of an algorithm that cannot be derived from") from None
    derived = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    _refuse_another_spelling(content, derived)
    return SubjectPublicKeyInfo(derived)


_UNREADABLE = "expected a certificate, a certification request, a public key or a private key, in PEM or DER"
_NOT_OPENED = "the private key did not open: the passphrase is wrong, or the file is damaged"


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    return UnsupportedAlgorithm


def _refuse_another_spelling(content: bytes, derived: bytes) -> None:
    """Refuse a key whose file writes its algorithm in other bytes than the derived public key does."""
    written = _written_algorithm(content)
    if written is not None and written != _first_child(derived):
        raise PrivateKeyError(
            "the private key names its algorithm in a way that a certificate may write otherwise, so its pin would be "
            "a guess: give the certificate or the certification request instead"
        )


def _written_algorithm(content: bytes) -> bytes | None:
    """Return the AlgorithmIdentifier of a PKCS #8 key in clear (RFC 5958 section 2), or None for other forms."""
    try:
        der = next(read_blocks(content)).der if is_pem(content) else content
        version, algorithm, *_ = read_children(der, read_element(der, 0, len(der)))
    except (CertificateParseError, PemError, StopIteration, ValueError):
        return None
    return der[algorithm.start : algorithm.end] if version.tag == 0x02 and algorithm.tag == SEQUENCE else None


def _first_child(der: bytes) -> bytes:
    child = next(read_children(der, read_element(der, 0, len(der))))
    return der[child.start : child.end]
