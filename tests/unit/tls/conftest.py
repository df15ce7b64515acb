"""A bank with a pinned key, an attacker with another, and the contexts that tell them apart."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

HOST = "bank.test"
SECRET = b"password=correct horse battery staple"


@dataclass
class Scene:
    """An authority, the genuine server's certificate, an attacker's for the same name, and the verdicts told."""

    root: Authority
    authority: Authority
    genuine: HeldCertificate
    rogue: HeldCertificate
    told: list[pinscher.Verdict] = field(default_factory=list)
    open_servers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def policy(
        self, *pins: pinscher.Pin, host: str = HOST, top: str = "", more: str = "", version: int = 1
    ) -> pinscher.Policy:
        """Return a policy that pins *host*, by default to the genuine leaf's key."""
        listed = ", ".join(f'"{pin}"' for pin in pins or (pinscher.Pin.of(self.genuine.der),))
        return pinscher.Policy.loads(
            f'format = 1\nname = "bank"\nversion = {version}\n{top}\n[hosts."{host}"]\npins = [{listed}]\n{more}\n'
        )

    def context(self, policy: pinscher.Policy | None = None, **options: Any) -> pinscher.PinnedContext:
        """Return a pinned context that trusts the authority and tells this scene."""
        named: dict[str, Any] = {"trust": self.root.pem, "on_verdict": self.told.append} | options
        return pinscher.PinnedContext(policy or self.policy(), **named)

    def serve(self, held: HeldCertificate, protocol: Any = "echo", **options: Any) -> TlsServer:
        """Return a running server, which is stopped at the test's end."""
        return self.open_servers.enter_context(TlsServer(held, protocol=protocol, **options))

    def outcomes(self) -> list[str]:
        """Return the names of the outcomes told so far."""
        return [verdict.outcome.name for verdict in self.told]


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Return a fresh scene with fresh keys."""
    root = Authority.root("Lab Root")
    authority = root.intermediate("Lab Intermediate")
    made = Scene(root, authority, authority.issue(HOST), authority.issue(HOST))
    with made.open_servers:
        yield made


@contextlib.contextmanager
def connected(server: TlsServer) -> Iterator[socket.socket]:
    """Yield a TCP connection to a server, closed at the end whatever wraps it."""
    with socket.create_connection(server.address, timeout=10) as plain:
        yield plain


@contextlib.contextmanager
def wrapped(
    context: ssl.SSLContext, server: TlsServer, *, host: str | None = HOST, **options: Any
) -> Iterator[ssl.SSLSocket]:
    """Yield a TLS connection to a server."""
    with connected(server) as plain, context.wrap_socket(plain, server_hostname=host, **options) as secured:
        yield secured
