"""
Servers on the loopback that keep evidence: TLS with any certificate, any protocol of the lab, many clients at once.

A server leaves nothing behind: on the way out every connection is ended, every thread joined, every descriptor closed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
import threading
from typing import TYPE_CHECKING

from pinscher.lab.conversation import Conversation, ConversationEndedError, NamedSocket
from pinscher.lab.encoding import pem
from pinscher.lab.evidence import Evidence
from pinscher.lab.protocols import protocol_named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.protocols import Protocol

HOST = "127.0.0.1"
"""The one address that the lab's servers listen on."""


class TlsServer:
    """A server that shows *held* and speaks *protocol*, the name of one or an object that speaks one itself."""

    def __init__(
        self, held: HeldCertificate, *, protocol: str | Protocol = "http", client_ca: bytes | None = None,
        require_client_certificate: bool = True, minimum_version: ssl.TLSVersion | None = None,
        maximum_version: ssl.TLSVersion | None = None, alpn: Sequence[str] = (), tickets: bool = True,
        present: Sequence[bytes] = (), chain: Sequence[bytes] | None = None, shows_anything: bool = False,
    ) -> None:  # fmt: skip
        """
        Set a server up; it listens from ``with`` on.

        *client_ca* is the PEM of the authorities whose client certificates the server asks for. *present* is DER sent
        after the chain of whatever certificate is shown, and *chain* is DER sent in place of that chain. Without
        *tickets* no session can be resumed. *shows_anything* is for keys that OpenSSL would not have a server show.
        """
        self.evidence = Evidence()
        self.port = 0
        self._protocol = protocol_named(protocol) if isinstance(protocol, str) else protocol
        self._client_ca = client_ca
        self._client_verification = ssl.CERT_REQUIRED if require_client_certificate else ssl.CERT_OPTIONAL
        self._versions = minimum_version, maximum_version
        self._alpn = tuple(alpn)
        self._tickets = tickets
        self._present = tuple(present)
        self._chain = None if chain is None else tuple(chain)
        self._shows_anything = shows_anything
        self._lock = threading.Lock()
        self._conversations: dict[threading.Thread, Conversation] = {}
        self._markers: dict[int, threading.Event] = {}
        self._stopping = False
        self._front = self._context(held)
        self._shown = held, self._front

    def __enter__(self) -> Self:
        """Listen on a free port of the loopback."""
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name=f"lab server {self.port}")
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every connection and join every thread."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._mark(10)
        self._acceptor.join()
        self._listener.close()
        for thread, conversation in self._going_on():
            conversation.interrupt()
            thread.join()

    @property
    def host(self) -> str:
        """The address that the server listens on."""
        return HOST

    @property
    def protocol(self) -> Protocol:
        """What the server speaks."""
        return self._protocol

    @property
    def address(self) -> tuple[str, int]:
        """The address and port, as sockets take them."""
        return HOST, self.port

    @property
    def application_bytes(self) -> int:
        """How many bytes the server decrypted over all connections: 0 if nothing leaked."""
        return self.evidence.application_bytes

    def show(self, held: HeldCertificate) -> None:
        """Show another certificate from the next handshake on; sessions of before can still be resumed."""
        self._shown = held, self._context(held)

    def hand_over(self, held: HeldCertificate) -> None:
        """Let another server take this address: connections of before end, and *held* is shown from then on."""
        for thread, conversation in self._going_on():
            conversation.interrupt()
            thread.join()
        self.show(held)

    def wait_idle(self, timeout: float = 10) -> None:
        """Wait until every connection that a client has made has ended, so that the evidence is complete."""
        self._mark(timeout)
        if not self.evidence.wait_ended(timeout):
            open_now = sum(not record.ended for record in self.evidence.connections)
            message = f"{open_now} connections to port {self.port} still open after {timeout} seconds"
            raise TimeoutError(message)

    def _mark(self, timeout: float) -> None:
        """Connect to ourselves and wait to be accepted, for by then every earlier connection has been accepted."""
        with socket.socket() as marker:
            marker.bind((HOST, 0))
            accepted = self._markers[marker.getsockname()[1]] = threading.Event()
            marker.settimeout(timeout)
            marker.connect(self.address)
            if not accepted.wait(timeout):
                message = f"the server on port {self.port} accepts no connection"
                raise TimeoutError(message)

    def _accept(self) -> None:
        while True:
            connection, (_, port) = self._listener.accept()
            marked = self._markers.pop(port, None)
            if marked is not None:
                connection.close()
                marked.set()
                if self._stopping:
                    return
                continue
            self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        conversation = Conversation(connection, self.evidence, next_context=self._next_context)
        thread = threading.Thread(
            target=self._converse, args=(conversation,), name=f"lab connection {conversation.number} to {self.port}"
        )
        with self._lock:
            self._conversations[thread] = conversation
        thread.start()

    def _converse(self, conversation: Conversation) -> None:
        error = None
        try:
            self._protocol(conversation)
        except (OSError, ConversationEndedError) as broken:
            error = str(broken)
        finally:
            conversation.close()
            with self._lock:
                del self._conversations[threading.current_thread()]
            self.evidence.note(conversation.number, error=error, ended=True)

    def _going_on(self) -> list[tuple[threading.Thread, Conversation]]:
        with self._lock:
            return list(self._conversations.items())

    def _next_context(self) -> ssl.SSLContext:
        """Return the first context, whose tickets the later ones accept, or a new one that knows of no session."""
        return self._front if self._tickets else self._context(self._shown[0])

    def _context(self, held: HeldCertificate) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslsocket_class = NamedSocket
        context.sni_callback = self._greeted
        minimum, maximum = self._versions
        context.minimum_version = minimum or context.minimum_version
        context.maximum_version = maximum or context.maximum_version
        if not self._tickets:
            context.num_tickets = 0
        if self._shows_anything:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if self._alpn:
            context.set_alpn_protocols(list(self._alpn))
        if self._client_ca is not None:
            context.verify_mode = self._client_verification
            context.load_verify_locations(cadata=self._client_ca.decode())
        chain = (held.chain if self._chain is None else self._chain) + self._present
        load(context, pem("CERTIFICATE", *chain) + held.key_pem)
        return context

    def _greeted(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """Note the name asked for, and show the current certificate whatever the context had at first."""
        held, context = self._shown
        if self._tickets:
            connection.context = context
        if isinstance(connection, NamedSocket):
            connection.server_name, connection.served = name, held.der


def load(context: ssl.SSLContext, chain_and_key: bytes) -> None:
    """Load a PEM chain with its private key into *context*, by way of a file that only this user can read."""
    descriptor, path = tempfile.mkstemp(prefix="pinscher-lab-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(chain_and_key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
