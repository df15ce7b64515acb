"""
Keys read from files: certificates, certification requests, public keys and private keys, each as its pin.

Rules of this file:

1. A certificate, a request and a public key give the bytes of their own subjectPublicKeyInfo, cut out and never
   written again.
2. A private key holds no subjectPublicKeyInfo. Its public key is derived, and where the file shows that a certificate
   may write the same key otherwise (RSASSA-PSS, explicit curves) it is refused.
3. A file is read whole or refused: one block that cannot be used is an error with the file and the line.

None of this proves that a certificate is valid, or that anybody holds the private key.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from pinscher.der import CertificateParseError, SubjectPublicKeyInfo
from pinscher.errors import PinningError, escaped
from pinscher.pin import Pin
from pinscher.probe.pem import PemBlock, PemError, is_pem, read_blocks
from pinscher.probe.private_keys import PrivateKeyError, public_key_of
from pinscher.probe.signing_requests import key_of_request

LARGEST_FILE = 4 * 1024 * 1024
"""Octets of a file of keys; Mozilla's whole root store is a tenth of it."""

MOST_KEYS = 1000
"""Keys read from one file."""

AskPassphrase = Callable[[str], str]
"""Returns the passphrase of the key that the text describes."""


class SourceKind(enum.Enum):
    """What a key was read from; the value is the word for it."""

    CERTIFICATE = "certificate"
    REQUEST = "certification request"
    PUBLIC_KEY = "public key"
    PRIVATE_KEY = "private key"


class KeySourceError(PinningError):
    """A file of keys that cannot be used; ``source`` names it and ``line`` is the place, or None in DER."""

    def __init__(self, source: str, reason: str, *, line: int | None = None) -> None:
        place = escaped(source) if line is None else f"{escaped(source)}:{line}"
        super().__init__(f"{place}: {reason}")
        self.source = source
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class KeySource:
    """One key of a file: its bytes, the place it was read from, and the certificate around it if there is one."""

    key: SubjectPublicKeyInfo
    kind: SourceKind = field(kw_only=True)
    place: str = field(kw_only=True)
    certificate: bytes | None = field(default=None, kw_only=True)

    @property
    def pin(self) -> Pin:
        """The SPKI pin of the key."""
        return Pin(self.key.sha256)


def read_keys(content: bytes, *, source: str, passphrase: AskPassphrase | None = None) -> tuple[KeySource, ...]:
    """
    Return every key in *content*, PEM or DER, in the file's order; never an empty tuple.

    *passphrase* is asked once for each encrypted private key; without it such a key is an error. Raises
    :class:`KeySourceError` for anything that is not wholly keys.
    """
    if len(content) > LARGEST_FILE:
        raise KeySourceError(source, f"it is larger than {LARGEST_FILE // 1024**2} MiB, expected certificates or keys")
    if not content.strip():
        raise KeySourceError(source, "it is empty, expected certificates or keys in PEM or DER")
    if not is_pem(content):
        return (_of_der(content, source, passphrase),)
    found = tuple(_of_pem(content, source, passphrase))
    if not found:
        raise KeySourceError(source, "expected a certificate or key, found only parameters")
    return found


def _of_pem(content: bytes, source: str, passphrase: AskPassphrase | None) -> list[KeySource]:
    found: list[KeySource] = []
    try:
        for block in read_blocks(content):
            if block.label in _PASSED_OVER:
                continue
            if len(found) == MOST_KEYS:
                raise KeySourceError(source, f"more than {MOST_KEYS} keys in one file", line=block.line)
            found.append(_of_block(block, source, passphrase))
    except PemError as error:
        raise KeySourceError(source, error.reason, line=error.line) from None
    return found


_PASSED_OVER = frozenset({"EC PARAMETERS", "DH PARAMETERS", "DSA PARAMETERS"})
_CERTIFICATE_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
_REQUEST_LABELS = frozenset({"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"})
_PRIVATE_LABELS = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})


def _of_block(block: PemBlock, source: str, passphrase: AskPassphrase | None) -> KeySource:
    place = f"{escaped(source)}:{block.line}"
    try:
        if block.label in _CERTIFICATE_LABELS:
            return _certificate(block.der, place)
        if block.label in _REQUEST_LABELS:
            return KeySource(key_of_request(block.der), kind=SourceKind.REQUEST, place=place)
        if block.label == "PUBLIC KEY":
            return KeySource(SubjectPublicKeyInfo(block.der), kind=SourceKind.PUBLIC_KEY, place=place)
        if block.label in _PRIVATE_LABELS:
            is_encrypted = block.is_encrypted or block.label.startswith("ENCRYPTED")
            secret = _passphrase(place, passphrase) if is_encrypted else None
            return KeySource(public_key_of(block.text, secret), kind=SourceKind.PRIVATE_KEY, place=place)
    except (CertificateParseError, PrivateKeyError) as error:
        raise KeySourceError(source, str(error), line=block.line) from None
    reason = f"a {block.label!r} block has no pin, expected a certificate, a request or a key"
    raise KeySourceError(source, reason, line=block.line)


def _certificate(der: bytes, place: str) -> KeySource:
    key = SubjectPublicKeyInfo.of_certificate(der)
    return KeySource(key, kind=SourceKind.CERTIFICATE, place=place, certificate=der)


def _passphrase(place: str, ask: AskPassphrase | None) -> bytes:
    if ask is None:
        raise PrivateKeyError("the private key is encrypted, and there is nobody to ask for its passphrase")
    return ask(f"the private key in {place}").encode()


def _of_der(content: bytes, source: str, passphrase: AskPassphrase | None) -> KeySource:
    """Read a DER file as the first of the four forms it has the shape of; the shapes exclude each other."""
    place = escaped(source)
    readers: tuple[Callable[[], KeySource], ...] = (
        lambda: _certificate(content, place),
        lambda: KeySource(SubjectPublicKeyInfo(content), kind=SourceKind.PUBLIC_KEY, place=place),
        lambda: KeySource(key_of_request(content), kind=SourceKind.REQUEST, place=place),
    )
    for read in readers:
        try:
            return read()
        except CertificateParseError:
            continue
    try:
        key = public_key_of(content, None, ask=lambda: _passphrase(place, passphrase))
    except PrivateKeyError as error:
        raise KeySourceError(source, str(error)) from None
    return KeySource(key, kind=SourceKind.PRIVATE_KEY, place=place)
