"""Redis over TLS: a login that is accepted, and OK to every command (RESP 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def redis(conversation: Conversation) -> None:
    """Shake hands, then answer commands until the client hangs up."""
    conversation.secure()
    while True:
        verb = _command(conversation)[0].upper()
        conversation.send(_REPLIES.get(verb, b"+OK\r\n"))


def _command(conversation: Conversation) -> list[bytes]:
    """Read an array of bulk strings."""
    count = int(conversation.receive_line()[1:])
    return [_bulk(conversation) for _ in range(count)]


def _bulk(conversation: Conversation) -> bytes:
    length = int(conversation.receive_line()[1:])
    return conversation.receive_exactly(length + len(b"\r\n"))[:length]


_REPLIES = {b"HELLO": b"-ERR unknown command\r\n", b"PING": b"+PONG\r\n", b"GET": b"$-1\r\n"}
"""A server that speaks RESP 2 alone refuses HELLO."""
