"""PostgreSQL: SSLRequest, TLS, a startup that asks for no password, and answers without rows to every query."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Postgres:
    """A database server; without *offers_upgrade* it answers that it has no TLS."""

    offers_upgrade: bool = True

    def __call__(self, conversation: Conversation) -> None:
        """Agree on TLS, let the client in, and answer until it leaves."""
        while (code := _startup(conversation)) in (_SSL_REQUEST, _GSS_REQUEST):
            accepted = code == _SSL_REQUEST and self.offers_upgrade and not conversation.is_secured
            conversation.send(b"S" if accepted else b"N")
            if accepted:
                conversation.secure()
        conversation.send(_WELCOME)
        kind = b""
        while kind != b"X":
            kind = conversation.receive_exactly(1)
            _body(conversation)
            conversation.send(_REPLIES.get(kind, b""))


def _startup(conversation: Conversation) -> int:
    """Read a message that has no kind and return the code it begins with."""
    body = _body(conversation)
    return int.from_bytes(body[:4], "big")


def _body(conversation: Conversation) -> bytes:
    length = int.from_bytes(conversation.receive_exactly(4), "big")
    return conversation.receive_exactly(min(length - 4, _LONGEST))


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _parameter(name: bytes, value: bytes) -> bytes:
    return _message(b"S", name + b"\x00" + value + b"\x00")


_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_LONGEST = 1_048_576
_READY = _message(b"Z", b"I")
_NOTHING_FOUND = _message(b"C", b"SELECT 0\x00")
_WELCOME = (
    _message(b"R", bytes(4))
    + _parameter(b"server_version", b"16.0")
    + _parameter(b"client_encoding", b"UTF8")
    + _parameter(b"standard_conforming_strings", b"on")
    + _message(b"K", bytes(8))
    + _READY
)
"""AuthenticationOk, what clients want to know of a server, a key for cancellation, and ReadyForQuery."""
_REPLIES = {
    b"Q": _NOTHING_FOUND + _READY,
    b"P": _message(b"1"),
    b"B": _message(b"2"),
    b"D": _message(b"t", bytes(2)) + _message(b"n"),
    b"E": _NOTHING_FOUND,
    b"C": _message(b"3"),
    b"S": _READY,
}
"""Query, Parse, Bind, Describe, Execute, Close and Sync, answered as for a query that finds nothing."""
