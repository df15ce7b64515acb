"""
Under which name people reach the dashboard, and which requests come from its own pages.

Rules of this file:

1. A page is given under an address, ``localhost`` or the name that was configured, and under no other: a name that
   somebody points here (DNS rebinding) gets nothing.
2. What changes something says in ``Origin`` that it comes from here; every browser says so.
3. Under the configured name the world outside is https, so cookies are marked for it, and bound to that very host.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pinscher.errors import escaped
from pinscher.monitor.errors import MonitorError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class ForeignNameError(MonitorError):
    """A request under a name that is not the dashboard's."""

    status: ClassVar[int] = 421


class ForgedRequestError(MonitorError):
    """A request that was not made by one of the dashboard's own pages."""

    status: ClassVar[int] = 403


class InvalidAddressError(MonitorError):
    """An address of the dashboard that cannot be one."""


class Site:
    """The dashboard's own name; *url* is how people reach it through a proxy that speaks TLS, if they do."""

    def __init__(self, url: str | None = None) -> None:
        self.url = None if url is None else _origin(url)
        self._name = None if self.url is None else self.url.removeprefix("https://")

    def check_name(self, request: Request) -> None:
        """Refuse a request under a name that is not this site's (rule 1)."""
        host = request.headers.get("host", "")
        if host != self._name and not _is_address(host):
            raise ForeignNameError(f"this is no dashboard of '{escaped(host)}': name it with --url, or use its address")

    def check_origin(self, request: Request) -> None:
        """Refuse a change that another site asked for (rule 2)."""
        found = request.headers.get("origin", "")
        if found != self.origin(request):
            raise ForgedRequestError(
                f"expected a form of {escaped(self.origin(request))}, found one of '{escaped(found)}'"
            )

    def origin(self, request: Request) -> str:
        """Return the origin of the pages that this request belongs to."""
        host = request.headers.get("host", "")
        return f"https://{host}" if self.is_secure(request) else f"http://{host}"

    def is_secure(self, request: Request) -> bool:
        """Tell whether the browser speaks https (rule 3)."""
        return self._name is not None and request.headers.get("host") == self._name

    def cookie(self, request: Request, name: str) -> str:
        """Return what a cookie of this site holds, or nothing."""
        return str(request.cookies.get(self._cookie_name(request, name), ""))

    def set_cookie(self, request: Request, response: Response, name: str, value: str) -> None:
        """Give a cookie that no script reads and no other site sends; an empty value takes it away."""
        response.set_cookie(
            self._cookie_name(request, name), value, max_age=None if value else 0, path="/", httponly=True,
            secure=self.is_secure(request), samesite="strict",
        )  # fmt: skip

    def _cookie_name(self, request: Request, name: str) -> str:
        return f"__Host-pinscher-{name}" if self.is_secure(request) else f"pinscher-{name}"


def _is_address(host: str) -> bool:
    """Tell whether a Host header names an address or this machine: neither can be pointed elsewhere."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        # What a browser sends: no default port, lower case, nothing after the name.
        port = "" if parts.port in (None, 443) else f":{parts.port}"
    except ValueError:
        parts, port = urlsplit(""), ""
    host = parts.hostname or ""
    if parts.scheme != "https" or not host or not host.isascii() or parts.path not in ("", "/") or parts.username:
        raise InvalidAddressError(
            f"expected https:// and a name, such as https://monitor.example, found '{escaped(url)}'"
        )
    return f"https://[{host}]{port}" if ":" in host else f"https://{host}{port}"
