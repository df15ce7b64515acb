"""
How what a log serves travels: bounded in octets and time, and to public addresses alone.

Rules of this file:

1. A server is verified by the platform. Nothing is believed for the way it came all the same: signatures decide.
2. A connection goes to an address that was checked, and no redirect is followed.
3. An answer is read to its limit and never beyond, compressed or not, and is cut when its time is over.
4. Nothing is asked for after the turn that it was wanted in.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.address import is_public
from pinscher.errors import escaped
from pinscher.reports.deadline import closed_after
from pinscher.updates.log import LogDamagedError, LogUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30.0
"""How long one file may take as a whole."""
_ABSENT = frozenset({404, 410})
_PIECE = 64 * 1024


class LogSite:
    """The files below a log's address, over one connection that is kept; it belongs to one thread at a time."""

    def __init__(
        self, url: str, *, allow_private: bool = False, seconds: float = SECONDS, context: ssl.SSLContext | None = None,
        is_cut: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Take a URL that ``logs`` has checked; *is_cut* tells that the turn is no more (rule 4)."""
        parts = urlsplit(url)
        self._host, self._is_plain = parts.hostname or "", parts.scheme == "http"
        self._port = parts.port or (80 if self._is_plain else 443)
        self._prefix = parts.path
        self._allow_private = allow_private
        self._seconds = seconds
        self._given = context
        self._is_cut = is_cut
        self._connection: http.client.HTTPConnection | None = None

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        return self._given or ssl.create_default_context()

    def fetch(self, path: str, limit: int) -> bytes | None:
        """Return a file of at most *limit* octets, or None if there is none; raise a ``LogError`` otherwise."""
        shown = escaped(path)
        if self._is_cut():
            raise LogUnreachableError(f"{shown} was not asked for: the log took too long to answer what came before")
        try:
            return self._fetch(path, limit)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
            raise LogUnreachableError(f"{shown} cannot be had: {escaped(str(reason))}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fetch(self, path: str, limit: int) -> bytes | None:
        if self._connection is not None:
            # The server may have ended a connection that was kept, which says nothing about the log.
            with contextlib.suppress(http.client.RemoteDisconnected, ConnectionError):
                return self._asked(self._connection, path, limit)
            self.close()
        connected = self._connected()
        self._connection = http.client.HTTPConnection(self._host, self._port)
        self._connection.sock = connected
        return self._asked(self._connection, path, limit)

    def _connected(self) -> socket.socket:
        failure: OSError = OSError("the name has no address")
        for family, address in self._addresses():
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._seconds)
                connection.connect((address, self._port))
                if self._is_plain:
                    return connection
                with closed_after(connection, self._seconds):
                    return self._context.wrap_socket(connection, server_hostname=self._host)
            except ssl.SSLError:
                connection.close()
                raise
            except OSError as error:
                connection.close()
                failure = error
        raise failure

    def _addresses(self) -> list[tuple[int, str]]:
        answers = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in answers))
        for _, address in found:
            if not (self._allow_private or is_public(address)):
                raise OSError(f"its name leads to {address}, which is not a public address")
        return found

    def _asked(self, connection: http.client.HTTPConnection, path: str, limit: int) -> bytes | None:
        with closed_after(connection.sock, self._seconds):
            connection.request("GET", f"{self._prefix}/{path}", headers=_HEADERS)
            with contextlib.closing(connection.getresponse()) as answer:
                content = _read(answer, limit, path)
                is_kept = answer.isclosed() and not answer.will_close
        if not is_kept:
            self.close()
        if answer.status in _ABSENT:
            return None
        if answer.status != http.HTTPStatus.OK:
            raise LogUnreachableError(f"{escaped(path)} was answered with HTTP status {answer.status}")
        return content


_HEADERS = {"User-Agent": "pinscher", "Accept-Encoding": "gzip"}


def _read(answer: http.client.HTTPResponse, limit: int, path: str) -> bytes:
    coding = (answer.getheader("Content-Encoding") or "identity").strip().lower()
    content = b"".join(_pieces(answer, limit))
    if coding == "gzip":
        content = _inflated(content, limit)
    elif coding != "identity":
        raise LogUnreachableError(f"{escaped(path)} came as {escaped(coding, limit=40)!r}, expected gzip or identity")
    if len(content) > limit:
        raise LogDamagedError(f"{escaped(path)} has more than {limit} octets")
    return content


def _pieces(answer: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    rest = limit + 1
    while rest and (piece := answer.read(min(_PIECE, rest))):
        rest -= len(piece)
        yield piece


def _inflated(content: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        return inflater.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(f"no gzip: {error}") from None
