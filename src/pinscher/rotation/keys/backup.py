"""
A backup key: its two halves, its sealed file, its certification request, and its table in a policy.

Rules of this file:

1. A private key reaches a file only sealed, readable by its owner alone, and never in place of another file.
2. A passphrase is at least :data:`SHORTEST_PASSPHRASE` characters of printable ASCII: the machine on which the key is
   opened one day may write any other letter in other octets.
3. A sealed file that does not open gives one error, which never holds the key or the passphrase.
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from pinscher import replacement
from pinscher.der import SubjectPublicKeyInfo
from pinscher.entry import Role
from pinscher.errors import PinningError, escaped
from pinscher.host import canonical_host, is_ip_literal
from pinscher.pin import Pin
from pinscher.rotation.keys.sealing import sealed_pem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.rotation.keys.algorithm import KeyAlgorithm, PrivateKey

SHORTEST_PASSPHRASE = 16
"""Characters; four words that dice chose have more."""


class BackupKeyError(PinningError):
    """A backup key that cannot be made, written or opened; ``source`` is the file, or None."""

    def __init__(self, reason: str, *, source: str | None = None) -> None:
        super().__init__(reason if source is None else f"{escaped(source)}: {reason}")
        self.reason = reason
        self.source = source


def check_passphrase(passphrase: str) -> None:
    """Refuse a passphrase that a new key is not to be sealed with (rule 2)."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        found = len(passphrase)
        raise BackupKeyError(
            f"the passphrase has {found} characters, expected {SHORTEST_PASSPHRASE} or more: four random words do"
        )
    if not all(" " <= character <= "~" for character in passphrase):
        raise BackupKeyError("the passphrase holds a letter outside ASCII, which another machine may write otherwise")


@dataclass(frozen=True, slots=True)
class BackupKey:
    """A private key that waits for its day; its text holds nothing of the private half."""

    private: PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, algorithm: KeyAlgorithm) -> BackupKey:
        """Make a fresh key."""
        return cls(algorithm.generate())

    @classmethod
    def open(cls, content: bytes, passphrase: str, *, source: str) -> BackupKey:
        """Open a sealed key, in PEM; raise :class:`BackupKeyError` for anything else (rule 3)."""
        if b"PRIVATE KEY-----" not in content:
            raise BackupKeyError("expected a sealed private key in PEM, found none", source=source)
        try:
            private = load_pem_private_key(content, passphrase.encode())
        except TypeError:
            raise BackupKeyError("the key is not sealed: anybody who reads the file has it", source=source) from None
        except UnsupportedAlgorithm:
            raise BackupKeyError("the key is of a kind that cannot be opened here", source=source) from None
        except ValueError:
            reason = "the key did not open: the passphrase is wrong, or the file is damaged"
            raise BackupKeyError(reason, source=source) from None
        if not hasattr(private, "sign"):
            raise BackupKeyError("the key is of a kind that cannot sign, so nothing is issued for it", source=source)
        return cls(cast("PrivateKey", private))

    @property
    def key(self) -> SubjectPublicKeyInfo:
        """The public half, as a certificate will hold it."""
        spelt = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return SubjectPublicKeyInfo(spelt)

    @property
    def pin(self) -> Pin:
        """The SPKI pin of the key."""
        return Pin(self.key.sha256)

    @property
    def kind(self) -> str:
        """What kind of key it is, as a person calls it."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return f"RSA {self.private.key_size}"
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            curve = self.private.curve.name
            return f"EC {_CURVES.get(curve, curve)}"
        return type(self.private).__name__.removesuffix("PrivateKey").replace("MLDSA", "ML-DSA-")

    @property
    def is_classical(self) -> bool:
        """Whether today's authorities and clients know such keys at all."""
        return isinstance(self.private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)

    @property
    def fingerprint(self) -> str:
        """The same SHA-256 in hexadecimal, in groups of four, for the eye."""
        digits = self.key.sha256.hex()
        return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))

    def sealed(self, passphrase: str) -> bytes:
        """Return the private key encrypted, as PEM; refuse a passphrase that is too short (rule 2)."""
        check_passphrase(passphrase)
        return sealed_pem(self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), passphrase)

    def request(self, hosts: Sequence[str]) -> bytes:
        """Return a certification request (RFC 2986) for *hosts*, as PEM; ``*.`` before a host is a wildcard."""
        names = x509.SubjectAlternativeName([_name(host) for host in hosts])
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        builder = builder.add_extension(names, critical=True)
        has_hash = isinstance(self.private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return builder.sign(self.private, hashes.SHA256() if has_hash else None).public_bytes(Encoding.PEM)


_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def _name(host: str) -> x509.GeneralName:
    wildcard = "*." if host.startswith("*.") else ""
    canonical = canonical_host(host.removeprefix(wildcard))
    if is_ip_literal(canonical):
        return x509.IPAddress(ipaddress.ip_address(canonical))
    return x509.DNSName(wildcard + canonical)


def key_table(name: str, pin: Pin, *, stored: str | None) -> str:
    """Return the table of a backup key, as a policy document holds it."""
    lines = [f"[keys.{json.dumps(name) if '.' in name else name}]", f'pin = "{pin}"', f'role = "{Role.LEAF.value}"']
    if stored is not None:
        # What JSON escapes in ASCII, TOML reads the same; a pair of surrogates it does not.
        lines.append(f"stored = {json.dumps(stored, ensure_ascii=False)}")
    return "\n".join(lines)


def write_new(path: str, content: bytes, *, mode: int) -> None:
    """Write a file that does not exist yet, or raise :class:`BackupKeyError` and leave nothing (rule 1)."""
    try:
        replacement.write_new(path, content, mode=mode)
        replacement.sync_folder(os.path.dirname(path) or ".")
    except FileExistsError:
        raise BackupKeyError("it exists, and is not overwritten", source=path) from None
    except OSError as error:
        raise BackupKeyError(f"it cannot be written: {(error.strerror or str(error)).lower()}", source=path) from None
    except ValueError:
        raise BackupKeyError("the name holds a NUL", source=path) from None
