"""MySQL: a greeting in clear, SSLRequest, TLS, a login that is accepted, and OK to every command."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pinscher.lab.conversation import ConversationEndedError

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def mysql(conversation: Conversation) -> None:
    """Greet, begin TLS when asked to, let the client in, and answer until it leaves."""
    _send(conversation, 0, _GREETING)
    number, login = _received(conversation)
    if len(login) == _SSL_REQUEST_LENGTH:
        conversation.secure()
        number, login = _received(conversation)
    _send(conversation, number + 1, _OK)
    command = b""
    while command[:1] != _QUIT:
        number, command = _received(conversation)
        _send(conversation, number + 1, _OK)


def _received(conversation: Conversation) -> tuple[int, bytes]:
    """Read a packet, and return its number and what it holds."""
    head = _exactly(conversation, 4)
    return head[3], _exactly(conversation, int.from_bytes(head[:3], "little"))


def _exactly(conversation: Conversation, length: int) -> bytes:
    """Take no byte too many from the connection: a ClientHello follows an SSLRequest without waiting for an answer."""
    received = b""
    while len(received) < length:
        more = conversation.receive(length - len(received))
        if not more:
            raise ConversationEndedError("the client ended the connection")
        received += more
    return received


def _send(conversation: Conversation, number: int, payload: bytes) -> None:
    conversation.send(len(payload).to_bytes(3, "little") + bytes((number & 0xFF,)) + payload)


_SSL_REQUEST_LENGTH = 32
_QUIT = b"\x01"
_OK = bytes((0, 0, 0, 2, 0, 0, 0))
"""OK: no rows, no identifier, autocommit, no warnings."""
_CAPABILITIES = 0x0001 | 0x0004 | 0x0008 | 0x0200 | 0x0800 | 0x2000 | 0x8000 | 0x0008_0000
"""Long password, long flag, connect with a database, protocol 4.1, SSL, transactions, 4.1 login, named plugins."""
_CHALLENGE = b"abcdefghijklmnopqrst"
_GREETING = (
    b"\x0a8.0.36-lab\x00"
    + struct.pack("<I", 1)
    + _CHALLENGE[:8]
    + struct.pack("<xHBHHB10x", _CAPABILITIES & 0xFFFF, 45, 2, _CAPABILITIES >> 16, len(_CHALLENGE) + 1)
    + _CHALLENGE[8:]
    + b"\x00mysql_native_password\x00"
)
"""HandshakeV10: the version, a thread, a challenge for the password, and what the server is capable of."""
