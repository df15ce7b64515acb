"""
The path that OpenSSL validated on a probe's connection, as the type that pins are matched against.

Rules of this file:

1. A :class:`~pinscher.chain.ValidatedChain` is made only from a connection whose context verified both the chain and
   the name, and only from the certificates that OpenSSL's own verification used.
2. With verification off CPython still returns a "verified" chain; it is built by name and proves nothing. Such a
   connection is refused here.
3. The path begins with the leaf that this very connection authenticated.

This proves that a path to a trusted root existed at this moment from this machine. It does not prove that another
machine, with other roots, builds the same path.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from pinscher.chain import ValidatedChain
from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnverifiedPathError(PinningError):
    """Certificates that no verification stands behind, offered as a validated path; ``reason`` says what is missing."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"this is not a validated path: {reason}")
        self.reason = reason


def validated_path(connection: ssl.SSLSocket, verified: Sequence[bytes]) -> ValidatedChain:
    """Return the path that *connection* was verified by; raise :class:`UnverifiedPathError` when it was not."""
    context = connection.context
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise UnverifiedPathError("the connection verified no chain, no host name, or neither")
    if connection.session_reused:
        raise UnverifiedPathError("the connection resumed a session, and verified nothing itself")
    if not verified:
        raise UnverifiedPathError("it is empty")
    if verified[0] != connection.getpeercert(binary_form=True):
        raise UnverifiedPathError("it does not begin with the leaf that the server proved to hold")
    return ValidatedChain(tuple(verified))
