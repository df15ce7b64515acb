"""
Pinned handshakes in memory: proof that the check works on this very interpreter, without a network.

An authority of this moment issues two certificates for one name, with two keys. The context trusts the authority and
pins the first key. The genuine server must be let in, and the rogue one, valid in everything but its key, must be
refused without one application byte.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.cli.facts import Fact, Health
from pinscher.errors import PinningError, escaped
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

HOST = "self-check.invalid"
_MESSAGE = b"an application's bytes"


def self_check() -> Iterator[Fact]:
    """Yield one fact for the genuine server and one for the rogue; whatever else happens is an error too."""
    from pinscher.tls import PinMismatchError, PinnedContext  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="pinscher-") as directory:
        authority = _Authority(Path(directory))
        genuine, rogue = authority.server("genuine"), authority.server("rogue")
        policy = Policy.loads(_POLICY.format(pin=Pin.of(authority.issued["genuine"])))
        try:
            passed = _exchange(PinnedContext(policy, trust=authority.pem), genuine)
        except (PinningError, OSError) as error:
            yield _failed(f"a genuine server was refused: {escaped(str(error))}")
        else:
            yield _fact(passed == _MESSAGE, "a genuine server was let in", "a genuine server's bytes were lost")
        try:
            _exchange(PinnedContext(policy, trust=authority.pem), rogue)
        except PinMismatchError:
            yield Fact("self-check", Health.OK, "a rogue server was refused before any byte was sent")
        except (PinningError, OSError) as error:
            yield _failed(f"a rogue server was refused for another reason: {escaped(str(error))}")
        else:
            yield _failed("a rogue server with a valid certificate was let in: nothing is pinned here")


_POLICY = """format = 1
name = "self-check"
version = 1
[hosts."self-check.invalid"]
pins = ["{pin}"]
"""


def _fact(is_good: bool, good: str, bad: str) -> Fact:  # noqa: FBT001  (the answer and its two wordings)
    return Fact("self-check", Health.OK, good) if is_good else _failed(bad)


def _failed(text: str) -> Fact:
    remedy = "do not rely on pins with this interpreter, and report its version"
    return Fact("self-check", Health.ERROR, text, remedy=remedy)


def _exchange(context: ssl.SSLContext, server_context: ssl.SSLContext) -> bytes:
    """Shake hands in memory, send one message, and return what the server read of it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(_MOST_FLIGHTS):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    client.write(_MESSAGE)
    return server.read(len(_MESSAGE))


_MOST_FLIGHTS = 8
"""Rounds of a handshake; TLS 1.3 needs two."""


class _Authority:
    """A certificate authority that lives for one hour, its servers' keys in a directory of this process alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = _new_key()
        self._certificate = _certificate("pinscher self-check authority", self._key, None, None)
        self.pem = _pem(self._certificate)
        self.issued: dict[str, bytes] = {}

    def server(self, name: str) -> ssl.SSLContext:
        """Return a server's context with a certificate of its own key for :data:`HOST`."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        key = _new_key()
        certificate = _certificate(HOST, key, self._certificate, self._key)
        self.issued[name] = certificate.public_bytes(serialization.Encoding.DER)
        chain = self._directory / f"{name}.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + _pem(certificate)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.generate_private_key(ec.SECP256R1())


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: EllipticCurvePrivateKey | None,
) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer_key or key
    at = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer is None:
        builder = builder.add_extension(_signs_certificates(), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _signs_certificates() -> x509.KeyUsage:
    from cryptography import x509  # noqa: PLC0415

    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
