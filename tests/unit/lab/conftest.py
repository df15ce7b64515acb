"""A root, what it issues, and a client that trusts it and nothing else."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority, HeldCertificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pinscher.lab.server import TlsServer

    Connect = Callable[..., AbstractContextManager[ssl.SSLSocket]]


@pytest.fixture(scope="session")
def root() -> Authority:
    """The authority that the client trusts."""
    return Authority.root()


@pytest.fixture(scope="session")
def intermediate(root: Authority) -> Authority:
    """The authority that issues servers' certificates."""
    return root.intermediate()


@pytest.fixture(scope="session")
def held(intermediate: Authority) -> HeldCertificate:
    """A certificate for the names that the tests' servers are reached by."""
    return intermediate.issue("api.test", "localhost", "127.0.0.1")


@pytest.fixture
def trusting(root: Authority) -> ssl.SSLContext:
    """A client's context that trusts the root alone."""
    return ssl.create_default_context(cadata=root.pem.decode())


@pytest.fixture
def connect(trusting: ssl.SSLContext) -> Connect:
    """Connect to a server of the lab as a plain client of ``ssl``."""

    @contextmanager
    def connected(
        server: TlsServer, context: ssl.SSLContext = trusting, name: str = "api.test", **settings: ssl.SSLSession
    ) -> Iterator[ssl.SSLSocket]:
        with (
            socket.create_connection(server.address, timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=name, **settings) as secured,
        ):
            yield secured

    return connected
