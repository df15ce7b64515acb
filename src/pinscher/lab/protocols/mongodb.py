"""MongoDB over TLS: one standalone server that greets every driver and says ok to every command."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


def mongodb(conversation: Conversation) -> None:
    """Shake hands, then answer messages until the client hangs up."""
    conversation.secure()
    while True:
        length, request, _, operation = struct.unpack("<iiii", conversation.receive_exactly(16))
        conversation.receive_exactly(length - 16)
        # The first greeting of a driver comes as a legacy query, and is answered as one.
        is_legacy = operation == _QUERY
        head = struct.pack("<iqii", 8, 0, 0, 1) if is_legacy else struct.pack("<ix", 0)
        answer = head + _GREETING
        conversation.send(
            struct.pack("<iiii", 16 + len(answer), 0, request, _REPLY if is_legacy else _MESSAGE) + answer
        )


def _document(**fields: float) -> bytes:
    """Encode numbers and truth values as BSON."""
    encoded = b"".join(_element(name.encode() + b"\x00", value) for name, value in fields.items())
    return struct.pack("<i", len(encoded) + 5) + encoded + b"\x00"


def _element(name: bytes, value: float) -> bytes:
    if isinstance(value, bool):
        return b"\x08" + name + struct.pack("<?", value)
    return (
        b"\x10" + name + struct.pack("<i", value)
        if isinstance(value, int)
        else b"\x01" + name + struct.pack("<d", value)
    )


_REPLY, _QUERY, _MESSAGE = 1, 2004, 2013
_GREETING = _document(
    helloOk=True, ismaster=True, isWritablePrimary=True, maxBsonObjectSize=16_777_216, maxMessageSizeBytes=48_000_000,
    maxWriteBatchSize=100_000, minWireVersion=0, maxWireVersion=21, readOnly=False, ok=1.0,
)  # fmt: skip
