"""
A private key encrypted with a passphrase: PKCS #8 (RFC 5958) under PBES2 (RFC 8018), as every tool opens it.

``cryptography`` writes the same form with 2,048 rounds of PBKDF2, which was enough for another century. A sealed key
lies in a safe for years and is as strong as its passphrase, so it gets the rounds that OWASP recommends. Whoever opens
it waits for a part of a second.
"""

from __future__ import annotations

import base64
import secrets
import textwrap

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

ROUNDS = 600_000
"""Rounds of PBKDF2-HMAC-SHA256: OWASP's Password Storage Cheat Sheet."""

_INTEGER, _OCTET_STRING, _NULL, _SEQUENCE = 0x02, 0x04, 0x05, 0x30
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def sealed_pem(private_key: bytes, passphrase: str, *, rounds: int = ROUNDS) -> bytes:
    """Return a PKCS #8 *private_key*, given as DER, encrypted and as PEM."""
    salt, vector = secrets.token_bytes(16), secrets.token_bytes(16)
    derived = PBKDF2HMAC(hashes.SHA256(), 32, salt, rounds).derive(passphrase.encode())
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(derived), CBC(vector)).encryptor()
    padded = padder.update(private_key) + padder.finalize()
    encrypted = encryptor.update(padded) + encryptor.finalize()
    function = _sequence(_HMAC_SHA256, _element(_NULL, b""))
    counted = _element(_INTEGER, rounds.to_bytes(rounds.bit_length() // 8 + 1, "big"))
    derivation = _sequence(_PBKDF2, _sequence(_element(_OCTET_STRING, salt), counted, function))
    scheme = _sequence(_AES_256_CBC, _element(_OCTET_STRING, vector))
    whole = _sequence(_sequence(_PBES2, _sequence(derivation, scheme)), _element(_OCTET_STRING, encrypted))
    lines = "\n".join(textwrap.wrap(base64.b64encode(whole).decode(), 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()


def _sequence(*parts: bytes) -> bytes:
    return _element(_SEQUENCE, b"".join(parts))


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
