"""
Sessions, remembered with the chain that was validated when they were made.

A resumed handshake verifies no certificate: OpenSSL has no chain to show, and an empty chain must never pass. So a
session is handed out together with what was validated on its connection, and a connection that resumes it is judged by
that chain, at the present time and by the present policy. Keeping the memory beside the session, and not in a table,
means that it lives exactly as long as the session does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from pinscher.chain import PresentedChain, ValidatedChain


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RememberedSession:
    """
    An ``ssl.SSLSession`` and the connection that it came from.

    It is offered again only by the same context, to the same host and the same port; anywhere else the handshake is a
    full one. ``policy_version`` tells which policy had judged the chain; it does not decide, for the chain is judged
    again.
    """

    raw: ssl.SSLSession
    context_id: int
    host: str
    port: int | None
    chain: ValidatedChain | PresentedChain
    policy_version: int

    @property
    def id(self) -> bytes:
        """The session's id, as ``ssl.SSLSession`` has it."""
        return self.raw.id

    @property
    def time(self) -> int:
        """When the session was made, in seconds since the epoch."""
        return self.raw.time

    @property
    def timeout(self) -> int:
        """For how many seconds the session lives."""
        return self.raw.timeout

    @property
    def ticket_lifetime_hint(self) -> int:
        """For how many seconds the server says the ticket lives."""
        return self.raw.ticket_lifetime_hint

    @property
    def has_ticket(self) -> bool:
        """Whether the session holds a ticket."""
        return self.raw.has_ticket

    def is_for(self, host: str | None, port: int | None) -> bool:
        """Tell whether the session may be offered to this host and port."""
        return host is not None and self.host == host and self.port == port

    def is_of(self, leaf: bytes | None) -> bool:
        """Tell whether a server's certificate is the one that the remembered chain begins with."""
        return leaf is not None and leaf == self.chain.leaf

    def __repr__(self) -> str:
        """Return whose session it is."""
        return f"<RememberedSession of {self.host}>"

    def __eq__(self, other: object) -> bool:
        """Compare as ``ssl.SSLSession`` does: by the session itself."""
        return isinstance(other, RememberedSession) and self.raw == other.raw

    def __hash__(self) -> int:
        """Hash by the session's id."""
        return hash(bytes(self.raw.id))
