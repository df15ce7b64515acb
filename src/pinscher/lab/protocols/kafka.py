"""Kafka over TLS: the versions it knows, a SASL login that is accepted, and itself as the one broker."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


@dataclass(slots=True)
class Kafka:
    """A broker that tells its clients to find it at *host* and *port*, which may be set when the server listens."""

    host: str = "localhost"
    port: int = 0

    def __call__(self, conversation: Conversation) -> None:
        """Shake hands, then answer requests until the client hangs up."""
        conversation.secure()
        while True:
            request = conversation.receive_exactly(int.from_bytes(conversation.receive_exactly(4), "big"))
            key, version, correlation = struct.unpack("!hhi", request[:8])
            body = struct.pack("!i", correlation) + self._answer(key, version)
            conversation.send(struct.pack("!i", len(body)) + body)

    def _answer(self, key: int, version: int) -> bytes:
        if key == _API_VERSIONS:
            # A version that the broker does not know is answered in the form of version 0 (KIP-511).
            listed = b"".join(struct.pack("!hhh", *one) for one in _KNOWN)
            return struct.pack("!hi", _UNSUPPORTED if version else 0, len(_KNOWN)) + listed
        if key == _METADATA:
            broker = struct.pack("!i", 0) + _string(self.host) + struct.pack("!ih", self.port, -1)
            return struct.pack("!i", 1) + broker + struct.pack("!ii", 0, 0)
        if key == _SASL_HANDSHAKE:
            return struct.pack("!hi", 0, 1) + _string("PLAIN")
        return struct.pack("!hhi", 0, -1, 0)


def _string(text: str) -> bytes:
    return struct.pack("!h", len(text)) + text.encode()


_METADATA, _SASL_HANDSHAKE, _API_VERSIONS, _SASL_AUTHENTICATE = 3, 17, 18, 36
_UNSUPPORTED = 35
_KNOWN = ((_METADATA, 1, 1), (_SASL_HANDSHAKE, 0, 1), (_API_VERSIONS, 0, 0), (_SASL_AUTHENTICATE, 0, 0))
"""Each request that is answered, with the oldest and the newest version of it."""
