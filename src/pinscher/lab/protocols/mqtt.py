"""MQTT 3.1.1 over TLS: every client is let in, what it publishes is acknowledged, and no message is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def mqtt(conversation: Conversation) -> None:
    """Shake hands, then answer control packets until the client says goodbye."""
    conversation.secure()
    kind = 0
    while kind != _DISCONNECT:
        first = conversation.receive_exactly(1)[0]
        kind, body = first >> 4, conversation.receive_exactly(_length(conversation))
        conversation.send(_reply(kind, first, body))


def _length(conversation: Conversation) -> int:
    """Read a remaining length: seven bits in each octet, the lowest first, at most four octets (section 2.2.3)."""
    length = 0
    for place in range(4):
        octet = conversation.receive_exactly(1)[0]
        length |= (octet & 0x7F) << (7 * place)
        if octet < 0x80:
            break
    return length


def _reply(kind: int, first: int, body: bytes) -> bytes:
    if kind == _PUBLISH:
        topic_length = int.from_bytes(body[:2], "big")
        is_acknowledged = bool(first & 0x06)
        return b"\x40\x02" + body[2 + topic_length : 4 + topic_length] if is_acknowledged else b""
    if kind == _SUBSCRIBE:
        return b"\x90\x03" + body[:2] + b"\x00"
    return _REPLIES.get(kind, b"")


_PUBLISH, _SUBSCRIBE, _DISCONNECT = 3, 8, 14
_REPLIES = {1: b"\x20\x02\x00\x00", 12: b"\xd0\x00"}
"""CONNACK to CONNECT, PINGRESP to PINGREQ."""
