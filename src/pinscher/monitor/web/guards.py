"""
What every route relies on: bounded bodies, tokens, and answers that no browser runs.

Rules of this file:

1. A body is read up to its limit and for a limited time, whatever its headers say.
2. An answer is JSON of ASCII text in which no letter means anything to HTML.
3. The interface has no cookies: a token stands in the Authorization header, and so no page can use somebody else's.
4. Who asks from this machine is trusted with figures alone, and only under a name of this machine: a page that had a
   name of its own point here (DNS rebinding) gets nothing. Nor does whoever comes through a proxy that says so in any
   of the usual ways; one that says nothing cannot be told from this machine.
5. The number of a row in a path has at most 18 digits: Starlette's own ``int`` takes thousands, which Python refuses.
6. What fails unexpectedly is answered in one sentence, with the headers of every answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pinscher.errors import escaped
from pinscher.monitor.errors import MonitorError, StrangerError, TooLargeError, TooManyError, TooSlowError
from pinscher.monitor.limits import network_of
from pinscher.monitor.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pinscher.monitor.monitor import Monitor

BODY_SECONDS = 10.0
"""How long a body may take."""


class RowNumber(Convertor[int]):
    """The number of a row, written ``{number:number}`` in a path (rule 5)."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        """Return the number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Return its digits."""
        return str(value)


register_url_convertor("number", RowNumber())


async def body_of(request: Request, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body of a request, or raise (rule 1)."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise TooLargeError(f"at most {limit} octets, expected fewer")
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise TooLargeError(f"at most {limit} octets, expected fewer")
                parts.append(part)
    except TimeoutError:
        raise TooSlowError(f"the body did not arrive within {seconds:g} s") from None
    return b"".join(parts)


def monitor_of(request: Request) -> Monitor:
    """Return the monitor that a request is for."""
    monitor: Monitor = request.app.state.monitor
    return monitor


def bearer(request: Request) -> str:
    """Return the token in the Authorization header, or nothing."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def require_operator(request: Request) -> str:
    """Return whose operator's token this is, or raise; strangers who guess are slowed down."""
    return holder_of(request, bearer(request), Role.OPERATOR)


def holder_of(request: Request, token: str, role: Role) -> str:
    """Return whose token it is, or raise."""
    monitor = monitor_of(request)
    name = monitor.tokens.holder(token, role) if token else None
    if name is None:
        monitor.strangers.take(network_of(_sender(request)))
        raise StrangerError("expected a token in the Authorization header: Bearer ...")
    return name


def is_local(request: Request) -> bool:
    """Tell whether somebody on this machine asks, by a name of this machine and through no proxy (rule 4)."""
    if any(name in _OF_PROXIES or name.startswith(_OF_PROXIES_BEGIN) for name in request.headers):
        return False
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _is_loopback(_sender(request)) and (name == "localhost" or _is_loopback(name))


_OF_PROXIES = frozenset({"cdn-loop", "client-ip", "fastly-client-ip", "forwarded", "true-client-ip", "via"})
_OF_PROXIES_BEGIN = (
    "cf-", "x-amzn-", "x-client-ip", "x-cluster-client-ip", "x-envoy-", "x-forwarded", "x-original-", "x-real-ip",
)  # fmt: skip
"""Headers that proxies, tunnels and content networks add, and no scraper of this machine does."""


def _sender(request: Request) -> str:
    return request.client.host if request.client else ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


_HARMLESS = tuple((letter, f"\\u{ord(letter):04x}".encode()) for letter in "<>&'")


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as JSON (rule 2)."""
    content = msgspec.json.encode(value)
    for letter, harmless in _HARMLESS:
        # These letters stand in JSON inside of texts only.
        content = content.replace(letter.encode(), harmless)
    return Response(content, status, dict(headers or {}), "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    """Say what the monitor refused."""
    assert isinstance(error, MonitorError)  # noqa: S101  (Starlette hands in what was registered)
    headers = {}
    if isinstance(error, StrangerError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyError):
        headers["Retry-After"] = str(error.seconds)
    elif error.status == 503:
        headers["Retry-After"] = "30"
    if isinstance(error, TooLargeError | TooSlowError):
        # What is left of the body is not waited for.
        headers["Connection"] = "close"
    refused = monitor_of(request).refused
    refused[error.status] = refused.get(error.status, 0) + 1
    return answer({"error": str(error)}, error.status, headers)


async def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return answer({"error": escaped(error.detail.lower())}, error.status_code, error.headers)


async def _left(_: Request, _error: Exception) -> Response:
    return answer({"error": "the client left"}, 400)


async def _failed(_: Request, _error: Exception) -> Response:
    # Starlette answers this outside of every middleware, and then hands the error on to the server's log.
    return answer({"error": "the monitor failed, and its log says how"}, 500, _HEADERS)


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    MonitorError: _refused,
    HTTPException: _not_found,
    ClientDisconnect: _left,
    Exception: _failed,
}
"""What becomes of an error, by its class."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]


class HeadersMiddleware:
    """Adds to each answer what keeps a browser from running, framing or keeping it, where the answer says nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in _RAW_HEADERS if one[0] not in said)]
            await send(message)

        await self._app(scope, receive, with_headers)
