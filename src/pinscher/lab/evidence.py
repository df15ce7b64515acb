"""
What a server in the lab saw of each connection: the attacker's side of the story, kept whatever the client says.

Safe to read and to write from any thread. Everything here was sent by a client under test: escape it before showing it.
"""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field
from typing import Any

KEPT_BYTES = 65_536
"""How many bytes of each kind are kept of a connection; all of them are counted."""


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """One connection as it stands: still going on until ``ended``."""

    number: int
    """0 for the first connection that the server accepted."""
    served: bytes | None = field(default=None, repr=False)
    """The DER of the leaf that the server was showing when the client greeted it; None if it never did."""
    server_name: str | None = None
    """The name that the client asked for (SNI)."""
    version: str | None = None
    """Such as ``TLSv1.3``; None before the handshake is complete."""
    resumed: bool = False
    handshake_completed: bool = False
    """Whether the server has seen the client's Finished. In TLS 1.3 a client may refuse later than that."""
    error: str | None = None
    """How the connection broke, in OpenSSL's or the system's words; None if it ended in order."""
    client_certificate: bytes | None = field(default=None, repr=False)
    """The DER of the certificate with which the client authenticated itself."""
    alpn: str | None = None
    application_bytes: int = 0
    """How many bytes the server decrypted: what a thief would have got."""
    content: bytes = b""
    """The beginning of the decrypted bytes."""
    plaintext_bytes: int = 0
    """How many bytes the client sent in clear, before or without TLS."""
    plaintext: bytes = b""
    """The beginning of the bytes sent in clear."""
    tunnelled_bytes: int = 0
    """How many bytes a proxy passed on for the client without reading them."""
    ended: bool = False


class Evidence:
    """The records of all of a server's connections, in the order they were accepted."""

    def __init__(self) -> None:
        self._records: list[ConnectionRecord] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """Return the number of connections accepted."""
        return len(self._records)

    def __getitem__(self, number: int) -> ConnectionRecord:
        """Return the record of one connection as it stands now."""
        with self._changed:
            return self._records[number]

    @property
    def connections(self) -> tuple[ConnectionRecord, ...]:
        """All records as they stand now."""
        with self._changed:
            return tuple(self._records)

    @property
    def application_bytes(self) -> int:
        """The number of bytes decrypted over all connections."""
        return sum(record.application_bytes for record in self.connections)

    @property
    def plaintext_bytes(self) -> int:
        """The number of bytes received in clear over all connections."""
        return sum(record.plaintext_bytes for record in self.connections)

    def begin(self) -> int:
        """Open the record of a new connection and return its number."""
        with self._changed:
            self._records.append(ConnectionRecord(len(self._records)))
            return len(self._records) - 1

    def note(self, number: int, **facts: Any) -> None:
        """Put *facts* into the record of connection *number*."""
        with self._changed:
            self._records[number] = dataclasses.replace(self._records[number], **facts)
            self._changed.notify_all()

    def decrypted(self, number: int, received: bytes) -> None:
        """Count *received* as application bytes of connection *number*."""
        with self._changed:
            record = self._records[number]
            kept = record.content + received[: KEPT_BYTES - len(record.content)]
            self._records[number] = dataclasses.replace(
                record, content=kept, application_bytes=record.application_bytes + len(received)
            )

    def tunnelled(self, number: int, received: bytes) -> None:
        """Count *received* as bytes that a proxy passed on for connection *number*."""
        with self._changed:
            record = self._records[number]
            total = record.tunnelled_bytes + len(received)
            self._records[number] = dataclasses.replace(record, tunnelled_bytes=total)

    def in_clear(self, number: int, received: bytes) -> None:
        """Count *received* as bytes that connection *number* carried in clear."""
        with self._changed:
            record = self._records[number]
            kept = record.plaintext + received[: KEPT_BYTES - len(record.plaintext)]
            self._records[number] = dataclasses.replace(
                record, plaintext=kept, plaintext_bytes=record.plaintext_bytes + len(received)
            )

    def wait_ended(self, timeout: float) -> bool:
        """Wait up to *timeout* seconds until no connection is going on, and say whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: all(record.ended for record in self._records), timeout)
