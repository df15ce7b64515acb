"""A server that asks for the client's certificate once the connection stands (RFC 8446 section 4.6.2)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

import pinscher

from .conftest import HOST
from .test_data_paths import _pump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Scene

WITHDRAWN = pytest.mark.parametrize("is_withdrawn", [False, True], ids=["allowed", "withdrawn"])


class Asking:
    """A server that answers one question, asking for the client's certificate first, when it is told to."""

    def __init__(self, scene: Scene, sock: socket.socket) -> None:
        self.came = b""
        """What came after the answer was sent, as it was on the wire."""
        self.may_ask, self.is_over = threading.Event(), threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(scene.genuine.key_pem + scene.genuine.chain_pem)
            pem.flush()
            context.load_cert_chain(pem.name)
        context.load_verify_locations(cadata=scene.root.pem.decode())
        context.verify_mode, context.post_handshake_auth = ssl.CERT_REQUIRED, True
        self.thread = threading.Thread(target=self._serve, args=(context, sock))
        self.thread.start()

    def _serve(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.recv(16)
            self.may_ask.wait(30)
            secured.verify_client_post_handshake()
            secured.sendall(b"answer")
            self.is_over.wait(30)
            with contextlib.suppress(ConnectionResetError):
                self.came = socket.socket.recv(secured, 65536)


@contextlib.contextmanager
def _asking(scene: Scene) -> Iterator[tuple[Asking, socket.socket, pinscher.PinnedContext]]:
    held, context = scene.root.issue_client("a client"), scene.context()
    context.post_handshake_auth = True
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(held.key_pem + held.chain_pem)
        pem.flush()
        context.load_cert_chain(pem.name)
    ours, theirs = socket.socketpair()
    server = Asking(scene, theirs)
    with ours:
        ours.settimeout(30)
        yield server, ours, context
    server.is_over.set()
    server.thread.join()


@WITHDRAWN
def test_a_withdrawn_connection_shows_no_certificate(scene: Scene, is_withdrawn: bool) -> None:
    """A server whose key is no longer pinned does not get the client's certificate, although the client still reads."""
    with _asking(scene) as (server, plain, context):
        with context.wrap_socket(plain, server_hostname=HOST) as secured:
            secured.sendall(b"question")
            if is_withdrawn:
                context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
            server.may_ask.set()
            with contextlib.suppress(OSError):
                assert secured.recv(16) in {b"", b"answer"}
    assert is_withdrawn is (server.came == b"")


@WITHDRAWN
def test_a_withdrawn_connection_over_memory_buffers_shows_none_either(scene: Scene, is_withdrawn: bool) -> None:
    """The answer to what was asked arrives, and nothing of the client's certificate is left to be sent."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with _asking(scene) as (server, plain, context):
        secured = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
        _pump(plain, incoming, outgoing, secured.do_handshake)
        _pump(plain, incoming, outgoing, lambda: secured.write(b"question"))
        if is_withdrawn:
            context.policy = scene.policy(pinscher.Pin.of(scene.rogue.der), version=2)
        server.may_ask.set()
        assert b"answer" == _pump(plain, incoming, outgoing, lambda: secured.read(16))
    assert is_withdrawn is (server.came == b"")
