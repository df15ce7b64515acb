"""
Pebble, the ACME server that Let's Encrypt tests clients with, as a process of one's own on the loopback.

It forgets everything when it ends, its authority is trusted by nobody, and it reaches nothing but this machine.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESS = "127.0.0.1"
_SECONDS = 20.0
_TRIES = 3


class PebbleError(PinningError):
    """A Pebble that is not there, or does not run; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Pebble:
    """A running Pebble."""

    directory: str
    """The address of its ACME directory."""
    roots: str
    """The address at which it shows the root of this run, as PEM."""
    certificate: Path
    """The certificate that it shows, which a client trusts for this run; PEM."""

    @property
    def context(self) -> ssl.SSLContext:
        """A context that trusts this Pebble and nobody else."""
        return ssl.create_default_context(cafile=str(self.certificate))

    @classmethod
    @contextlib.contextmanager
    def running(cls, program: str = "pebble", *, validation: Validation | None = None) -> Iterator[Pebble]:
        """Run a Pebble, which takes every challenge as answered unless *validation* says how it is to look."""
        found = shutil.which(program)
        if found is None:
            raise PebbleError(f"there is no program '{escaped(program)}'")
        with tempfile.TemporaryDirectory(prefix="pinscher-pebble-") as folder:
            with _started(found, Path(folder), validation) as pebble:
                yield pebble


@dataclass(frozen=True, slots=True)
class Validation:
    """How challenges are looked at: the port that http-01 is fetched from, and the resolver that names are asked of."""

    http_port: int
    resolver: str = field(kw_only=True)


@contextlib.contextmanager
def _started(program: str, folder: Path, validation: Validation | None) -> Iterator[Pebble]:
    _write_certificate(folder)
    for left in reversed(range(_TRIES)):
        # A port is free until somebody takes it: Pebble cannot be asked which one it got, so it is told one.
        ports = _free_ports()
        with (folder / "log").open("wb") as log, _process(program, folder, ports, validation, log) as process:
            if _listens(process, ports):
                root = f"https://{_ADDRESS}:{ports[1]}/roots/0"
                yield Pebble(f"https://{_ADDRESS}:{ports[0]}/dir", root, folder / "certificate.pem")
                return
        if left == 0:
            said = (folder / "log").read_text(errors="replace")[-400:].strip()
            raise PebbleError(f"'{escaped(program)}' did not start: {escaped(said)}")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.bind((_ADDRESS, 0))
        return first.getsockname()[1], second.getsockname()[1]


@contextlib.contextmanager
def _process(
    program: str, folder: Path, ports: tuple[int, int], validation: Validation | None, log: BinaryIO
) -> Iterator[subprocess.Popen[bytes]]:
    configuration = {
        "listenAddress": f"{_ADDRESS}:{ports[0]}",
        "managementListenAddress": f"{_ADDRESS}:{ports[1]}",
        "certificate": str(folder / "certificate.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": 0 if validation is None else validation.http_port,
        "tlsPort": 0,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": configuration}))
    command = [program, "-config", str(folder / "pebble.json")]
    environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    if validation is None:
        environment["PEBBLE_VA_ALWAYS_VALID"] = "1"
    else:
        command += ["-dnsserver", validation.resolver]
    process = subprocess.Popen(  # noqa: S603  (a program that the caller names, and no shell)
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _listens(process: subprocess.Popen[bytes], ports: tuple[int, int]) -> bool:
    """Wait until a process takes connections on its ports, or ends."""
    deadline = time.monotonic() + _SECONDS
    for port in ports:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((_ADDRESS, port), timeout=1):
                break
            time.sleep(0.02)
    return process.poll() is None and time.monotonic() < deadline


def _write_certificate(folder: Path) -> None:
    """Make the certificate of one run, for this address alone, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pebble of this run")])
    now = datetime.now(UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage, True),
        (identifier, False),
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_ADDRESS))]), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    # The folder is this user's alone; Pebble reads no encrypted key.
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
