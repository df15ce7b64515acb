"""AMQP 0-9-1 over TLS: a login that is accepted, channels that open, and nothing that is delivered."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def amqp(conversation: Conversation) -> None:
    """Shake hands, take the protocol header, then answer methods until the connection is closed."""
    conversation.secure()
    conversation.receive_exactly(len(b"AMQP\x00\x00\x09\x01"))
    conversation.send(_method(0, _START, _START_ARGUMENTS))
    called = _START
    while called != _CLOSE:
        channel, called = _received(conversation)
        if called in _REPLIES:
            answer, arguments = _REPLIES[called]
            conversation.send(_method(channel, answer, arguments))


def _received(conversation: Conversation) -> tuple[int, tuple[int, int]]:
    """Read frames up to the next method, and return its channel and number."""
    while True:
        kind, channel, size = struct.unpack("!BHI", conversation.receive_exactly(7))
        payload = conversation.receive_exactly(size + len(_END))
        if kind == _METHOD:
            return channel, struct.unpack("!HH", payload[:4])


def _method(channel: int, called: tuple[int, int], arguments: bytes) -> bytes:
    payload = struct.pack("!HH", *called) + arguments
    return struct.pack("!BHI", _METHOD, channel, len(payload)) + payload + _END


def _long(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


_METHOD, _END = 1, b"\xce"
_START, _CLOSE = (10, 10), (10, 50)
_START_ARGUMENTS = b"\x00\x09" + _long(b"\x0ccapabilitiesF" + _long(b"")) + _long(b"PLAIN") + _long(b"en_US")
"""The version, the server's properties, the mechanisms and the locales."""
_REPLIES = {
    (10, 11): ((10, 30), struct.pack("!HIH", 2047, 131_072, 0)),
    (10, 40): ((10, 41), b"\x00"),
    _CLOSE: ((10, 51), b""),
    (20, 10): ((20, 11), _long(b"")),
    (20, 40): ((20, 41), b""),
}
"""Tune to StartOk, OpenOk to Open, CloseOk to Close, and the same two of a channel."""
