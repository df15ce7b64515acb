"""
How the files of a repository travel: over HTTPS, bounded in size and time, from several mirrors.

Rules of this file:

1. HTTPS, verified by the platform; plain HTTP to the loopback alone. Nothing that travels is believed for the way it
   came: signatures decide, so that the way back from a wrong pin cannot be closed by that pin.
2. No redirect is followed, no cookie kept, no user name sent.
3. A file is read to its limit and never beyond, and a connection that is not through in time is cut.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

from pinscher.errors import escaped
from pinscher.host import canonical_host
from pinscher.updates.errors import (
    AbsentFileError,
    EndlessDataError,
    RepositoryUnreachableError,
    SlowRetrievalError,
    UpdateError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pinscher.updates.limits import Limits

_CHUNK = 64 * 1024


def check_address(address: str) -> str:
    """Return a repository's address without a slash at its end; raise ``ValueError`` for what is none (rule 1)."""
    if "@" in address.partition("//")[2].partition("/")[0]:
        # What stands in front of the host is a secret as a rule, and errors end in logs.
        raise ValueError("the address of a repository has no user, found one before its host")
    try:
        parts = urlsplit(address)
        host, port = canonical_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise ValueError(f"the address of a repository, found {address!r}: {error}") from None
    is_bare = not parts.query and not parts.fragment and port != 0
    if not is_bare or not address.isascii() or not address.isprintable() or " " in address:
        raise ValueError(f"the address of a repository is ASCII without query and fragment, found {address!r}")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"the address of a repository begins with https://, found {address!r}")
    return address.rstrip("/")


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdigit())


class Mirror:
    """
    One address of a repository; calling it returns one of its files.

    Args:
        address: what :func:`check_address` allows.
        limits: how long to wait.
        context: what verifies the server; the platform's default when None.
    """

    def __init__(self, address: str, *, limits: Limits, context: ssl.SSLContext | None = None) -> None:
        self.address = check_address(address)
        self._limits = limits
        self._context = context

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        is_plain = self.address.startswith("http:")
        # A proxy of the environment is not asked for the loopback.
        proxies = urllib.request.ProxyHandler({} if is_plain else None)
        opener = urllib.request.OpenerDirector()
        for handler in (proxies, _Http() if is_plain else _Https(self._context or ssl.create_default_context())):
            opener.add_handler(handler)
        opener.addheaders = [("User-Agent", "pinscher"), ("Accept-Encoding", "identity")]
        return opener

    def __call__(self, path: str, octets: int, /) -> bytes:
        """Return a file of at most *octets* octets; raise an :class:`UpdateError` that names this mirror."""
        try:
            return self._fetch(path, octets)
        except UpdateError as error:
            raise error.of(self.address) from None

    def _fetch(self, path: str, octets: int) -> bytes:
        with _Watch(self._limits.file_seconds) as watch:
            try:
                request = urllib.request.Request(f"{self.address}/{path}")  # noqa: S310  (check_address allowed it)
                request.watch = watch  # type: ignore[attr-defined]
                with contextlib.closing(self._opener.open(request, timeout=self._limits.idle_seconds)) as response:
                    _check_status(response.status, path)
                    return b"".join(_chunks(response, octets, path, watch))
            except TimeoutError:
                raise _slow(path, self._limits.idle_seconds) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._explain(error, path, watch)

    def _explain(self, error: Exception, path: str, watch: _Watch) -> NoReturn:
        if watch.has_cut:
            raise _slow(path, self._limits.file_seconds) from None
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, TimeoutError):
            raise _slow(path, self._limits.idle_seconds) from None
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise RepositoryUnreachableError(f"cannot fetch {escaped(path)}: {escaped(str(reason))}") from error


def _slow(path: str, seconds: float) -> SlowRetrievalError:
    return SlowRetrievalError(f"{escaped(path)} did not come within {seconds:g} seconds")


def _check_status(status: int, path: str) -> None:
    if status == http.HTTPStatus.OK:
        return
    # Object stores answer 403 for what is not there when the list of files is not public.
    kind = AbsentFileError if status in {403, 404} else RepositoryUnreachableError
    raise kind(f"{escaped(path)}: status {status}, expected 200")


def _chunks(response: Any, octets: int, path: str, watch: _Watch) -> Iterator[bytes]:
    read = 0
    while chunk := response.read1(min(_CHUNK, octets + 1 - read)):
        read += len(chunk)
        if read > octets:
            raise EndlessDataError(f"{escaped(path)} is longer than the {octets} octets it may have")
        yield chunk
    if watch.has_cut:
        raise _slow(path, watch.seconds)
    if response.length:
        raise RepositoryUnreachableError(f"{escaped(path)} ended {response.length} octets early")


class _Watch:
    """Cuts the connection it was shown when the time is over, in whatever state the connection is."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.has_cut = False
        self._ends = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def see(self, connected: socket.socket) -> None:
        """Watch a connection, by a descriptor of its own that outlives whatever wraps the connection."""
        self._socket = connected.dup()
        self._timer = threading.Timer(max(self._ends - time.monotonic(), 0), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self.has_cut = True
        watched = self._socket
        if watched is not None:
            with contextlib.suppress(OSError):
                watched.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._socket is not None:
            self._socket.close()


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPConnection, req), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._own_context = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPSConnection, req), req, context=self._own_context)


def _watched(kind: type[http.client.HTTPConnection], request: urllib.request.Request) -> Callable[..., Any]:
    """Return what makes a connection whose socket is shown to the request's watch before a TLS handshake begins."""
    watch: _Watch = request.watch  # type: ignore[attr-defined]

    def connected(*arguments: Any) -> socket.socket:
        made = socket.create_connection(*arguments)
        watch.see(made)
        return made

    def build(*arguments: Any, **named: Any) -> http.client.HTTPConnection:
        connection = kind(*arguments, **named)
        # The standard library's own hook for tests; there is no other place between connect and handshake.
        connection._create_connection = connected  # type: ignore[attr-defined]  # noqa: SLF001
        return connection

    return build
