"""
niquests: sessions that take a context by an adapter, and that stay off HTTP/3.

niquests follows an Alt-Svc hint to HTTP/3, over a TLS that no context sees: a session of this file never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pinscher.clients.errors import UnsupportedTransportError, check_hooks, missing

try:
    from niquests import AsyncSession, Session
    from niquests.adapters import AsyncHTTPAdapter, HTTPAdapter
except ImportError as error:
    raise ImportError(missing("niquests", "niquests")) from error

check_hooks("niquests", HTTPAdapter, "init_poolmanager", "proxy_manager_for")
check_hooks("niquests", AsyncHTTPAdapter, "init_poolmanager", "proxy_manager_for")

if TYPE_CHECKING:
    from pinscher.tls import PinnedContext


class PinnedAdapter(HTTPAdapter):  # type: ignore[misc]
    """An adapter whose connections go through a pinned context, over HTTP/1.1 or HTTP/2."""

    def __init__(self, context: PinnedContext, **options: Any) -> None:
        self._pinned = context
        super().__init__(**_without_http3(options))

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of direct connections."""
        return super().init_poolmanager(*arguments, **{**options, "ssl_context": self._pinned})

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        return super().proxy_manager_for(*arguments, **{**options, "ssl_context": self._pinned})


class PinnedAsyncAdapter(AsyncHTTPAdapter):  # type: ignore[misc]
    """The same for ``AsyncSession``."""

    def __init__(self, context: PinnedContext, **options: Any) -> None:
        self._pinned = context
        super().__init__(**_without_http3(options))

    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of direct connections."""
        return super().init_poolmanager(*arguments, **{**options, "ssl_context": self._pinned})

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        return super().proxy_manager_for(*arguments, **{**options, "ssl_context": self._pinned})


def session(context: PinnedContext, **options: Any) -> Session:
    """Return a session that reaches ``https://`` through a pinned context, never over HTTP/3."""
    made = Session(**_without_http3(options))
    made.adapters.clear()
    made.mount("https://", PinnedAdapter(context))
    return made


def async_session(context: PinnedContext, **options: Any) -> AsyncSession:
    """Return an ``AsyncSession`` that reaches ``https://`` through a pinned context, never over HTTP/3."""
    made = AsyncSession(**_without_http3(options))
    made.adapters.clear()
    made.mount("https://", PinnedAsyncAdapter(context))
    return made


def _without_http3(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("disable_http3") is False:
        reason = "niquests speaks HTTP/3 over a TLS that no context sees"
        raise UnsupportedTransportError("niquests", reason, "leave disable_http3 out, or use pinscher.clients.aioquic")
    return {**options, "disable_http3": True}
