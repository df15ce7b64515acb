"""
A report channel: one HTTPS address, its own context, and what counts as an answer.

Rules of this file:

1. There is no channel but those that a policy names, and none whose host the same policy pins: when those pins are
   wrong, their report could not leave.
2. The context is handed in, verifies chain and name, and holds the channel's own pins. The connection is made to an
   address that was checked, by this file; no proxy of the environment is asked.
3. A redirect is an answer like any other that is not "stored", and is never followed.
4. Stored means 200, 201 or 204. 202 says that somebody may store it later, which is not enough to let it go.
5. One delivery ends within its seconds, however slowly a server answers, and reads a bounded answer.
"""

from __future__ import annotations

import enum
import http.client
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.errors import PinningError, escaped
from pinscher.reports.addresses import PrivateAddressError, public_addresses
from pinscher.reports.deadline import closed_after

if TYPE_CHECKING:
    from pinscher.entry import ReportChannel
    from pinscher.policy import Policy

_STORED = frozenset({200, 201, 204})
_LARGEST_ANSWER = 65_536
LONGEST_WAIT = 86_400.0
"""Seconds that a server may ask for with Retry-After; a longer wish counts as this one."""


class ChannelRefusedError(PinningError, ValueError):
    """A report channel that must not be used; ``channel`` names it and ``reason`` says why."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(f"report channel '{escaped(channel)}' cannot be used: {reason}")
        self.channel = channel
        self.reason = reason


class DeliveryError(PinningError):
    """
    A delivery without the answer that it is stored.

    ``status`` is what the server answered, None where it did not; ``retry_after`` the seconds that it asked for.
    """

    def __init__(self, channel: str, reason: str, *, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(f"report channel '{escaped(channel)}' did not store it: {reason}")
        self.channel = channel
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


class Kind(enum.Enum):
    """What is delivered; the value is the last part of its address."""

    REPORT = "reports"
    HEARTBEAT = "heartbeats"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that may be used; make one with :meth:`of`."""

    named: ReportChannel
    context: ssl.SSLContext = field(repr=False)
    token: str | None = field(default=None, kw_only=True, repr=False)
    seconds: float = field(default=20.0, kw_only=True)

    @classmethod
    def of(
        cls, policy: Policy, name: str, context: ssl.SSLContext, *, token: str | None = None, seconds: float = 20.0
    ) -> Channel:
        """
        Return the channel that *policy* calls *name*; raise :class:`ChannelRefusedError` (rules 1 and 2).

        *context* is a pinned one that knows the channel's host and pins; *token* tells a collector which app reports.
        """
        named = policy.reporting.get(name)
        if named is None:
            raise ChannelRefusedError(name, "the policy names no such channel, and there is no other")
        entry = policy.lookup_canonical(named.host)
        if entry is not None and entry.pinset is not None:
            reason = f"{named.host} is pinned by the same policy, and could not report that its pins are wrong"
            raise ChannelRefusedError(name, reason)
        if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
            raise ChannelRefusedError(name, "its context verifies no chain, no host name, or neither")
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise ChannelRefusedError(name, "its token holds what cannot stand in a header")
        return cls(named, context, token=token, seconds=seconds)

    @property
    def name(self) -> str:
        """What the policy calls the channel."""
        return self.named.name

    def deliver(self, kind: Kind, content: bytes, *, key: str) -> None:
        """Post *content* under an idempotency key; return when it is stored, else raise :class:`DeliveryError`."""
        try:
            connection = self._connect()
            with closed_after(connection, self.seconds), connection:
                self._post(connection, kind, content, key)
        except PrivateAddressError as error:
            raise DeliveryError(self.name, str(error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            told = escaped(str(error).partition("\n")[0] or type(error).__name__)
            raise DeliveryError(self.name, told) from error

    def _connect(self) -> ssl.SSLSocket:
        """Connect the context to an address that was checked, and to nothing else (rule 2)."""
        host, port = self.named.host, urlsplit(self.named.url).port or 443
        failure: OSError = OSError("the name has no address")
        for family, address in public_addresses(host, port, allow_private=self.named.allow_private):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(self.seconds)
                connection.connect((address, port))
                # A context may close what it refuses, and a handshake that trickles has its end as well.
                with closed_after(connection, self.seconds):
                    return self.context.wrap_socket(connection, server_hostname=host)
            except ssl.SSLError:
                connection.close()
                raise
            except OSError as error:
                connection.close()
                failure = error
        raise failure

    def _post(self, connection: ssl.SSLSocket, kind: Kind, content: bytes, key: str) -> None:
        parts = urlsplit(self.named.url)
        host = f"[{self.named.host}]" if ":" in self.named.host else self.named.host
        path = f"{parts.path.rstrip('/')}/{kind.value}{'?' + parts.query if parts.query else ''}"
        spoken = http.client.HTTPConnection(host, parts.port or 443)
        spoken.sock = connection
        headers = {
            "Host": host if parts.port in (None, 443) else f"{host}:{parts.port}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Connection": "close",
        } | ({} if self.token is None else {"Authorization": f"Bearer {self.token}"})
        spoken.request("POST", path, body=content, headers=headers)
        answer = spoken.getresponse()
        try:
            if answer.status not in _STORED:
                wish = _seconds(answer.getheader("Retry-After"))
                raise DeliveryError(self.name, f"it answered {answer.status}", status=answer.status, retry_after=wish)
            answer.read(_LARGEST_ANSWER)
        finally:
            answer.close()


def _seconds(wish: str | None) -> float:
    """Return the seconds of a Retry-After; a date is not read, and counts as no wish."""
    if wish is None or not (wish.isascii() and wish.isdecimal() and len(wish) < 10):
        return 0.0
    return min(float(wish), LONGEST_WAIT)
