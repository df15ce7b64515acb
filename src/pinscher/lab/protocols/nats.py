"""NATS: an INFO in clear that demands TLS, the upgrade, and a PONG to every PING."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def nats(conversation: Conversation) -> None:
    """Demand TLS, then let everybody in and forget what is published."""
    conversation.send(b"INFO " + json.dumps(_INFO).encode() + b"\r\n")
    conversation.secure()
    while True:
        verb, *arguments = conversation.receive_line().split()
        if verb.upper() == b"PING":
            conversation.send(b"PONG\r\n")
        elif verb.upper() == b"PUB":
            conversation.receive_exactly(int(arguments[-1]) + len(b"\r\n"))


_INFO = {
    "server_id": "LAB",
    "server_name": "lab",
    "version": "2.9.0",
    "proto": 1,
    "host": "127.0.0.1",
    "port": 4222,
    "headers": False,
    "auth_required": True,
    "tls_required": True,
    "max_payload": 1_048_576,
}
