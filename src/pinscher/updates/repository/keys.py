"""
The keys that sign: in a file, in a PKCS#11 token, or in a key management service.

A private key is named by a path, by the ``pkcs11:`` address of a key in a token, or by one of the addresses that
``securesystemslib`` knows (``gcpkms:``, ``awskms:``, ``azurekms:``, ``gnupg:``, ...). A file and a token say the public
key themselves; for the others it is given as a file.
"""

from __future__ import annotations

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
from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from pinscher.errors import escaped
from pinscher.replacement import replace_file
from pinscher.updates.repository.errors import SigningKeyError
from pinscher.updates.repository.tokens import SCHEMES, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from securesystemslib.signer import Signature

    from pinscher.updates.repository.tokens import AskPin

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


def public_key(
    path: str, *, passphrase: Callable[[str], str | None] | None = None, pin: AskPin | None = None
) -> SSlibKey:
    """
    Read a public key from a PEM file, which may hold the private key, or from a token, and name it by what it was in.

    Args:
        path: the file, or the token's address.
        passphrase: asked for the passphrase of an encrypted private key.
        pin: asked for the PIN of a token, if the token does not show its public keys without.
    """
    if path.partition(":")[0] in SCHEMES:
        token = Token.parse(path, pin)
        return _named(token.public_key(), token.name)
    content = _read(path)
    if b"PRIVATE KEY" in content:
        key = SigningKey.load(path, passphrase=passphrase).signer.public_key
    else:
        try:
            key = SSlibKey.from_crypto(load_pem_public_key(content))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SigningKeyError(f"'{escaped(path)}' is no public key in PEM that can sign: {error}") from None
    return _named(key, os.path.basename(path).removesuffix(".pub").removesuffix(".pem").removesuffix(".key"))


def _named(key: SSlibKey, name: str) -> SSlibKey:
    key.unrecognized_fields[NAME_FIELD] = name if _NAME.fullmatch(name) else key.keyid[:8]
    return key


def name_of(key: Key) -> str:
    """Return what people call a key."""
    name = key.unrecognized_fields.get(NAME_FIELD)
    return name if isinstance(name, str) and _NAME.fullmatch(name) else key.keyid[:8]


class SigningKey:
    """A private key that can sign for those of a role's keys which are its own."""

    def __init__(self, place: str, signer: CryptoSigner | None = None, token: Token | None = None) -> None:
        self.place = place
        self._signer = signer
        self._token = token

    @classmethod
    def load(
        cls, place: str, *, passphrase: Callable[[str], str | None] | None = None, pin: AskPin | None = None
    ) -> SigningKey:
        """Open a key by its path, or remember its address; raise :class:`SigningKeyError` for what is none."""
        scheme, colon, _ = place.partition(":")
        if colon and scheme in SCHEMES:
            return cls(place, token=Token.parse(place, pin))
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
        if self._token is not None:
            return self._token.sign(content, candidates)
        for key in candidates:
            if self._signer is not None:
                if self._signer.public_key.keyval == key.keyval:
                    return CryptoSigner(self._signer._private_key, _as_sslib(key)).sign(content)  # noqa: SLF001
                continue
            signature = self._ask(key, content)
            if signature is not None:
                return signature
        return None

    def _ask(self, key: Key, content: bytes) -> Signature | None:
        """Let the signer at an address sign for a key; return None when it has another key."""
        try:
            signature = Signer.from_priv_key_uri(self.place, key).sign(content)
            key.verify_signature(signature, content)
        except UnsupportedLibraryError as error:
            raise self._unusable(f"{_missing(self.place)} ({escaped(str(error))})") from None
        except (SigningFailedError, ValueError):
            return None
        except Exception as error:
            # Each service's package has errors of its own, which have nothing in common.
            raise self._unusable(escaped(str(error)) or type(error).__name__) from error
        return signature

    def _unusable(self, reason: str) -> SigningKeyError:
        return SigningKeyError(f"the key '{escaped(self.place)}' cannot be used: {reason}")


_EXTRAS = {"gcpkms": "gcpkms", "awskms": "awskms", "azurekms": "azurekms", "hv": "vault", "tkey": "tkey"}
"""For each scheme the extra of securesystemslib that brings what it needs."""


def _missing(place: str) -> str:
    extra = _EXTRAS.get(place.partition(":")[0])
    return f"install its package: pip install 'securesystemslib[{extra}]'" if extra else "its program is not installed"


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
