"""Seal and open one file with AES-256-GCM-SIV (RFC 8452), its header authenticated with it."""

from __future__ import annotations

import functools

try:
    from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
except ModuleNotFoundError:
    raise ImportError("the sealed store needs cryptography; install it with: pip install 'pinscher[updates]'") from None

from pinscher.store.errors import KeyUnavailableError
from pinscher.store.header import HEADER_LENGTH, Header, HeaderError

KEY_LENGTH = 32
OVERHEAD = HEADER_LENGTH + 16 + 1
"""Octets by which a sealed file is longer than what it holds: header, tag, and one that keeps it from being empty."""


class NotOpenedError(ValueError):
    """A file that this key does not open as it is; the text says why."""


def sealed(content: bytes, header: Header, key: bytes) -> bytes:
    """Return the sealed file; a header's nonce is used once."""
    written = header.write()
    # OpenSSL refuses an empty text, so one octet always stands before it.
    return written + boxed(b"\x00" + content, header.nonce, written, key)


def opened(file: bytes, key: bytes) -> tuple[Header, bytes]:
    """
    Return a sealed file's header and content; raise :class:`NotOpenedError` unless not one bit was changed.

    This does not prove that the file is the newest one that was sealed.
    """
    try:
        header = Header.read(file)
    except HeaderError as error:
        raise NotOpenedError(str(error)) from None
    return header, unboxed(file[HEADER_LENGTH:], header.nonce, file[:HEADER_LENGTH], key)[1:]


def boxed(content: bytes, nonce: bytes, beside: bytes, key: bytes) -> bytes:
    """Return a content sealed without a header of its own, what stands beside it authenticated; no octets cannot be."""
    return _cipher(key).encrypt(nonce, content, beside)


def unboxed(box: bytes, nonce: bytes, beside: bytes, key: bytes) -> bytes:
    """Return what was boxed; raise :class:`NotOpenedError` unless not one bit of it or beside it was changed."""
    try:
        return _cipher(key).decrypt(nonce, box, beside)
    except (InvalidTag, ValueError):
        raise NotOpenedError("changed since it was sealed, or sealed with another key") from None


@functools.lru_cache(maxsize=4)
def _cipher(key: bytes) -> AESGCMSIV:
    try:
        return AESGCMSIV(key)
    except UnsupportedAlgorithm:
        raise KeyUnavailableError(
            "the OpenSSL that cryptography was built with has no AES-GCM-SIV, which came with OpenSSL 3.2",
            path="cryptography",
            remedy="install cryptography from its own wheels, which bring a newer OpenSSL",
        ) from None
