"""WebSocket (RFC 6455): the opening handshake, then every message comes back."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from pinscher.lab.protocols.http import read_request, response

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def websocket(conversation: Conversation) -> None:
    """Shake hands twice, for TLS and for WebSocket, then echo frames until the client closes."""
    conversation.secure()
    request = read_request(conversation)
    if request is None:
        return
    key = request.fields.get("sec-websocket-key")
    if key is None:
        conversation.send(response(426, b"", upgrade="websocket", connection="Upgrade"))
        return
    conversation.send(_ACCEPTED % _accept(key))
    opcode = 0
    while opcode != _CLOSE:
        first, payload = _frame(conversation)
        opcode = first & 0x0F
        answer = (first & 0xF0) | _PONG if opcode == _PING else first
        conversation.send(bytes((answer,)) + _length(len(payload)) + payload)


def _accept(key: str) -> bytes:
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def _frame(conversation: Conversation) -> tuple[int, bytes]:
    first, second = conversation.receive_exactly(2)
    length = second & 0x7F
    if length >= _TWO_OCTETS:
        length = int.from_bytes(conversation.receive_exactly(2 if length == _TWO_OCTETS else 8), "big")
    mask = conversation.receive_exactly(4) if second & 0x80 else bytes(4)
    payload = conversation.receive_exactly(length)
    return first, bytes(octet ^ mask[index % 4] for index, octet in enumerate(payload))


def _length(length: int) -> bytes:
    if length < _TWO_OCTETS:
        return bytes((length,))
    return b"\x7e" + length.to_bytes(2, "big") if length < 1 << 16 else b"\x7f" + length.to_bytes(8, "big")


_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
)
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_TWO_OCTETS = 126
