"""
One connection as a protocol sees it: bytes in, bytes out, an upgrade to TLS, and every byte received on record.

A client that hangs up, refuses the certificate or talks nonsense ends the conversation; that is evidence, not an error.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pinscher.lab.evidence import Evidence

ContextSource: TypeAlias = Callable[[], ssl.SSLContext]
"""Returns the context of the next handshake."""


class ConversationEndedError(Exception):
    """The client has hung up in the middle of something."""


class NamedSocket(ssl.SSLSocket):
    """A server's end that remembers which name its client asked for, and which leaf it was shown."""

    server_name: str | None = None
    served: bytes | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive; a connection that was reset is closed at once, for while it is being made nobody else holds it."""
        try:
            return super().recv(buflen, flags)
        except ConnectionError:
            self.close()
            raise


class Conversation:
    """A server's end of one connection."""

    def __init__(self, connection: socket.socket, evidence: Evidence, *, next_context: ContextSource) -> None:
        self.number = evidence.begin()
        self._evidence = evidence
        self._next_context = next_context
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._lifeline = connection.dup()
        self._pending = b""
        self._is_tunnel = False
        self._relays: list[threading.Thread] = []
        self._relayed: tuple[socket.socket, ...] = ()

    @property
    def is_secured(self) -> bool:
        """Whether what is received now is received through TLS."""
        return isinstance(self._connection, ssl.SSLSocket)

    def wait_for_greeting(self) -> None:
        """Wait until the client has begun to say something, and leave it to be read."""
        self._connection.recv(1, socket.MSG_PEEK)

    def secure(self) -> None:
        """Shake hands as the server; what the client sent in clear and nobody read stays evidence and is dropped."""
        self._pending = b""
        context = self._next_context()
        secured = context.wrap_socket(self._connection, server_side=True, do_handshake_on_connect=False)
        self._connection = secured
        try:
            secured.do_handshake()
        finally:
            if isinstance(secured, NamedSocket):
                self._evidence.note(self.number, server_name=secured.server_name, served=secured.served)
        self._evidence.note(
            self.number,
            handshake_completed=True,
            version=secured.version(),
            resumed=bool(secured.session_reused),
            client_certificate=secured.getpeercert(binary_form=True),
            alpn=secured.selected_alpn_protocol(),
        )

    def slow_down(self) -> None:
        """From here on send octet by octet, each in a segment of its own, by way of a relay."""
        ours, theirs = socket.socketpair()
        outside, self._connection = self._connection, ours
        self._relayed = theirs, outside
        self._relays = [
            threading.Thread(target=_carry, args=(theirs, outside, 1), name="lab relay, slowly out"),
            threading.Thread(target=_carry, args=(outside, theirs, 65_536), name="lab relay, in"),
        ]
        for relay in self._relays:
            relay.start()

    def receive(self, limit: int = 65_536) -> bytes:
        """Return what comes next, at most *limit* bytes; nothing when the client has ended the connection."""
        if not self._pending:
            self._pending = self._received(limit)
        taken, self._pending = self._pending[:limit], self._pending[limit:]
        return taken

    def receive_exactly(self, length: int) -> bytes:
        """Return the next *length* bytes."""
        while len(self._pending) < length:
            self._fill()
        taken, self._pending = self._pending[:length], self._pending[length:]
        return taken

    def receive_line(self, *, limit: int = 65_536) -> bytes:
        """Return the next line without its line break."""
        while b"\n" not in self._pending:
            if len(self._pending) > limit:
                message = f"a line of more than {limit} bytes"
                raise ConversationEndedError(message)
            self._fill()
        line, _, self._pending = self._pending.partition(b"\n")
        return line.rstrip(b"\r")

    def send(self, message: bytes) -> None:
        """Send *message*."""
        self._connection.sendall(message)

    def begin_tunnel(self) -> None:
        """From here on the server passes bytes on unread, and they count as tunnelled."""
        self._is_tunnel = True

    def drain(self) -> None:
        """Receive until the client ends the connection."""
        while self.receive():
            pass

    def interrupt(self) -> None:
        """End the connection from any thread: whoever waits on it sees its end."""
        with contextlib.suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say goodbye without waiting for an answer, and give the descriptors back."""
        connection = self._connection
        with contextlib.suppress(OSError, ValueError), contextlib.closing(self._lifeline), connection:
            connection.settimeout(0)
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap().close()
        self._end_relays()

    def _end_relays(self) -> None:
        for relay in self._relays:
            relay.join()
        for end in self._relayed:
            end.close()

    def _fill(self) -> None:
        received = self._received(65_536)
        if not received:
            message = "the client ended the connection"
            raise ConversationEndedError(message)
        self._pending += received

    def _received(self, limit: int) -> bytes:
        received = self._connection.recv(limit)
        self._record(received)
        return received

    def _record(self, received: bytes) -> None:
        if self._is_tunnel:
            self._evidence.tunnelled(self.number, received)
        elif self.is_secured:
            self._evidence.decrypted(self.number, received)
        else:
            self._evidence.in_clear(self.number, received)


def _carry(source: socket.socket, sink: socket.socket, at_once: int) -> None:
    """Pass bytes on until the source ends, at most *at_once* in one segment, then end both."""
    with contextlib.suppress(OSError):
        while received := source.recv(65_536):
            for at in range(0, len(received), at_once):
                sink.sendall(received[at : at + at_once])
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
