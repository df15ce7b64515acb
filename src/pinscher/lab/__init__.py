"""
The lab: authorities of the moment, hostile servers that keep evidence, and real interception, all on the loopback.

Nothing here decides about pins. It is what a client's pinning is tried against, ours or anybody's.
"""

from __future__ import annotations

try:
    import cryptography as _cryptography  # noqa: F401  (asked for here, so that its absence is one sentence)
except ModuleNotFoundError:
    raise ImportError("the lab needs cryptography; install it with: pip install 'pinscher[lab]'") from None

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.conversation import Conversation, ConversationEndedError
from pinscher.lab.evidence import ConnectionRecord, Evidence
from pinscher.lab.interception import Flow, InterceptionError, Interceptor
from pinscher.lab.keys import KeyKind, SigningKey
from pinscher.lab.mitmdump import MitmproxyMissingError, find_mitmdump, provide_mitmdump
from pinscher.lab.protocols import PROTOCOLS, Protocol
from pinscher.lab.server import TlsServer

__all__ = [
    "PROTOCOLS",
    "Authority",
    "ConnectionRecord",
    "Conversation",
    "ConversationEndedError",
    "Evidence",
    "Flow",
    "HeldCertificate",
    "InterceptionError",
    "Interceptor",
    "KeyKind",
    "MitmproxyMissingError",
    "Protocol",
    "SigningKey",
    "TlsServer",
    "find_mitmdump",
    "provide_mitmdump",
]
