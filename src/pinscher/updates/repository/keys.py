"""
The keys that sign: in a file, in a PKCS#11 token, or in a key management service.

A private key is named by a path or by one of the addresses that ``securesystemslib`` knows (``hsm:``, ``gcpkms:``,
``awskms:``, ``azurekms:``, ``gnupg:``, ...). Where the private key cannot be read, its public key is given as a file.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.exceptions import Error as SigningFailedError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from pinscher.errors import escaped
from pinscher.replacement import replace_file
from pinscher.updates.repository.errors import SigningKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from securesystemslib.signer import Signature

NAME_FIELD = "x-pinscher-name"
"""The field of a key in the metadata that says what people call it; it decides nothing."""
_LARGEST = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def make_key(path: str, *, passphrase: str | None = None) -> SSlibKey:
    """Make an Ed25519 key: the private key at *path*, readable by its owner alone, and the public one at *path*.pub."""
    for place in (path, f"{path}.pub"):
        if os.path.lexists(place):
            raise SigningKeyError(f"'{escaped(place)}' exists, and a key is never overwritten")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    private = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    public = private.public_key()
    try:
        replace_file(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), mode=0o600)
        spelt = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        replace_file(f"{path}.pub", spelt, mode=0o644)
    except OSError as error:
        raise SigningKeyError(f"cannot write '{escaped(path)}': {error.strerror}") from error
    return SSlibKey.from_crypto(public)


def public_key(path: str, *, passphrase: Callable[[str], str | None] | None = None) -> SSlibKey:
    """
    Read a public key from a PEM file, which may hold the private key, and name it by the file.

    Args:
        path: the file.
        passphrase: asked for the passphrase of an encrypted private key.
    """
    content = _read(path)
    if b"PRIVATE KEY" in content:
        key = SigningKey.load(path, passphrase=passphrase).signer.public_key
    else:
        try:
            key = SSlibKey.from_crypto(load_pem_public_key(content))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SigningKeyError(f"'{escaped(path)}' is no public key in PEM that can sign: {error}") from None
    name = os.path.basename(path).removesuffix(".pub").removesuffix(".pem").removesuffix(".key")
    key.unrecognized_fields[NAME_FIELD] = name if _NAME.fullmatch(name) else key.keyid[:8]
    return key


def name_of(key: Key) -> str:
    """Return what people call a key."""
    name = key.unrecognized_fields.get(NAME_FIELD)
    return name if isinstance(name, str) and _NAME.fullmatch(name) else key.keyid[:8]


class SigningKey:
    """A private key that can sign for those of a role's keys which are its own."""

    def __init__(self, place: str, signer: CryptoSigner | None = None) -> None:
        self.place = place
        self._signer = signer

    @classmethod
    def load(cls, place: str, *, passphrase: Callable[[str], str | None] | None = None) -> SigningKey:
        """Open a key by its path, or remember its address; raise :class:`SigningKeyError` for what is none."""
        scheme, colon, _ = place.partition(":")
        if colon and scheme in SIGNER_FOR_URI_SCHEME and scheme != CryptoSigner.SCHEME:
            return cls(place)
        path = place.removeprefix(f"{CryptoSigner.SCHEME}:")
        return cls(place, _file_signer(path, passphrase))

    @property
    def signer(self) -> CryptoSigner:
        """The signer of a key in a file."""
        if self._signer is None:
            raise SigningKeyError(f"'{escaped(self.place)}' is an address; give its public key as a PEM file")
        return self._signer

    def sign(self, content: bytes, candidates: Iterable[Key]) -> Signature | None:
        """Return a signature that verifies under one of the candidates, or None when none of them is this key."""
        for key in candidates:
            if self._signer is not None:
                if self._signer.public_key.keyval == key.keyval:
                    return CryptoSigner(self._signer._private_key, _as_sslib(key)).sign(content)  # noqa: SLF001
                continue
            with contextlib.suppress(SigningFailedError, ValueError):
                signature = self._ask(key).sign(content)
                key.verify_signature(signature, content)
                return signature
        return None

    def _ask(self, key: Key) -> Signer:
        """Open the signer at an address; raise :class:`SigningKeyError` when its package or the device is missing."""
        try:
            return Signer.from_priv_key_uri(self.place, key)
        except (SigningFailedError, ValueError):
            raise
        except (OSError, RuntimeError, ImportError) as error:
            raise SigningKeyError(f"the key '{escaped(self.place)}' cannot be used: {escaped(str(error))}") from error


def _as_sslib(key: Key) -> SSlibKey:
    if not isinstance(key, SSlibKey):
        raise SigningKeyError(f"the key {name_of(key)} is of a kind that a file does not hold")
    return key


def _file_signer(path: str, passphrase: Callable[[str], str | None] | None) -> CryptoSigner:
    content = _read(path)
    try:
        private = load_pem_private_key(content, None)
    except TypeError:
        given = passphrase(path) if passphrase else None
        if not given:
            raise SigningKeyError(f"the key '{escaped(path)}' is encrypted, and no passphrase was given") from None
        try:
            private = load_pem_private_key(content, given.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise SigningKeyError(f"the passphrase does not open '{escaped(path)}'") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningKeyError(f"'{escaped(path)}' is no private key in PEM") from None
    try:
        return CryptoSigner(private)
    except (ValueError, SigningFailedError) as error:
        raise SigningKeyError(f"the key '{escaped(path)}' cannot sign metadata: {escaped(str(error))}") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_LARGEST)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SigningKeyError(f"cannot read the key '{escaped(path)}': {why.lower()}") from None
