"""
Where a forwarder listens: the loopback, or a socket in the file system.

Rules of this file:

1. Only addresses of the loopback, for what arrives there is in clear; others must be allowed by name.
2. A socket in the file system can be used by its owner alone, from the moment it is there.
3. A file that is in the way stays, unless it is a socket of our own that nobody listens on any more.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from typing import Self

from pinscher.errors import PinningError, escaped

_WAITING = 1024
"""Connections that the operating system keeps until they are accepted."""
_LARGEST_PORT = 65_535


class ListenError(PinningError, ValueError):
    """A place where nobody can listen; ``text`` holds it, ``reason`` says why."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"cannot listen on '{escaped(text)}': {reason}")
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """An IP address and a port, of which 0 is any free one, or the path of a socket."""

    address: str
    port: int | None
    """None for a socket in the file system, whose path is the address."""

    @classmethod
    def parse(cls, text: str, *, beyond_loopback: bool = False) -> Self:
        """Read ``127.0.0.1:PORT``, ``[::1]:PORT``, ``:PORT`` for 127.0.0.1, or ``unix:PATH``."""
        if text.startswith("unix:"):
            if not text[5:] or "\x00" in text:
                raise ListenError(text, "expected a path after 'unix:'")
            return cls(text[5:], None)
        host, colon, port = text.rpartition(":")
        is_port = port.isascii() and port.isdecimal() and len(port) <= len(str(_LARGEST_PORT))
        if not colon or not is_port or int(port) > _LARGEST_PORT:
            raise ListenError(text, "expected ADDRESS:PORT, [ADDRESS]:PORT, :PORT or unix:PATH")
        return cls(str(_address(text, host, beyond_loopback=beyond_loopback)), int(port))

    def listen(self) -> Listening:
        """Begin to listen, or raise :class:`ListenError`."""
        if self.port is None:
            return _listen_on_path(self)
        return _listen_on_address(self, self.port)

    def __str__(self) -> str:
        """Return the place in the form that :meth:`parse` reads."""
        if self.port is None:
            return f"unix:{self.address}"
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens, and where; ``remove`` takes its file away again."""

    socket: socket.socket
    place: Place
    file: tuple[int, int] | None = None
    """Device and number of the socket's file, if it has one."""

    def remove(self) -> None:
        """Remove the socket's file, if it is still the one that was made."""
        with contextlib.suppress(OSError):
            if self.file is not None and self.file == _file(self.place.address):
                os.unlink(self.place.address)


def _address(text: str, host: str, *, beyond_loopback: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = ipaddress.ip_address(bare or "127.0.0.1")
    except ValueError:
        raise ListenError(text, "expected an IP address, such as 127.0.0.1 or [::1]") from None
    if (found.version == 6) != (bare != host):
        raise ListenError(text, "write an IPv6 address in brackets, and no other")
    if not found.is_loopback and not beyond_loopback:
        raise ListenError(text, "other machines reach this address, and what arrives there is in clear")
    return found


def _listen_on_address(place: Place, port: int) -> Listening:
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Elsewhere than on POSIX this option lets another program take the port over.
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((place.address, port))
        made.listen(_WAITING)
    except OSError as error:
        made.close()
        raise ListenError(str(place), _reason(error)) from None
    return Listening(made, Place(place.address, made.getsockname()[1]))


def _listen_on_path(place: Place) -> Listening:
    if not hasattr(socket, "AF_UNIX"):
        raise ListenError(str(place), "this platform has no sockets in the file system")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(place)
        mask = os.umask(0o177)
        try:
            made.bind(place.address)
        finally:
            os.umask(mask)
        made.listen(_WAITING)
        return Listening(made, place, _file(place.address))
    except (OSError, ValueError) as error:
        made.close()
        if isinstance(error, ListenError):
            raise
        raise ListenError(str(place), _reason(error)) from None


def _clear(place: Place) -> None:
    """Remove a socket of our own that nobody listens on, and refuse whatever else is in the way (rule 3)."""
    try:
        found = os.lstat(place.address)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise ListenError(str(place), "a file is there that is no socket of this user")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.setblocking(False)
        try:
            asked.connect(place.address)
        except ConnectionRefusedError:
            os.unlink(place.address)
            return
        except BlockingIOError:
            pass
    raise ListenError(str(place), "somebody listens there already")


def _file(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _reason(error: Exception) -> str:
    return escaped((getattr(error, "strerror", None) or str(error)).lower())
