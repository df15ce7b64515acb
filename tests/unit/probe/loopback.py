"""Servers on the loopback for tests of what looks at servers: an authority of the moment, scripted listeners."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pinscher.probe import Protocol

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

HOST = "api.bank.example"
ADDRESS = "127.0.0.1"
Script = list[tuple[bytes, bytes]]
"""What the server waits for, and what it then says in clear."""


AGREEABLE: dict[Protocol, Script] = {
    Protocol.SMTP: [
        (b"", b"220-mail.example welcomes you\r\n220 ESMTP\r\n"),
        (b"EHLO pinscher.invalid\r\n", b"250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n"),
        (b"STARTTLS\r\n", b"220 go ahead\r\n"),
    ],
    Protocol.IMAP: [
        (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
        (b"a1 STARTTLS\r\n", b"* CAPABILITY IMAP4rev1\r\na1 OK begin TLS\r\n"),
    ],
    Protocol.POP3: [(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin TLS\r\n")],
    Protocol.FTP: [(b"", b"220-hello\r\n 220 not the end\r\n220 ready\r\n"), (b"AUTH TLS\r\n", b"234 begin TLS\r\n")],
    Protocol.POSTGRES: [(bytes.fromhex("0000000804d2162f"), b"S")],
}
"""How a willing server of each protocol leads up to TLS."""


@dataclass
class Issued:
    """A certificate with its key, and the files that a server and a person read them from."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain_file: Path
    key_file: Path

    @property
    def der(self) -> bytes:
        """The certificate's DER."""
        return self.certificate.public_bytes(Encoding.DER)


class Authority:
    """A root, an intermediate under it, and what they issue."""

    def __init__(self, directory: Path, *, name: str = "Test Root") -> None:
        self._directory = directory
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._sign(name, self._root_key, None, self._root_key, is_authority=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.intermediate = self._sign("Test Intermediate", self._key, self.root, self._root_key, is_authority=True)
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(self.root.public_bytes(Encoding.PEM))

    def issue(
        self, host: str = HOST, *, common_name: str | None = None, key: ec.EllipticCurvePrivateKey | None = None,
        days: int = 41, file: str = "server",
    ) -> Issued:  # fmt: skip
        """Issue a server's certificate for *host* under the intermediate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            common_name or host, key, self.intermediate, self._key, is_authority=False, host=host, days=days
        )
        chain_file, key_file = self._directory / f"{file}.pem", self._directory / f"{file}.key"
        pem = [item.public_bytes(Encoding.PEM) for item in (certificate, self.intermediate)]
        chain_file.write_bytes(b"".join(pem))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return Issued(certificate, key, chain_file, key_file)

    def _sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None,
        issuer_key: ec.EllipticCurvePrivateKey, *, is_authority: bool, host: str | None = None, days: int = 100,
    ) -> x509.Certificate:  # fmt: skip
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        at = datetime.now(UTC)
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": is_authority, "digital_signature": not is_authority}
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(days=200))
            .not_valid_after(at + timedelta(days=days, hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass
class Server:
    """A listener on the loopback that says its script, then speaks TLS if it has a certificate, then reads on."""

    issued: Issued | None = None
    script: Script = field(default_factory=list)
    connections: int = 0
    application_bytes: int = 0

    def __enter__(self) -> Self:
        """Listen."""
        self._listener = socket.create_server((ADDRESS, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    @property
    def place(self) -> str:
        """The endpoint as a person writes it."""
        return f"{HOST}:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(10)
            with contextlib.suppress(OSError), connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        for cue, line in self.script:
            said = b""
            while len(said) < len(cue):
                received = connection.recv(len(cue) - len(said))
                if not received:
                    return
                said += received
            connection.sendall(line)
        # A client that is gone is noticed here: on such a connection CPython's wrap_socket leaks its socket.
        if not connection.recv(1, socket.MSG_PEEK) or self.issued is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issued.chain_file, self.issued.key_file)
        with context.wrap_socket(connection, server_side=True) as secured:
            while received := secured.recv(1024):
                self.application_bytes += len(received)
