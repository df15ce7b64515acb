"""LDAP: a bind that is accepted, StartTLS (RFC 4511, section 4.14) or TLS from the start, and an empty directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.lab.conversation import ConversationEndedError

if TYPE_CHECKING:
    from pinscher.lab.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Ldap:
    """A directory server; *secured* begins TLS before the first message."""

    secured: bool = False

    def __call__(self, conversation: Conversation) -> None:
        """Answer messages until the client unbinds."""
        if self.secured:
            conversation.secure()
        operation = 0
        while operation != _UNBIND:
            identifier, operation = _message(conversation)
            if operation in _REPLIES:
                result = bytes((_REPLIES[operation], len(_SUCCESS))) + _SUCCESS
                conversation.send(bytes((0x30, len(identifier) + len(result))) + identifier + result)
            if operation == _EXTENDED and not conversation.is_secured:
                conversation.secure()


def _message(conversation: Conversation) -> tuple[bytes, int]:
    """Read a message, and return its encoded identifier and the tag of its operation."""
    conversation.receive_exactly(1)
    length = conversation.receive_exactly(1)[0]
    if length & 0x80:
        length = int.from_bytes(conversation.receive_exactly(length & 0x7F), "big")
    body = conversation.receive_exactly(length)
    end = 2 + (body[1] if len(body) > 1 else 0)
    if len(body) <= end:
        raise ConversationEndedError("no message of LDAP")
    return body[:end], body[end]


_UNBIND, _EXTENDED = 0x42, 0x77
_REPLIES = {0x60: 0x61, 0x63: 0x65, _EXTENDED: 0x78}
"""BindResponse to a bind, SearchResultDone to a search, ExtendedResponse to an extended request."""
_SUCCESS = b"\x0a\x01\x00\x04\x00\x04\x00"
"""The result code success, no matched name, no message."""
