"""What a client of the lab says over a connection that it has accepted, and over the proxies on the way there."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pinscher.lab.client import SECRET
from pinscher.lab.scenario import Transport

if TYPE_CHECKING:
    from pinscher.lab.scenario import Visit


class Stream(Protocol):
    """A socket, or what behaves like one."""

    def sendall(self, content: bytes, /) -> None:
        """Send all of *content*."""

    def recv(self, limit: int, /) -> bytes:
        """Return what comes next, nothing at the end."""
        ...


class TalkError(OSError):
    """A server or a proxy that does not answer as it must."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the name as the user wrote it, the address that it is found at, and the path."""

    host: str
    address: tuple[str, int]
    path: str
    is_secure: bool = True

    @classmethod
    def of(cls, visit: Visit) -> Target:
        """Return where *visit* goes first."""
        return cls(visit.host, visit.address, visit.path)

    def after(self, location: str) -> Target:
        """Return where a redirect leads; every host of the lab is found on the loopback."""
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(f"https://localhost:{self.address[1]}{self.path}", location))
        host = self.host if not urllib.parse.urlsplit(location).netloc else parts.hostname or ""
        is_secure = parts.scheme == "https"
        port = parts.port or (443 if is_secure else 80)
        return Target(host, (self.address[0], port), parts.path or "/", is_secure)


def exchange(stream: Stream, visit: Visit, target: Target) -> str | None:
    """Send the secret as the visit's protocol does, read the answer, and return where it redirects to."""
    if visit.transport is not Transport.HTTPS:
        stream.sendall(_LOGIN[visit.transport].format(secret=SECRET).encode())
        _line(stream)
        return None
    host = f"[{target.host}]" if ":" in target.host else target.host
    # In Latin-1, as a client writes a host that it does not know to be a foreign name.
    stream.sendall(
        f"POST {target.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(SECRET)}\r\n\r\n"
        f"{SECRET}".encode("utf-8", "replace")
    )
    status, fields = read_response(stream)
    return fields.get("location") if 300 <= status < 400 else None


_LOGIN = {
    Transport.SMTP: "EHLO {secret}\r\n",
    Transport.IMAP: 'a2 LOGIN ada "{secret}"\r\n',
    Transport.POP3: "USER {secret}\r\n",
    Transport.FTP: "USER {secret}\r\n",
}


def ask_for_tunnel(stream: Stream, target: Target) -> None:
    """Ask an HTTP proxy to connect to *target*."""
    where = f"{target.host}:{target.address[1]}"
    stream.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
    status, _ = read_response(stream)
    if status != 200:
        raise TalkError(f"the proxy answers {status} to CONNECT, expected 200")


def read_response(stream: Stream) -> tuple[int, dict[str, str]]:
    """Read the head of an HTTP response, byte by byte so that nothing after it is lost."""
    first = _line(stream)
    fields = {}
    while line := _line(stream):
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    status = first.split(" ")[1] if first.startswith("HTTP/") and " " in first else ""
    if not status.isdecimal():
        raise TalkError(f"expected an HTTP response, found {first[:80]!r}")
    return int(status), fields


def _line(stream: Stream) -> str:
    line = b""
    while not line.endswith(b"\n"):
        received = stream.recv(1)
        if not received or len(line) > _LONGEST_LINE:
            raise TalkError(f"expected a line, found {line[:80]!r} and the end of the connection")
        line += received
    return line.decode("latin-1").rstrip("\r\n")


_LONGEST_LINE = 65_536
