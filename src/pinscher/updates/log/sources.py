"""
Where a log's files are read from: a folder, or a web server.

Nothing here is trusted but for its size and its time: what the files say is held to what the checkpoint signs.
"""

from __future__ import annotations

import os
import stat
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from pinscher.errors import escaped
from pinscher.updates.log.errors import LogDamagedError, LogUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse

_PIECE = 64 * 1024


class Source(Protocol):
    """Gives the files of a log."""

    def fetch(self, path: str, limit: int) -> bytes | None:
        """Return a file of at most *limit* octets, or None if there is none; raise a ``LogError`` otherwise."""
        ...


class FolderSource:
    """A log in a folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)

    def fetch(self, path: str, limit: int) -> bytes | None:
        """Read a file."""
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(os.path.join(self._path, path), flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LogUnreachableError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LogDamagedError(f"{path} is not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                return _bounded(stream.read(limit + 1), path, limit)
        finally:
            os.close(descriptor)


class HttpSource:
    """
    A log below a URL; *seconds* bound one file as a whole. Redirects are refused.

    The transport proves nothing that the checkpoint's signature does not, so that clear-text HTTP will do.
    """

    def __init__(self, prefix: str, *, seconds: float = 30.0, now: Callable[[], float] = time.monotonic) -> None:
        parts = urlsplit(prefix)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise LogUnreachableError(f"{escaped(prefix)!r} is no URL of a log, expected https://...")
        self._prefix = prefix.rstrip("/")
        self._seconds = seconds
        self._now = now
        self._opener = urllib.request.build_opener(_NoRedirects)

    def fetch(self, path: str, limit: int) -> bytes | None:
        """Get a file."""
        deadline = self._now() + self._seconds
        request = urllib.request.Request(f"{self._prefix}/{path}", headers={"Accept-Encoding": "identity"})  # noqa: S310  (https or http, above)
        try:
            with self._opener.open(request, timeout=self._seconds) as response:
                return _bounded(self._read(response, limit, deadline), path, limit)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return None
            raise LogUnreachableError(f"{path} was answered with HTTP status {error.code}") from None
        except (OSError, ValueError) as error:
            # The library wraps what the system said, and puts the errno in front of it.
            cause = getattr(error, "reason", error)
            reason = str(getattr(cause, "strerror", None) or cause).lower()
            raise LogUnreachableError(f"{path} cannot be had: {escaped(reason)}") from None

    def _read(self, response: HTTPResponse, limit: int, deadline: float) -> bytes:
        pieces, length = [], 0
        while length <= limit and (piece := response.read1(_PIECE)):
            pieces.append(piece)
            length += len(piece)
            if self._now() > deadline:
                raise TimeoutError("the server is too slow")
        return b"".join(pieces)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the answer is then an error with its status."""


def _bounded(content: bytes, path: str, limit: int) -> bytes:
    if len(content) > limit:
        raise LogDamagedError(f"{path} has more than {limit} octets")
    return content


def source_of(text: str) -> Source:
    """Return what a person means: a URL or a folder."""
    return HttpSource(text) if "://" in text else FolderSource(text)
