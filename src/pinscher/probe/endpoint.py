"""Where a server is: a host, a port, and the protocol that is spoken before TLS begins."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Self

from pinscher.errors import PinningError, escaped
from pinscher.host import InvalidHostError, canonical_host


class Protocol(enum.Enum):
    """What is spoken in clear before the TLS handshake; ``TLS`` is nothing at all."""

    TLS = "tls"
    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"
    FTP = "ftp"
    POSTGRES = "postgres"

    @property
    def default_port(self) -> int:
        """The port that IANA registered for the protocol; for SMTP the relay's, not the submission port 587."""
        return _DEFAULT_PORTS[self]


_DEFAULT_PORTS = {
    Protocol.TLS: 443,
    Protocol.SMTP: 25,
    Protocol.IMAP: 143,
    Protocol.POP3: 110,
    Protocol.FTP: 21,
    Protocol.POSTGRES: 5432,
}


class InvalidEndpointError(PinningError, ValueError):
    """A text that is not ``host``, ``host:port`` or ``[IPv6]:port``; ``text`` holds it."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"endpoint '{escaped(text)}' cannot be used: {reason}")
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One server to look at; ``host`` is canonical and is the name that TLS verifies.

    ``connect_to`` replaces the address that DNS would give, and leaves the verified name alone: a server can be looked
    at before its name points there.
    """

    host: str
    port: int = 443
    protocol: Protocol = field(default=Protocol.TLS, kw_only=True)
    connect_to: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Keep the host canonical and the port in range."""
        try:
            object.__setattr__(self, "host", canonical_host(self.host))
        except InvalidHostError as error:
            raise InvalidEndpointError(self.host, error.reason) from None
        if not 1 <= self.port <= _LARGEST_PORT:
            raise InvalidEndpointError(str(self), f"a port is a number from 1 to {_LARGEST_PORT}")

    @classmethod
    def parse(cls, text: str, *, protocol: Protocol = Protocol.TLS, connect_to: str | None = None) -> Self:
        """Read ``host``, ``host:port``, ``[IPv6]:port`` or a bare IPv6 address."""
        if "://" in text:
            raise InvalidEndpointError(text, "give the host alone, without scheme or path")
        host, port = _split(text)
        number = protocol.default_port if port is None else _port(text, port)
        return cls(host, number, protocol=protocol, connect_to=connect_to)

    def __str__(self) -> str:
        """Return the endpoint in the form that :meth:`parse` reads."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LARGEST_PORT = 65535


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise InvalidEndpointError(text, "write an IPv6 address with a port as [address]:port")
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdecimal() and len(port) <= len(str(_LARGEST_PORT))):
        raise InvalidEndpointError(text, f"a port is a number from 1 to {_LARGEST_PORT}")
    return int(port)
