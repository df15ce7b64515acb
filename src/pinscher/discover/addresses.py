"""
Addresses in text: the host, the port and the scheme, and nothing else of what stands there.

The user, the path and the query of an address are looked at for what they carry, and then dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.discover.matters import Crossing, Matter, of_name, of_path
from pinscher.host import InvalidHostError, canonical_host, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = (
    "https", "http", "wss", "ws", "ftps", "ftp", "grpcs", "grpc", "postgresql", "postgres", "mysql", "mariadb",
    "rediss", "redis", "mongodb+srv", "mongodb", "amqps", "amqp", "kafka", "ldaps", "ldap", "smtps", "smtp", "imaps",
    "imap", "mqtts", "mqtt", "nats", "ssl", "tls", "tcp",
)  # fmt: skip
_ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9+.-])({'|'.join(map(re.escape, _SCHEMES))}):(?:\\?/){{2}}((?:<[\w.-]*>|[^\s/?#\"'`\\<>]){{0,600}})"
    r"([^\s\"'<>`\\]{0,2048})",
    re.IGNORECASE,
)
PLAIN_SCHEMES = frozenset({"http", "ws", "ftp"})
"""The schemes of addresses that are reached without TLS."""

TEMPLATED = "a host that is put together at run time"
DOTLESS = "a name without a dot"
INVALID = "an address without a usable host"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an address leads, and what it carries in itself."""

    host: str
    port: int | None
    scheme: str | None
    carried: Counter[Crossing]
    moves: tuple[Crossing, ...] = ()
    """The money-moving verbs of the path; whether money moves depends on the method."""


def addresses_in(text: str) -> Iterator[Address | str]:
    """Yield each address of a text, or the reason why one of them leads nowhere."""
    for found in _ADDRESS.finditer(text):
        scheme, authority, rest = found[1].lower(), found[2], found[3]
        user, at, hosts = authority.rpartition("@")
        path, _, query = rest.partition("?")
        carried = Counter(_query(query.partition("#")[0]))
        if at and ":" in user:
            carried[Crossing(Matter.CREDENTIAL, "password")] += 1
        elif at:
            carried[Crossing(Matter.CREDENTIAL, "user name")] += 1
        moves = tuple(of_path(path))
        for one in hosts.split(","):
            host = host_and_port(one.rstrip(".,;:!)>]}*|") if "[" not in one else one)
            yield host if isinstance(host, str) else Address(host[0], host[1], scheme, carried, moves)


def _query(query: str) -> Iterator[Crossing]:
    for part in query.split("&"):
        crossing = of_name(part.partition("=")[0]) if part else None
        if crossing:
            yield crossing


_TEMPLATE = re.compile(r"[{}$%<>()+|^]")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::(\d{1,5}))?")


def host_and_port(text: str) -> tuple[str, int | None] | str:
    """Return the canonical host and the port of ``host`` or ``host:port``, or the reason why there is none."""
    if _TEMPLATE.search(text):
        return TEMPLATED
    bracketed = _BRACKETED.match(text)
    host, port = bracketed.groups() if bracketed else _parted(text)
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        return INVALID
    try:
        canonical = canonical_host(host)
    except InvalidHostError:
        return INVALID
    if "." not in canonical and not is_ip_literal(canonical) and canonical != "localhost":
        return DOTLESS
    return canonical, int(port) if port else None


def _parted(text: str) -> tuple[str, str]:
    host, _, port = text.partition(":")
    return host, port
