"""An HTTP proxy that is asked to CONNECT: it passes bytes on inside the loopback, or answers in the server's place."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pinscher.lab.protocols.http import Http, first_line, read_fields, response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.lab.conversation import Conversation


@dataclass(frozen=True, slots=True)
class ConnectProxy:
    """
    A proxy that tunnels to a host of *routes*, or to a port of the loopback itself.

    With *intercepts* it does not pass bytes on: it shakes hands with the client itself and answers as a web server.
    With *secured* the client speaks TLS to the proxy, and to the server through it.
    """

    routes: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Where each host name, without a port, is found."""
    secured: bool = False
    intercepts: bool = False

    def __call__(self, conversation: Conversation) -> None:
        """Take one CONNECT and serve it."""
        if self.secured:
            conversation.secure()
        line = first_line(conversation)
        if line is None:
            return
        method, _, rest = line.decode("latin-1").partition(" ")
        read_fields(conversation)
        if method != "CONNECT":
            conversation.send(response(405, b"", allow="CONNECT", connection="close"))
        elif self.intercepts:
            conversation.send(_ESTABLISHED)
            Http()(conversation)
        else:
            self._tunnel(conversation, rest.partition(" ")[0])

    def _tunnel(self, conversation: Conversation, target: str) -> None:
        address = self._address(target)
        if address is None:
            conversation.send(response(403, b"", connection="close"))
            return
        with contextlib.closing(socket.create_connection(address, timeout=10)) as upstream:
            upstream.settimeout(None)
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation.begin_tunnel()
            conversation.send(_ESTABLISHED)
            _relay(conversation, upstream)

    def _address(self, target: str) -> tuple[str, int] | None:
        host, _, port = target.rpartition(":")
        if host in self.routes:
            return self.routes[host]
        return ("127.0.0.1", int(port)) if host in _LOOPBACK and port.isdecimal() and int(port) < 1 << 16 else None


_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def _relay(conversation: Conversation, upstream: socket.socket) -> None:
    """Pass bytes both ways until either side ends the connection."""
    back = threading.Thread(target=_carry_back, args=(conversation, upstream), name="lab tunnel")
    back.start()
    try:
        while received := conversation.receive():
            upstream.sendall(received)
    finally:
        with contextlib.suppress(OSError):
            upstream.shutdown(socket.SHUT_RDWR)
        back.join()


def _carry_back(conversation: Conversation, upstream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := upstream.recv(65_536):
            conversation.send(received)
    conversation.interrupt()
